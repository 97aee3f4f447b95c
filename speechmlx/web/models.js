// The tab Models, and the choices of models and languages in the other tabs.

import { $, all, button, bytes, element, languageName, showError, tell } from "./dom.js";
import { answered, sent, server, share } from "./server.js";

const KINDS = {
  asr: "Speech to text", tts: "Text to speech", s2s: "Speech to speech", llm: "Answers in conversations",
  enhance: "Noise reduction", diarize: "Telling speakers apart", vad: "Detecting speech", turn: "Detecting the end of a turn",
};
const ORDER = Object.keys(KINDS);

// --- What a model is doing ---

function condition(model) {
  if (["fetching", "loading", "loaded"].includes(model.state)) return model.state;
  return server.onDisk.has(model.model_name) ? "here" : "away";
}

function doing(model) {
  const running = (server.health?.models || []).find((one) => one.name === model.model_name) || {};
  return {
    fetching: `Downloading${share(running)}`,
    loading: "Loading …",
    loaded: running.bytes ? `In memory, ${bytes(running.bytes)}` : "In memory",
    here: "On this machine",
    away: "Not downloaded",
  }[condition(model)];
}

const isDefault = (model) => model.default || model.default_live;

function about(model) {
  const { languages } = model;
  const spoken = languages.length > 4 ? `${languages.length} languages` : languages.map(languageName).join(", ");
  const size = server.onDisk.get(model.model_name) || model.size;
  return [size && bytes(size), spoken, model.licence, model.licence_accepted === false && "licence not accepted"].filter(Boolean).join(" · ");
}

// One model in the list. Its elements stay while what they say changes, so that the focus stays.
class ModelRow {
  constructor(name) {
    this.name = element("p", { className: "name" }, name);
    this.isDefault = element("small", { hidden: true });
    this.name.append(this.isDefault);
    this.about = element("p", { className: "about" });
    this.told = element("p", {});
    this.progress = element("progress", { max: 1, hidden: true });
    this.progress.setAttribute("aria-label", `Download of ${name}`);
    this.button = button("", () => this.act());
    this.error = element("p", { className: "error", hidden: true });
    this.error.setAttribute("role", "alert");
    this.line = element("li", {}, element("div", {}, this.name, this.about), element("div", { className: "doing" }, this.told, this.progress), element("div", { className: "actions" }, this.button), this.error);
    this.id = name;
  }

  show(model) {
    const state = condition(model);
    const action = { away: "Download", here: "Load", fetching: "Stop", loading: "Stop", loaded: "Unload" }[state];
    this.model = model;
    this.line.className = `model ${state}`;
    this.isDefault.hidden = !isDefault(model);
    tell(this.isDefault, model.default ? "default" : "default for live words");
    tell(this.about, about(model));
    tell(this.told, doing(model));
    const running = (server.health?.models || []).find((one) => one.name === model.model_name);
    this.progress.hidden = state !== "fetching";
    this.progress.value = running?.total ? running.done / running.total : 0;
    tell(this.button, action);
    this.button.setAttribute("aria-label", `${action} ${this.id}`);
  }

  async act() {
    const action = this.button.textContent;
    const path = `v1/models/${encodeURIComponent(this.id)}`;
    const work = {
      Download: () => answered(`${path}/pull`, { method: "POST" }),
      Load: () => sent("v1/models", { model_name: this.id }),
      Stop: () => answered(path, { method: "DELETE" }),
      Unload: () => answered(path, { method: "DELETE" }),
    }[action];
    this.isStopped = action === "Stop"; // then the download that was begun here fails, as it should
    showError(this.error, null);
    try {
      await server.during(work);
      await server.look();
    } catch (error) {
      if (!this.isStopped) showError(this.error, error);
    }
  }
}

export function start() {
  const rows = new Map();
  const lists = new Map();
  const search = $("#models-search");
  const here = $("#models-here");

  function list(kind) {
    if (!lists.has(kind)) {
      const id = `kind-${kind}`;
      const made = element("ul", {});
      made.setAttribute("aria-labelledby", id);
      const group = element("section", { className: "kind" }, element("h3", { id, textContent: KINDS[kind] || kind }), made);
      lists.set(kind, made);
      const after = ORDER.slice(ORDER.indexOf(kind) + 1).find((later) => lists.has(later));
      $("#models-list").insertBefore(group, after ? lists.get(after).parentElement : null);
    }
    return lists.get(kind);
  }

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    const rank = (model) => (isDefault(model) ? 0 : condition(model) === "away" ? 2 : 1);
    for (const model of [...server.models].sort((a, b) => rank(a) - rank(b))) {
      if (!rows.has(model.id)) {
        rows.set(model.id, new ModelRow(model.id));
        list(model.kind).append(rows.get(model.id).line);
      }
      const row = rows.get(model.id);
      row.show(model);
      const text = [model.id, KINDS[model.kind], ...model.aliases, ...model.languages.map(languageName), model.licence].join(" ").toLowerCase();
      row.line.hidden = !words.every((word) => text.includes(word)) || (here.checked && condition(model) === "away");
      shown += !row.line.hidden;
    }
    const known = new Set(server.models.map((model) => model.id));
    for (const [id, row] of rows) if (!known.has(id)) rows.delete(id), row.line.remove();
    for (const made of lists.values()) made.parentElement.hidden = [...made.children].every((line) => line.hidden);
    tell($("#models-note"), server.models.length && !shown ? "No model is like that." : summary());
  }

  search.oninput = show;
  here.onchange = show;
  server.addEventListener("change", show);
  server.addEventListener("change", fillChoices);
  for (const select of all("select[name=model]")) select.addEventListener("change", fillLanguages);
}

function summary() {
  const disk = [...server.onDisk.values()].reduce((sum, one) => sum + one, 0);
  const memory = (server.health?.models || []).reduce((sum, one) => sum + one.bytes, 0);
  if (!server.onDisk.size) return "";
  return `${server.onDisk.size} models on this machine, ${bytes(disk)}${memory ? `; ${bytes(memory)} in memory` : ""}`;
}

// --- The choices in forms ---

function fill(select, options) {
  const text = JSON.stringify(options);
  if (select.dataset.filled === text) return;
  const chosen = select.value;
  select.dataset.filled = text;
  select.replaceChildren(...options.map(([value, name]) => element("option", { value, textContent: name })));
  select.value = options.some(([value]) => value === chosen) ? chosen : "";
}

function fillChoices() {
  if (!server.models.length) return; // a key is wanted first: what was chosen before stays
  for (const select of all("select[data-kind]")) {
    const models = server.models.filter((model) => model.kind === select.dataset.kind);
    const standard = models.find((model) => model.default);
    fill(select, [["", standard ? `Default (${standard.id})` : "Default"], ...models.map((model) => [model.id, condition(model) === "away" ? `${model.id} (download ${bytes(model.size)})` : model.id])]);
  }
  fillLanguages();
}

function fillLanguages() {
  for (const select of all("select[data-languages]")) {
    const model = select.form ? server.model("asr", select.form.elements.model.value) : server.listener; // Captions
    const named = (model?.languages || []).map((tag) => [tag, languageName(tag)]).sort((a, b) => a[1].localeCompare(b[1]));
    fill(select, [["", "Detect"], ...named]);
    select.parentElement.hidden = named.length < 2;
  }
}
