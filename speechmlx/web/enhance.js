// The tab Enhance: a recording before and after, switched while it plays.

import { ClipRow } from "./clip-row.js";
import { FileClip, recordedClip } from "./clips.js";
import { $, element, reveal, save, showError, tell } from "./dom.js";
import { player } from "./player.js";
import { RecordingField } from "./recordings.js";
import { answered, server } from "./server.js";

class Enhancement {
  rows = [];

  constructor() {
    this.form = $("#clean");
    this.note = $("#cleaned-note");
    this.error = $("#cleaned-error");
    this.field = new RecordingField(this.form, (...given) => this.use(...given), (error) => showError(this.error, error));
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.use(this.blob, this.name, this.isRecorded);
    };
    $("#cleaned-save").onclick = () => save(this.result, `${this.name.replace(/\.[^.]+$/, "")}-clean.wav`);
    server.addEventListener("change", () => this.showWait());
  }

  async use(blob, name, isRecorded) {
    this.stop?.abort();
    const stop = new AbortController();
    Object.assign(this, { blob, name, isRecorded, stop });
    this.clear();
    this.began = performance.now();
    this.showWait();
    try {
      const before = isRecorded ? await recordedClip("Before", blob) : new FileClip("Before", blob);
      if (stop.signal.aborted) return before.release();
      this.add(before, "Before", name);
      const response = await server.during(() => answered("enhance", { method: "POST", body: blob, signal: stop.signal }));
      this.result = await response.blob();
      this.add(new FileClip("After", this.result), "After", "noise reduced");
      $("#cleaned-actions").hidden = false;
      tell(this.note, `Done in ${((performance.now() - this.began) / 1000).toFixed(1)} s. Press play, and switch between the two.`);
    } catch (error) {
      if (stop.signal.aborted) return;
      tell(this.note, "");
      showError(this.error, error);
    }
    if (this.stop === stop) this.stop = null;
  }

  clear() {
    this.rows.splice(0).forEach((row) => row.remove());
    $("#clean-button").hidden = false;
    $("#cleaned-empty").hidden = true;
    reveal($("#cleaned").parentElement);
    $("#cleaned-actions").hidden = true;
    showError(this.error, null);
  }

  // Play of the other one goes on at the same place.
  add(clip, title, about) {
    const play = () => {
      const isOther = this.rows.some((row) => row.clip === player.clip && row.clip !== clip);
      if (isOther) player.swap(clip);
      player.play(clip).catch((error) => showError(this.error, error));
    };
    const row = new ClipRow(clip, { words: element("b", { textContent: title }), about, play });
    this.rows.push(row);
    $("#cleaned").append(row.line);
    if (this.rows.length === 1) player.load(clip);
  }

  showWait() {
    if (this.stop) tell(this.note, server.waiting("enhance") || `Reducing noise … ${Math.round((performance.now() - this.began) / 1000)} s`);
  }
}

export const start = () => new Enhancement();
