const FormData = require('form-data');
const fs = require('fs');
const form = new FormData();
form.append('file', fs.createReadStream('audio.wav'));
form.append('language', 'en');
form.append('model', 'base');
fetch('http://localhost:8080/transcribe', {
method: 'POST',
body: form
})
.then(response => response.json())
.then(result => console.log(result));
