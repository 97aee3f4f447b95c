// "Your voices" in the tab Speak: recordings of persons that the server keeps, so that models speak with them.

import { $, all, button, clock, element, showError, tell } from "./dom.js";
import { RecordingField } from "./recordings.js";
import { answered, asked, server } from "./server.js";
import { dropAllBut } from "./voices.js";

const clones = (model) => (model.model_ability || []).includes("text2audio_voice_cloning");

function quiet(text, label, onclick) {
  const made = button(text, onclick, { className: "quiet" });
  made.setAttribute("aria-label", label);
  return made;
}

export class OwnVoices {
  // `choice` is the tab's button for the voice, `model()` the name of its model.
  constructor(choice, model) {
    Object.assign(this, { choice, model });
    this.part = $("#own");
    this.list = $("#own-list");
    this.note = $("#own-note");
    this.error = $("#own-error");
    this.form = $("#own-form");
    this.field = new RecordingField($("#own-add"), (...given) => this.use(...given), (error) => showError(this.error, error));
    this.part.ontoggle = () => this.part.open && this.look();
    this.form.onsubmit = (event) => {
      event.preventDefault();
      if (!this.isBusy) this.add();
    };
    document.addEventListener("keychange", () => this.part.open && this.look());
    for (const told of [server, choice]) told.addEventListener("change", () => this.mark());
  }

  // --- those that are kept ---

  async look() {
    tell(this.note, "");
    try {
      const { stored } = await asked("v1/audio/voices");
      showError(this.error, null);
      this.list.replaceChildren(...stored.map((voice) => this.row(voice)));
      if (!stored.length) $("#own-add").open = true;
      dropAllBut(stored.map((voice) => voice.id));
      this.mark();
    } catch (error) {
      showError(this.error, error);
    }
  }

  row(voice) {
    const { id, name, duration } = voice;
    const speak = quiet("Speak with it", `Speak with it: ${name}`, () => this.choice.set(id, name));
    speak.dataset.voice = id;
    const drop = quiet("Delete", `Delete ${name}`, () => this.confirm(voice, line));
    const line = element("li", {}, element("span", {}, name, " ", element("small", { textContent: clock(duration) })), speak, drop);
    return line;
  }

  // Which voice is chosen, and which models speak with these where this one does not.
  mark() {
    tell($("#own-models"), this.canSpeak ? "" : this.advice());
    for (const one of all("[data-voice]", this.list)) {
      one.disabled = !this.canSpeak;
      one.setAttribute("aria-pressed", String(one.dataset.voice === this.choice.voice));
    }
  }

  get canSpeak() {
    const model = server.model("tts", this.model());
    return !model || clones(model); // none: the list of models is not here yet
  }

  advice() {
    const able = server.models.filter((model) => model.kind === "tts" && clones(model) && model.licence_accepted !== false);
    const here = able.filter((model) => server.onDisk.has(model.model_name));
    const away = able.filter((model) => !here.includes(model));
    const named = [...here.map((model) => `${model.id} (on this machine)`), ...away.map((model) => model.id)];
    return `${server.model("tts", this.model()).id} cannot speak with your voices. Choose a model that can: ${named.join(", ")}.`;
  }

  confirm(voice, line) {
    const keep = () => {
      const again = this.row(voice);
      line.replaceWith(again);
      this.mark();
      again.lastChild.focus();
    };
    const question = element("span", {}, `Delete ${voice.name} for ever?`);
    question.setAttribute("role", "alert");
    const no = quiet("Keep", `Keep ${voice.name}`, keep);
    line.replaceChildren(question, quiet("Delete", `Delete ${voice.name} for ever`, () => this.remove(voice)), no);
    line.onkeydown = (event) => event.key === "Escape" && keep();
    no.focus();
  }

  async remove({ id, name }) {
    const problem = await answered(`v1/audio/voices/${id}`, { method: "DELETE" }).then(() => null, (error) => error);
    await this.look();
    if (problem) showError(this.error, problem);
    else tell(this.note, `${name} is deleted.`);
    $("summary", this.part).focus();
  }

  // --- one more ---

  use(blob, name, isRecorded) {
    this.name = name;
    showError(this.error, null);
    this.field.load(blob, isRecorded ? "Recording" : name, isRecorded);
  }

  async add() {
    if (this.field.recorder) return showError(this.error, "Stop the recording first.");
    if (!this.field.blob) return showError(this.error, "Choose a file or record one first.");
    const { name, text } = this.form.elements;
    const body = new FormData();
    const { blob } = this.field;
    body.append("audio_sample", blob, this.name);
    body.append("name", name.value);
    body.append("text", text.value);
    body.append("consent", `${name.value.trim()}: whoever stored it on the page said on ${new Date().toISOString().slice(0, 10)} that the person who speaks has agreed.`);
    this.isBusy = true;
    tell(this.note, "Storing it …");
    showError(this.error, null);
    try {
      const { id, name: called } = await asked("v1/audio/voices", { method: "POST", body });
      const isNext = this.field.blob !== blob || this.field.recorder; // another recording was begun meanwhile
      if (isNext) this.form.elements.consent.checked = false; // that was for the one before
      else this.clear();
      await this.look();
      tell(this.note, `${called} is stored.`);
      if (!isNext) this.focusOn(id);
    } catch (error) {
      tell(this.note, "");
      showError(this.error, error);
    }
    this.isBusy = false;
  }

  // What the next key does: speak with the voice, or delete it where the model cannot.
  focusOn(id) {
    const speak = $(`[data-voice="${id}"]`, this.list);
    (speak?.disabled ? speak.nextSibling : speak || $("summary", this.part)).focus();
  }

  clear() {
    this.form.reset();
    this.field.clear();
    $("#own-add").open = false;
  }
}
