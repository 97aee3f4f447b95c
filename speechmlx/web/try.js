// An example and a form for one route of /docs.

import { element, inWords, tell } from "./dom.js";
import { ask } from "./key.js";

const SAMPLES = {
  input: "Hello from speechmlx.", text: "Hello from speechmlx.", url: "", model: "", model_name: "whisper-base",
  uid: "whisper-base", id: "JOB", type: "audio", name: "whisper-base", session: { type: "realtime" },
};
const SIMPLE = ["string", "number", "integer", "boolean"];

const kindOf = (schema) => [schema.type || (schema.anyOf || [])[0]?.type || ""].flat()[0];
const isFile = (schema) => schema.format === "binary" || schema.contentMediaType !== undefined;
const place = (path) => new URL(path.replace(/^\//, ""), document.baseURI).href;

// The body to show first: a form with a file, JSON, or the sound itself.
function preferred(bodies) {
  const has = (type) => bodies.find((one) => one.types.includes(type));
  const form = has("multipart/form-data");
  if (form && required(form.whole).some(([, schema]) => isFile(schema))) return { type: "multipart/form-data", whole: form.whole };
  for (const type of ["application/json", "application/x-www-form-urlencoded", "audio/wav", "text/plain"]) {
    const found = has(type);
    if (found) return { type, whole: found.whole };
  }
  return null;
}

function required(whole) {
  return (whole.required || []).map((name) => [name, (whole.properties || {})[name] || {}]);
}

// --- A command line ---

export function example(path, method, parameters, bodies) {
  const named = parameters.filter((one) => one.in === "path").reduce((made, { name }) => made.replace(`{${name}}`, SAMPLES[name] || "whisper-base"), path);
  const parts = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}'${place(named)}'`];
  const body = preferred(bodies);
  if (body?.type === "multipart/form-data") {
    parts.push(...required(body.whole).map(([name, schema]) => `-F '${name}=${isFile(schema) ? "@recording.wav" : SAMPLES[name] || "…"}'`));
  } else if (body?.type === "application/json") {
    const sent = Object.fromEntries(required(body.whole).map(([name]) => [name, SAMPLES[name] ?? "…"]));
    parts.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(sent)}'`);
  } else if (body?.type === "audio/wav") {
    parts.push("-H 'Content-Type: audio/wav'", "--data-binary @recording.wav");
  }
  return parts.join(" \\\n  ");
}

// --- A form ---

function field(name, schema, needed) {
  const kind = kindOf(schema);
  if (isFile(schema)) return element("input", { type: "file", name, required: needed });
  const options = schema.enum || (kind === "boolean" ? ["true", "false"] : null);
  if (options) return element("select", { name, required: needed }, element("option", { value: "", textContent: "" }), ...options.map((one) => element("option", { value: one, textContent: one })));
  const isNumber = kind === "number" || kind === "integer";
  return element("input", { name, type: isNumber ? "number" : "text", step: "any", required: needed, autocomplete: "off", value: needed ? String(SAMPLES[name] ?? "") : "" });
}

export function tryForm(path, method, parameters, bodies) {
  const body = preferred(bodies);
  const isSound = body?.type === "audio/wav";
  const usable = Object.entries(body?.whole.properties || {}).filter(([, schema]) => isFile(schema) || SIMPLE.includes(kindOf(schema)));
  const rows = [
    ...parameters.filter((one) => one.in !== "header").map((one) => [one.name, one.schema, one.required, one.in]),
    ...(isSound ? [["file", { format: "binary" }, true, "body"]] : usable.map(([name, schema]) => [name, schema, (body.whole.required || []).includes(name), "body"])),
  ];
  const made = rows.map(([name, schema, needed, where]) => ({ where, kind: kindOf(schema), input: field(name, schema, needed) }));
  const labels = made.map(({ input }) => element("label", { className: "field" }, `${input.name}${input.required ? " *" : ""}`, input));
  const answer = element("div");
  answer.setAttribute("aria-live", "polite");
  const send = element("button", { className: "primary", textContent: "Send" });
  const form = element("form", { className: "try" }, labels.length ? element("div", { className: "grid" }, ...labels) : "", send, answer);
  form.onsubmit = async (event) => {
    event.preventDefault();
    send.disabled = true;
    answer.replaceChildren("…");
    try {
      const began = performance.now();
      const response = await ask(...request(path, method, made, isSound ? "sound" : body?.type));
      await showAnswer(answer, response, began);
    } catch (error) {
      tell(answer, inWords(error));
    }
    send.disabled = false;
  };
  return form;
}

function request(path, method, made, type) {
  let named = path;
  const query = new URLSearchParams();
  const values = [];
  for (const { where, kind, input } of made) {
    const value = input.type === "file" ? input.files[0] : input.value;
    if (where === "path") named = named.replace(`{${input.name}}`, encodeURIComponent(value));
    else if (!value) continue;
    else if (where === "query") query.append(input.name, value);
    else values.push([input.name, value, kind]);
  }
  const url = place(named) + (String(query) ? `?${query}` : "");
  const options = { method: method.toUpperCase() };
  if (type === "sound") options.body = values[0]?.[1];
  if (type === "multipart/form-data") options.body = values.reduce((form, [name, value]) => (form.append(name, value), form), new FormData());
  if (type === "application/x-www-form-urlencoded") options.body = new URLSearchParams(values.map(([name, value]) => [name, value]));
  if (type === "application/json") {
    options.headers = { "Content-Type": type };
    options.body = JSON.stringify(Object.fromEntries(values.map(([name, value, kind]) => [name, kind === "string" || !kind ? value : JSON.parse(value)])));
  }
  return [url, options];
}

async function showAnswer(where, response, began) {
  const type = response.headers.get("Content-Type") || "";
  const blob = await response.blob();
  const head = element("p", { className: "state", textContent: `${response.status} · ${type} · ${((performance.now() - began) / 1000).toFixed(2)} s` });
  if (type.startsWith("audio/")) {
    where.replaceChildren(head, element("audio", { controls: true, src: URL.createObjectURL(blob) }));
    return;
  }
  const text = await blob.text();
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch { /* not JSON: shown as it is */ }
  where.replaceChildren(head, element("pre", { tabIndex: 0, textContent: shown }));
}
