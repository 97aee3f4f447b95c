import { ask } from "./key.js";

const answer = document.querySelector("#answer");

for (const form of document.querySelectorAll("section form")) {
  form.onsubmit = async (event) => {
    event.preventDefault();
    answer.textContent = "…";
    const body = form.method === "get" ? undefined : form.enctype === "multipart/form-data" ? new FormData(form) : new URLSearchParams(new FormData(form));
    if (body) for (const [name, value] of [...body]) if (value === "") body.delete(name);
    const response = await ask(form.action, { method: form.method.toUpperCase(), body });
    const text = await response.text();
    let shown = text;
    try {
      shown = JSON.stringify(JSON.parse(text), null, 2);
    } catch { /* not JSON: shown as it is */ }
    answer.textContent = `${response.status}\n${shown}`;
  };
}
