// The server: requests with errors in words, and what it says of its state and its models.

import { ask, openSocket, wantsKey } from "./key.js";
import { bytes } from "./dom.js";

const CALM = 5000, BUSY = 1000; // ms between two looks

export async function answered(url, options) {
  const response = await ask(url, options);
  if (!response.ok) throw new Error(await problem(response));
  return response;
}

export const asked = async (url, options) => (await answered(url, options)).json();

export const sent = (url, body, method = "POST", signal = undefined) =>
  answered(url, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

async function problem(response) {
  const text = await response.text();
  try {
    const told = JSON.parse(text);
    return told.detail || told.error.message || told.error;
  } catch {
    if ([502, 503, 504].includes(response.status)) return "Can't reach the server. Is it running?"; // a proxy's page
    return text.startsWith("<") || !text ? `${response.status} ${response.statusText}` : text;
  }
}

export function socket(path, query = {}) {
  const url = new URL(`${path}?${new URLSearchParams(query)}`, document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  return openSocket(url);
}

export async function* serverSent(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (pending + value).split("\n\n");
    pending = parts.pop();
    for (const part of parts) yield JSON.parse(part.replace(/^data: /, ""));
  }
}

// --- Its state ---

class Server extends EventTarget {
  health = null; // null: it cannot be reached
  models = [];
  onDisk = new Map(); // name → bytes
  busy = 0; // requests of this page that run
  known = null; // the models' states when their list was read last

  async look() {
    clearTimeout(this.timer);
    try {
      this.health = await (await ask("health")).json();
      const states = JSON.stringify(this.health.models.map(({ name, state, pinned }) => [name, state, pinned]));
      if (states !== this.known && !wantsKey()) await this.lookAtModels(states);
    } catch {
      this.health = null;
    }
    this.dispatchEvent(new Event("change"));
    clearTimeout(this.timer); // of a look that was begun meanwhile
    this.timer = setTimeout(() => (document.hidden ? this.wait() : this.look()), this.isMoving ? BUSY : CALM);
  }

  wait() {
    document.addEventListener("visibilitychange", () => this.look(), { once: true });
  }

  // What changes these lists changes the states: a download that ended, a model that was loaded.
  async lookAtModels(states) {
    const models = await ask("v1/models");
    if (!models.ok) return; // the key is asked for
    const disk = await ask("v1/cache/models");
    if (!disk.ok) return;
    this.models = (await models.json()).data;
    this.onDisk = new Map((await disk.json()).list.map((row) => [row.model_name, row.size]));
    this.known = states;
  }

  // The model that a form means by `chosen`: "" is the default of its kind.
  model(kind, chosen) {
    return this.models.find((one) => (chosen ? one.id === chosen : one.default && one.kind === kind));
  }

  // The model of live words.
  get listener() {
    return this.models.find((one) => one.default_live);
  }

  get isMoving() {
    return this.busy > 0 || (this.health?.models || []).some((model) => model.state !== "loaded");
  }

  // `work`, while the state is looked at often: whoever waits sees why.
  async during(work) {
    this.busy++;
    this.look();
    try {
      return await work();
    } finally {
      this.busy--;
      this.known = null;
      this.look();
    }
  }

  // What it is doing with the models of `kinds`, in words; "" where they are in memory or nothing is under way.
  waiting(...kinds) {
    for (const model of this.health?.models || []) {
      if (!kinds.includes(model.kind)) continue;
      if (model.state === "fetching") return `Downloading ${model.name}${share(model)} …`;
      if (model.state === "loading") return `Loading ${model.name} …`;
    }
    return "";
  }
}

export function share(model) {
  if (!model.total) return "";
  return ` (${Math.floor((100 * model.done) / model.total)} % of ${bytes(model.total)})`;
}

export const server = new Server();
