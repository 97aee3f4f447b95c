"use strict";

// Live captions: the microphone as PCM to /asr, closed lines and what is not final yet from it.

class Captions {
  constructor() {
    this.lines = $("#captions-lines");
    this.buffer = $("#captions-buffer");
    this.note = $("#captions-note");
  }

  async start() {
    this.lines.replaceChildren();
    this.waiting = []; // audio that came before the server's first message
    if (!navigator.mediaDevices) throw new Error("a browser gives its microphone only to https pages and localhost");
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
    this.stream.getAudioTracks()[0].onended = () => this.stop(); // it was unplugged
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("web/pcm16k.js");
    this.microphone = new AudioWorkletNode(this.context, "pcm16k");
    this.microphone.port.onmessage = ({ data }) => this.send(data ?? new ArrayBuffer(0)); // empty: no more audio
    this.context.createMediaStreamSource(this.stream).connect(this.microphone).connect(this.context.destination);
    this.over = new Promise((done) => this.connect(done));
  }

  connect(done) {
    const query = new URLSearchParams({ mode: "diff" });
    if ($("#captions-language").value) query.set("language", $("#captions-language").value);
    if ($("#captions-speakers").checked) query.set("diarization", "true");
    const url = new URL(`asr?${query}`, document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = openSocket(url);
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    this.socket.onclose = ({ code, reason }) => {
      if (!this.isComplete && !this.note.classList.contains("bad")) {
        tell(this.note, `the server closed the connection: ${reason || code}`, true);
      }
      this.release();
      done();
    };
  }

  stop() {
    tell(this.note, "finishing …");
    this.microphone.port.postMessage("end");
  }

  // --- audio ---

  send(audio) {
    if (this.waiting) this.waiting.push(audio);
    else if (this.socket.readyState === WebSocket.OPEN) this.socket.send(audio);
  }

  release() {
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.context && this.context.state !== "closed") this.context.close();
  }

  // --- what the server says ---

  take(message) {
    if (message.type === "config") {
      const waiting = this.waiting;
      this.waiting = null;
      waiting.forEach((audio) => this.send(audio));
      tell(this.note, "listening");
    } else if (message.type === "ready_to_stop") {
      this.isComplete = true;
      tell(this.note, "");
      this.socket.close();
    } else if (message.type === "error") {
      tell(this.note, message.error, true);
    } else {
      this.show(message);
    }
  }

  show(update) {
    const fresh = update.lines || update.new_lines || [];
    this.lines.append(...fresh.map((line) => this.line(line)));
    if (fresh.length) this.lines.scrollTop = this.lines.scrollHeight;
    this.buffer.textContent = `${update.buffer_diarization} ${update.buffer_transcription}`.trim();
    if (update.error) tell(this.note, update.error, true);
    else if (this.note.classList.contains("bad")) tell(this.note, "listening");
  }

  line(line) {
    const item = document.createElement("li");
    if (line.text === null) {
      item.className = "pause";
      item.textContent = `(${Math.round(line.end_s - line.start_s)} s of silence)`;
      return item;
    }
    if ($("#captions-speakers").checked) {
      const speaker = document.createElement("b");
      speaker.textContent = `Speaker ${line.speaker}: `;
      item.append(speaker);
    }
    item.append(line.text);
    return item;
  }
}

let captions = null; // the session under way

async function toggleCaptions(button) {
  if (captions) {
    captions.stop();
    return;
  }
  const settings = [$("#captions-language"), $("#captions-speakers")];
  captions = new Captions();
  const set = (on) => {
    button.setAttribute("aria-pressed", String(on));
    button.classList.toggle("on", on);
    button.textContent = on ? "■ Stop" : "● Start";
    settings.forEach((field) => (field.disabled = on));
  };
  set(true);
  button.disabled = true; // there is nothing to stop yet
  tell(captions.note, "…");
  try {
    await captions.start();
    button.disabled = false;
    await captions.over;
  } catch (error) {
    captions.release();
    tell(captions.note, `no microphone: ${error.message}`, true);
  } finally {
    captions.buffer.textContent = "";
    captions = null;
    button.disabled = false;
    set(false);
  }
}

$("#captions-button").onclick = (event) => toggleCaptions(event.currentTarget);
