// The choice of a voice: a dialog with search, languages and a sample of each voice.

import { $, button, clock, element, languageName, remember, remembered, tell } from "./dom.js";
import { SpeechClip } from "./clips.js";
import { player } from "./player.js";
import { asked } from "./server.js";
import { streamSpeech } from "./speech.js";

const SAMPLES = {
  de: "Guten Tag. So klingt meine Stimme.", en: "Hello. This is how I sound.", es: "Hola. Así suena mi voz.",
  fr: "Bonjour. Voici ma voix.", hi: "नमस्ते। मेरी आवाज़ ऐसी है।", it: "Buongiorno. Questa è la mia voce.",
  ja: "こんにちは。私の声です。", pt: "Olá. Esta é a minha voz.", zh: "你好，这是我的声音。",
};

// Whether an id is that of a recording which the server keeps. The owner's names for voices may begin like one.
export const isStored = (id) => /^voice_[0-9a-f]{24}$/.test(id);

// "af_heart" is Kokoro's name of a woman; other models' names say nothing.
function described(voice) {
  if (isStored(voice.id)) return { name: voice.name, about: `your voice · ${clock(voice.duration)}` };
  const [, sex, given] = /^[a-z]([fm])_(.+)$/.exec(voice.same_as || voice.id) || [];
  const name = voice.same_as ? voice.id : given || voice.name;
  const about = [voice.language && languageName(voice.language), { f: "woman", m: "man" }[sex], voice.same_as && `same as ${voice.same_as}`];
  return { name: name[0].toUpperCase() + name.slice(1).replaceAll("_", " "), about: about.filter(Boolean).join(" · ") };
}

class VoiceDialog {
  constructor() {
    this.dialog = $("#voices");
    this.search = $("#voices-search");
    this.language = $("#voices-language");
    this.note = $("#voices-note");
    this.search.oninput = () => this.show();
    this.language.onchange = () => this.show();
    $("#voices-close").onclick = () => this.dialog.close();
    this.dialog.onclose = () => this.stop?.abort();
    this.dialog.onclick = (event) => event.target === this.dialog && this.dialog.close(); // beside it
  }

  async open(model, chosen, choose) {
    Object.assign(this, { model, chosen, choose, voices: [] });
    this.search.value = "";
    tell(this.note, "…");
    this.show();
    this.dialog.showModal();
    try {
      this.voices = (await asked(`v1/audio/voices${model ? `?model=${encodeURIComponent(model)}` : ""}`)).voices;
    } catch (error) {
      return tell(this.note, error.message);
    }
    const tags = [...new Set(this.voices.filter((voice) => voice.language).map((voice) => voice.language))];
    const options = tags.map((tag) => element("option", { value: tag, textContent: languageName(tag) }));
    this.language.replaceChildren(element("option", { value: "", textContent: "All" }), ...options);
    this.show();
  }

  show() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.voices.filter((voice) => {
      const { name, about } = described(voice);
      const text = ` ${voice.id} ${name} ${about} `.toLowerCase();
      return (!this.language.value || voice.language === this.language.value) && words.every((word) => text.includes(word === "man" ? " man" : word));
    });
    const own = words.length || this.language.value ? [] : [this.row({ id: "", language: null, usable: true })];
    $("#voices-list").replaceChildren(...own, ...found.map((voice) => this.row(voice)));
    if (this.voices.length) tell(this.note, found.length ? `${found.length} voices` : "No voice has that name.");
  }

  row(voice) {
    const { name, about } = voice.id ? described(voice) : { name: "Default voice", about: "" };
    const note = voice.usable ? about : `${about} · needs audio-server extras`;
    const choose = element("button", { type: "button", className: "choose", onclick: () => this.take(voice) }, name, element("small", { textContent: note }));
    choose.setAttribute("aria-pressed", String(voice.id === this.chosen));
    const sample = button("Preview", () => this.preview(voice, sample), { className: "quiet" });
    sample.setAttribute("aria-label", `Preview ${name}`);
    return element("li", {}, choose, sample);
  }

  take(voice) {
    this.choose(voice.id, voice.id ? described(voice).name : "Default voice");
    this.dialog.close();
  }

  async preview(voice, pressed) {
    this.stop?.abort();
    this.stop = new AbortController();
    const language = (voice.language || "en").split("-")[0];
    const clip = new SpeechClip(`Preview: ${pressed.getAttribute("aria-label").slice(8)}`);
    pressed.disabled = true;
    try {
      await streamSpeech({ input: SAMPLES[language] || SAMPLES.en, voice: voice.id, model: this.model }, clip, this.stop.signal, () => player.play(clip));
      tell(this.note, "");
    } catch (error) {
      if (error.name !== "AbortError") tell(this.note, error.message);
    } finally {
      pressed.disabled = false;
    }
  }
}

let dialog = null;
const buttons = [];

// A button that shows the voice under the name `key` and opens the dialog.
export class VoiceButton extends EventTarget {
  constructor(shown, key, model = () => "") {
    super();
    buttons.push(this);
    Object.assign(this, { shown, key });
    this.set(remembered(`${key}.voice`), remembered(`${key}.voice-name`));
    shown.onclick = () => {
      dialog ??= new VoiceDialog();
      dialog.open(model(), this.voice, (id, name) => this.set(id, name));
    };
  }

  set(voice, name) {
    this.voice = voice;
    this.shown.textContent = voice ? name : "Default voice";
    remember(`${this.key}.voice`, voice);
    remember(`${this.key}.voice-name`, voice ? name : "");
    this.dispatchEvent(new Event("change"));
  }
}

// `ids` are all that the server keeps: who has another one gets the default voice.
export function dropAllBut(ids) {
  for (const one of buttons) if (isStored(one.voice) && !ids.includes(one.voice)) one.set("", "");
}
