// Where a recording comes from: a file that is chosen, dropped or pasted, or the microphone.

import { FileClip, recordedClip } from "./clips.js";
import { $, bytes, clock, tell } from "./dom.js";
import { Meter, openMicrophone } from "./microphone.js";
import { player } from "./player.js";

export class RecordingField {
  clip = null; // what the player has of it

  // In `part`: `take(blob, name, isRecorded)` gets each recording, `fail(error)` what went wrong.
  constructor(part, take, fail) {
    Object.assign(this, { part, take, fail });
    this.place = $("[data-drop]", part);
    this.record = $(".record", part);
    this.input = $("input[type=file]", part);
    this.chosen = $(".chosen", part);
    this.input.onchange = () => this.give(this.input.files[0]);
    this.record.onclick = () => this.toggle();
    this.place.ondragover = (event) => this.over(event, true);
    this.place.ondragleave = (event) => this.over(event, false);
    this.place.ondrop = (event) => {
      this.over(event, false);
      this.give(event.dataTransfer.files[0]);
    };
    document.addEventListener("paste", (event) => {
      if (!this.part.closest("[hidden], details:not([open])")) this.give(event.clipboardData.files[0]);
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
    this.chosen.hidden = false;
    tell(this.chosen, about);
    this.take(blob, name, isRecorded);
  }

  // The recording in the player, in place of the one before.
  async load(blob, title, isRecorded) {
    this.release();
    this.blob = blob;
    const clip = isRecorded ? await recordedClip(title, blob).catch(() => null) : new FileClip(title, blob);
    if (this.blob !== blob || !clip) return clip?.release();
    this.clip = clip;
    player.load(clip);
  }

  release() {
    if (this.clip && player.clip === this.clip) player.close();
    this.clip?.release();
    Object.assign(this, { blob: null, clip: null });
  }

  clear() {
    this.release();
    this.chosen.hidden = true;
    this.record.textContent = "Record";
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
    const meter = new Meter(stream, { live: $(".live", this.part) });
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
