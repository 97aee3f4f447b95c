// The tab Transcribe: a recording to segments that can be played, copied and saved.

import { $, all, button, clock, copy, element, languageName, reveal, saveText, showError, tell } from "./dom.js";
import { player } from "./player.js";
import { RecordingField } from "./recordings.js";
import { answered, server, serverSent } from "./server.js";
import { asSrt, asText, asVtt } from "./subtitles.js";

class Transcription {
  segments = [];

  constructor() {
    this.form = $("#hear");
    this.list = $("#heard");
    this.note = $("#heard-note");
    this.error = $("#heard-error");
    this.field = new RecordingField(this.form, (...given) => this.use(...given), (error) => showError(this.error, error));
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.run();
    };
    all("[data-save]", $("#heard-actions")).forEach((one) => (one.onclick = () => this.save(one)));
    player.addEventListener("time", () => this.mark());
    server.addEventListener("change", () => this.showWait());
  }

  use(blob, name, isRecorded) {
    Object.assign(this, { blob, name });
    this.run();
    this.field.load(blob, isRecorded ? "Recording" : name, isRecorded);
  }

  async run() {
    this.stop?.abort();
    const stop = new AbortController();
    this.stop = stop;
    this.clear();
    const pressed = $("#hear-button");
    pressed.hidden = false;
    this.began = performance.now();
    this.showWait();
    try {
      await server.during(() => this.hear(stop.signal));
    } catch (error) {
      if (stop.signal.aborted) return; // another recording is heard
      tell(this.note, this.segments.length ? "It was broken off here." : "");
      showError(this.error, error);
    }
    if (this.stop === stop) this.stop = null;
    $("#heard-actions").hidden = !this.segments.length;
  }

  async hear(signal) {
    const body = new FormData();
    body.append("file", this.blob, this.name);
    body.append("stream", "true");
    body.append("response_format", "verbose_json");
    const { model, language, diarize, translate } = this.form.elements;
    if (model.value) body.append("model", model.value);
    if (language.value) body.append("language", language.value);
    if (diarize.checked) body.append("diarize", "true");
    const path = translate.checked ? "v1/audio/translations" : "v1/audio/transcriptions";
    const response = await answered(path, { method: "POST", body, signal });
    for await (const event of serverSent(response)) {
      if (signal.aborted) return;
      if (event.type === "error") throw new Error(event.error.message);
      if (event.type === "transcript.text.segment") this.add(event);
      if (event.type === "transcript.text.done") this.done(event);
    }
  }

  // --- what is shown ---

  clear() {
    this.segments = [];
    this.list.replaceChildren();
    showError(this.error, null);
    $("#heard-empty").hidden = true;
    reveal(this.list.parentElement);
    $("#heard-actions").hidden = true;
  }

  showWait() {
    if (!this.stop) return;
    const passed = clock((performance.now() - this.began) / 1000);
    const upTo = this.segments.length ? `, up to ${clock(this.segments.at(-1).end)}` : "";
    tell(this.note, server.waiting("asr", "diarize") || `Listening${upTo} … ${passed}`);
  }

  add(segment) {
    const before = this.segments.at(-1)?.speaker;
    this.segments.push(segment);
    const time = button(clock(segment.start), () => this.play(segment), { className: "quiet" });
    time.setAttribute("aria-label", `Play from ${clock(segment.start)}`);
    const said = element("span", {}, segment.speaker && segment.speaker !== before ? element("span", { className: "speaker", textContent: `Speaker ${segment.speaker}` }) : "", segment.text.trim());
    said.onclick = () => getSelection().isCollapsed && this.play(segment);
    this.list.append(element("li", {}, time, said));
    this.showWait();
  }

  done(event) {
    if (!this.segments.length) return tell(this.note, "No speech was found in it.");
    const took = ((performance.now() - this.began) / 1000).toFixed(1);
    const spoken = (event.languages || []).map((one) => languageName(one.language || one.code || one)).join(", ");
    tell(this.note, [spoken, `${this.segments.length} ${this.segments.length === 1 ? "sentence" : "segments"}`, `${took} s`].filter(Boolean).join(" · "));
  }

  play(segment) {
    const { clip } = this.field;
    if (clip) player.play(clip, segment.start).catch((error) => showError(this.error, error));
  }

  mark() {
    const mine = player.clip && player.clip === this.field.clip && player.position > 0;
    this.segments.forEach((segment, n) => {
      const isNow = Boolean(mine) && player.position >= segment.start && player.position < segment.end;
      this.list.children[n].classList.toggle("now", isNow);
    });
  }

  save(pressed) {
    const name = this.name.replace(/\.[^.]+$/, "");
    const rows = this.segments.map(({ start, end, text, speaker }) => ({ start, end, text: text.trim(), ...(speaker && { speaker }) }));
    if (pressed.dataset.save === "copy") copy(asText(rows), pressed);
    if (pressed.dataset.save === "txt") saveText(asText(rows), `${name}.txt`);
    if (pressed.dataset.save === "srt") saveText(asSrt(rows), `${name}.srt`, "application/x-subrip");
    if (pressed.dataset.save === "vtt") saveText(asVtt(rows), `${name}.vtt`, "text/vtt");
    if (pressed.dataset.save === "json") saveText(JSON.stringify({ segments: rows }, null, 2), `${name}.json`, "application/json");
  }
}

export const start = () => new Transcription();
