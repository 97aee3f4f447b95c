// Where a recording comes from: a file that is chosen, dropped or pasted, or the microphone.

import { $, bytes, clock, tell } from "./dom.js";
import { Meter, openMicrophone } from "./microphone.js";

export class RecordingField {
  // `take(blob, name, isRecorded)` gets each recording, `fail(error)` what went wrong.
  constructor(form, take, fail) {
    Object.assign(this, { form, take, fail });
    this.place = $("[data-drop]", form);
    this.record = $(".record", form);
    this.input = form.elements.file;
    this.input.onchange = () => this.give(this.input.files[0]);
    this.record.onclick = () => this.toggle();
    this.place.ondragover = (event) => this.over(event, true);
    this.place.ondragleave = (event) => this.over(event, false);
    this.place.ondrop = (event) => {
      this.over(event, false);
      this.give(event.dataTransfer.files[0]);
    };
    document.addEventListener("paste", (event) => {
      if (!this.form.closest("[role=tabpanel]").hidden) this.give(event.clipboardData.files[0]);
    });
  }

  over(event, isOver) {
    event.preventDefault();
    this.place.classList.toggle("over", isOver);
  }

  give(file) {
    if (file) this.taken(file, file.name, `${file.name} · ${bytes(file.size)}`);
    this.input.value = ""; // so that the same file can be chosen again
  }

  taken(blob, name, about, isRecorded = false) {
    const chosen = $(".chosen", this.form);
    chosen.hidden = false;
    tell(chosen, about);
    this.take(blob, name, isRecorded);
  }

  // --- the microphone ---

  async toggle() {
    if (this.recorder) return this.recorder.stop();
    this.record.disabled = true;
    this.fail(null);
    try {
      this.start(await openMicrophone());
    } catch (error) {
      this.fail(error);
    } finally {
      this.record.disabled = false;
    }
  }

  start(stream) {
    const pieces = [];
    const began = performance.now();
    const meter = new Meter(stream, { live: $(".live", this.form) });
    const recorder = new MediaRecorder(stream);
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    recorder.onstop = () => {
      stream.getTracks().forEach((track) => track.stop());
      meter.stop();
      this.recorder = null;
      this.show(false);
      const length = clock((performance.now() - began) / 1000);
      this.taken(new Blob(pieces, { type: recorder.mimeType }), "recording", `Recording · ${length}`, true);
    };
    recorder.start();
    this.recorder = recorder;
    this.show(true);
  }

  show(isOn) {
    this.record.setAttribute("aria-pressed", String(isOn));
    this.record.textContent = isOn ? "Stop recording" : "Record again";
  }
}
