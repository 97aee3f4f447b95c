// The tab Speak: a text and a voice to clips, each heard while it is made, and saved in any format.

import { ClipRow } from "./clip-row.js";
import { SpeechClip } from "./clips.js";
import { $, element, remember, remembered, reveal, save, showError, tell } from "./dom.js";
import { OwnVoices } from "./own-voices.js";
import { player } from "./player.js";
import { sent, server } from "./server.js";
import { streamSpeech } from "./speech.js";
import { VoiceButton, isStored } from "./voices.js";

const FORMATS = ["wav", "mp3", "opus", "aac", "flac"];
const MOST_CLIPS = 20; // that the list keeps

class Speaking {
  rows = [];

  constructor() {
    this.form = $("#say");
    this.note = $("#spoken-note");
    this.error = $("#spoken-error");
    this.button = $(".primary", this.form);
    const { model, speed } = this.form.elements;
    this.voice = new VoiceButton($("#voice"), "speak", () => model.value);
    this.own = new OwnVoices(this.voice, () => model.value);
    const last = remembered("speak.model"); // the one that has the voice
    if (last) model.append(new Option(last, last, true, true));
    model.onchange = () => {
      remember("speak.model", model.value);
      if (isStored(this.voice.voice) && this.own.canSpeak) this.own.mark();
      else this.voice.set("", "");
    };
    speed.oninput = () => ($("output", this.form).textContent = `${Number(speed.value)}×`);
    this.form.elements.input.onkeydown = (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
    };
    this.form.onsubmit = (event) => {
      event.preventDefault();
      if (this.stop) this.stop.abort();
      else this.speak();
    };
    server.addEventListener("change", () => this.showWait());
  }

  async speak() {
    const { input, model, speed } = this.form.elements;
    const wanted = { input: input.value, model: model.value, speed: Number(speed.value), voice: this.voice.voice };
    const clip = new SpeechClip(input.value.trim().slice(0, 80));
    const row = this.row(clip, wanted);
    this.stop = new AbortController();
    this.clip = clip;
    this.button.textContent = "Stop";
    showError(this.error, null);
    this.showWait();
    const show = () => this.showWait();
    clip.addEventListener("change", show);
    try {
      await server.during(() => streamSpeech(wanted, clip, this.stop.signal, () => this.begin(row)));
    } catch (error) {
      if (error.name !== "AbortError") showError(this.error, error);
      row.about = "broken off";
    }
    clip.removeEventListener("change", show);
    this.stop = null;
    this.button.textContent = "Speak";
    tell(this.note, "");
    if (!clip.duration) row.remove();
    else row.draw();
  }

  begin(row) {
    $("#spoken-empty").hidden = true;
    $("#spoken").prepend(row.line);
    reveal($("#spoken").parentElement);
    this.rows.unshift(row);
    this.rows.splice(MOST_CLIPS).forEach((old) => old.remove());
    player.play(row.clip).catch((error) => showError(this.error, error));
  }

  showWait() {
    if (!this.stop) return;
    const made = this.clip.duration;
    tell(this.note, made ? `${made.toFixed(1)} s made so far …` : server.waiting("tts") || "Making the first sound …");
  }

  // --- a result ---

  row(clip, wanted) {
    const choice = element("select", { className: "quiet" }, element("option", { value: "", textContent: "Save as …" }), ...FORMATS.map((name) => element("option", { value: name, textContent: name.toUpperCase() })));
    choice.setAttribute("aria-label", "Save as");
    choice.onchange = () => {
      const format = choice.value;
      choice.value = "";
      this.save(clip, wanted, format);
    };
    return new ClipRow(clip, { words: wanted.input.trim(), about: $("#voice").textContent, actions: [choice] });
  }

  async save(clip, wanted, format) {
    const name = `${wanted.input.trim().toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 40) || "speech"}.${format}`;
    if (format === "wav" && clip.isWhole) return save(clip.blob, name);
    showError(this.error, null);
    tell(this.note, `Making the ${format.toUpperCase()} file …`);
    const { voice, model, ...rest } = wanted;
    try {
      const response = await sent("v1/audio/speech", { ...rest, response_format: format, stream: false, ...(voice && { voice }), ...(model && { model }) });
      save(await response.blob(), name);
    } catch (error) {
      showError(this.error, error);
    }
    tell(this.note, "");
  }
}

export const start = () => new Speaking();
