// The tab Captions: the microphone as PCM to /asr, closed lines and what is not final yet from it.

import { $, copy, element, saveText, showError, tell } from "./dom.js";
import { Meter, PcmMicrophone } from "./microphone.js";
import { server, socket } from "./server.js";

const RATE = 16000;

class Captions {
  lines = $("#captions-lines");
  buffer = $("#captions-buffer");
  waiting = []; // audio that came before the server's first message

  async run(onready) {
    this.speakers = $("#captions-speakers").checked;
    this.microphone = new PcmMicrophone();
    try {
      await this.microphone.open(RATE, (data) => this.send(data ?? new ArrayBuffer(0)), () => this.stop()); // empty: no more
      this.meter = new Meter(this.microphone.stream, { live: $("#captions-live") });
      onready();
      await new Promise((done, failed) => this.connect(done, failed));
    } finally {
      this.microphone.close();
      this.meter?.stop();
      this.buffer.textContent = "";
    }
  }

  connect(done, failed) {
    const query = { mode: "diff" };
    if ($("#captions-language").value) query.language = $("#captions-language").value;
    if (this.speakers) query.diarization = "true";
    this.socket = socket("asr", query);
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    this.socket.onclose = ({ code, reason }) => {
      if (this.isComplete) done();
      else failed(this.problem || (code === 1006 ? "Can't reach the server, or the connection broke." : `The server closed the connection: ${reason || code}`));
    };
  }

  stop() {
    this.isStopping = true;
    tell($("#captions-note"), "Finishing …");
    this.microphone.finish();
  }

  send(audio) {
    if (this.waiting) this.waiting.push(audio);
    else if (this.socket.readyState === WebSocket.OPEN) this.socket.send(audio);
  }

  // --- what the server says ---

  take(message) {
    if (message.type === "config") {
      const waiting = this.waiting;
      this.waiting = null;
      waiting.forEach((audio) => this.send(audio));
    } else if (message.type === "ready_to_stop") {
      this.isComplete = true;
      this.socket.close();
    } else if (message.type === "error") {
      this.problem = message.error;
    } else {
      this.show(message);
    }
  }

  show(update) {
    const fresh = update.lines || update.new_lines || [];
    const view = $("#captions-view");
    const isAtEnd = view.scrollTop + view.clientHeight > view.scrollHeight - 40;
    this.lines.append(...fresh.map((line) => this.line(line)));
    tell(this.buffer, `${update.buffer_diarization} ${update.buffer_transcription}`.trim());
    if (fresh.length || this.buffer.textContent) this.isHeard = true;
    if (isAtEnd) view.scrollTop = view.scrollHeight;
    showError($("#captions-error"), update.error || null);
    if (!this.isStopping) this.showState();
  }

  showState() {
    tell($("#captions-note"), this.isHeard ? "" : server.waiting("asr", "vad", "diarize") || "Listening. Speak.");
  }

  line(line) {
    if (line.text === null) {
      return element("li", { className: "pause", textContent: `${Math.round(line.end_s - line.start_s)} s of silence` });
    }
    return element("li", {}, this.speakers ? element("b", { textContent: `Speaker ${line.speaker}` }) : "", line.text);
  }
}

export function start() {
  let captions = null; // the session under way
  const pressed = $("#captions-button");
  const fields = [$("#captions-language"), $("#captions-speakers")];
  const text = () => [...$("#captions-lines").children].map((line) => line.textContent).join("\n");

  const set = (isOn) => {
    pressed.setAttribute("aria-pressed", String(isOn));
    pressed.textContent = isOn ? "Stop captions" : "Start captions";
    fields.forEach((field) => (field.disabled = isOn));
    $("#captions-copy").hidden = $("#captions-save").hidden = isOn || !$("#captions-lines").children.length;
  };

  async function listen() {
    captions = new Captions();
    $("#captions-lines").replaceChildren();
    $("#captions-empty").hidden = true;
    showError($("#captions-error"), null);
    set(true);
    pressed.disabled = true; // there is nothing to stop yet
    tell($("#captions-note"), "Opening the microphone …");
    try {
      await captions.run(() => {
        pressed.disabled = false;
        captions.showState();
      });
    } catch (error) {
      showError($("#captions-error"), error);
    }
    tell($("#captions-note"), "");
    $("#captions-empty").hidden = $("#captions-lines").children.length > 0;
    captions = null;
    pressed.disabled = false;
    set(false);
  }

  pressed.onclick = () => (captions ? captions.stop() : listen());
  server.addEventListener("change", () => captions && !captions.isStopping && captions.meter && captions.showState());
  $("#captions-copy").onclick = (event) => copy(text(), event.currentTarget);
  $("#captions-save").onclick = () => saveText(`${text()}\n`, "captions.txt");
}
