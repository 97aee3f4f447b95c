// The page at /docs: openapi.json as text, with search, a link to each route, examples, and a form to try it.

import { $, button, copy, element } from "./dom.js";
import { ask } from "./key.js";
import { example, tryForm } from "./try.js";

const namesOf = (schema) => Object.keys(schema.properties || {}).sort().join();

class Description {
  constructor(document_) {
    this.document = document_;
  }

  resolved(value) {
    if (!value?.$ref) return value || {};
    return value.$ref.slice(2).split("/").reduce((part, key) => part[key], this.document);
  }

  typeOf(schema) {
    if (schema.$ref) return schema.$ref.split("/").pop();
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.join(" | ");
    const either = schema.anyOf || schema.oneOf;
    if (either) return [...new Set(either.map((one) => this.typeOf(one)))].join(" or ");
    if (schema.type === "array") return `list of ${this.typeOf(schema.items || {})}`;
    const range = schema.minimum !== undefined && schema.maximum !== undefined ? ` ${schema.minimum} to ${schema.maximum}` : "";
    return [schema.type || "anything"].flat().join(" or ") + (schema.format === "binary" ? ", a file" : "") + range;
  }

  // The bodies that an operation takes: one entry for those that have the same fields.
  bodies(about) {
    const found = [];
    for (const [type, { schema }] of Object.entries(this.resolved(about.requestBody).content || {})) {
      const whole = this.resolved(schema);
      const known = found.find((one) => (schema.$ref && one.schema === schema.$ref) || (whole.properties && one.names === namesOf(whole)));
      if (known) known.types.push(type);
      else found.push({ types: [type], schema: schema.$ref, whole, names: namesOf(whole) });
    }
    return found;
  }
}

// --- One route ---

// Text whose `names` are code.
const marked = (text) => text.split("`").map((part, n) => (n % 2 ? element("code", { textContent: part }) : part));

function fields(description, rows) {
  const table = element("table", { className: "fields" });
  const head = ["Name", "Type", "Meaning"].map((name) => element("th", { scope: "col", textContent: name }));
  table.append(element("thead", {}, element("tr", {}, ...head)));
  const body = element("tbody");
  for (const { name, schema, required, where } of rows) {
    const notes = [required && "Required", where, schema.description, schema.default !== undefined && `Default \`${schema.default}\``];
    const told = notes.filter(Boolean).map((one) => `${one}.`).join(" ");
    const cells = [[element("code", { textContent: name })], [description.typeOf(schema)], marked(told)];
    body.append(element("tr", {}, ...cells.map((cell) => element("td", {}, ...cell))));
  }
  table.append(body);
  return table;
}

const inSchema = ({ properties = {}, required = [] }) =>
  Object.entries(properties).map(([name, schema]) => ({ name, schema, required: required.includes(name) }));

// The bodies' fields. One that is like the first names what it has besides, and what it lacks.
function shownBodies(description, bodies) {
  const first = bodies.find(({ whole }) => whole.properties)?.whole;
  return bodies.flatMap(({ types, whole }) => {
    const head = element("h3", { textContent: `Body: ${types.join(", ")}` });
    if (!whole.properties) return [head, element("p", { textContent: whole.description || (whole.format === "binary" ? "The recording" : description.typeOf(whole)) })];
    if (whole === first) return [head, fields(description, inSchema(whole))];
    const added = inSchema(whole).filter(({ name }) => !(name in first.properties));
    const missing = Object.keys(first.properties).filter((name) => !(name in whole.properties));
    const told = `The fields above${missing.length ? ` without ${missing.join(", ")}` : ""}${added.length ? ", and:" : "."}`;
    return [head, element("p", { textContent: told }), ...(added.length ? [fields(description, added)] : [])];
  });
}

function code(text) {
  const copied = button("Copy", () => copy(text, copied), { className: "quiet" });
  return element("div", { className: "example" }, element("pre", { tabIndex: 0, textContent: text }), copied);
}

function inside(description, path, method, about) {
  const made = element("div", { className: "inside" });
  if (about.description) made.append(element("p", {}, ...marked(about.description)));
  const parameters = (about.parameters || []).map((one) => ({ ...one, schema: { description: one.description, ...one.schema }, where: `In the ${one.in}` }));
  if (parameters.length) made.append(element("h3", { textContent: "Parameters" }), fields(description, parameters));
  const bodies = description.bodies(about);
  made.append(...shownBodies(description, bodies));
  made.append(element("h3", { textContent: "Example" }), code(example(path, method, parameters, bodies)));
  const answers = Object.entries(about.responses).map(([status, response]) => {
    const told = description.resolved(response);
    return element("tr", {}, element("td", {}, element("code", { textContent: status })), element("td", { textContent: Object.keys(told.content || {}).join(", ") }), element("td", { textContent: told.description }));
  });
  made.append(element("h3", { textContent: "Answers" }), element("table", { className: "fields" }, element("tbody", {}, ...answers)));
  if (!about.summary.startsWith("Refused")) made.append(element("h3", { textContent: "Try it" }), tryForm(path, method, parameters, bodies));
  return made;
}

// The contents are made when it is opened: there are many routes.
function operation(id, method, path, summary, contents, words) {
  const head = element("summary", {}, element("span", { className: "method", textContent: method }), element("code", { textContent: path }), element("span", { textContent: summary }));
  const shown = element("details", { id, className: "operation" }, head);
  shown.dataset.words = `${method} ${path} ${summary} ${words}`.toLowerCase();
  shown.ontoggle = () => {
    if (!shown.open) return;
    if (shown.children.length === 1) shown.append(contents());
    history.replaceState(null, "", `${location.pathname}${location.search}#${id}`);
  };
  return shown;
}

const idOf = (method, path) => `${method}${path}`.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/-$/, "");

function socketInside(about) {
  const made = element("div", { className: "inside" }, element("p", { textContent: about.description }));
  const query = Object.entries(about.query || {});
  const rows = query.map(([name, meaning]) => element("tr", {}, element("td", {}, element("code", { textContent: name })), element("td", { textContent: meaning })));
  if (rows.length) made.append(element("h3", { textContent: "Parameters of the address" }), element("table", { className: "fields" }, element("tbody", {}, ...rows)));
  for (const [title, messages] of [["You send", about.send], ["You get", about.receive]]) {
    if (messages) made.append(element("h3", { textContent: title }), code(messages.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n")));
  }
  return made;
}

// --- The page ---

function groupsOf(document_) {
  const description = new Description(document_);
  const tags = [{ name: "websockets", "x-displayName": "WebSockets", description: "Live captions, conversations and speech" }, ...document_.tags];
  const groups = new Map(tags.map((tag) => [tag.name, { tag, operations: [] }]));
  for (const about of document_["x-websockets"]) {
    const words = JSON.stringify(about);
    groups.get("websockets").operations.push(operation(idOf("ws", about.path), "WS", about.path, about.summary, () => socketInside(about), words));
  }
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const made = operation(idOf(method, path), method.toUpperCase(), path, about.summary, () => inside(description, path, method, about), JSON.stringify(about));
      groups.get(about.tags[0]).operations.push(made);
    }
  }
  return groups;
}

function fromAddress() {
  const wanted = location.hash && document.getElementById(location.hash.slice(1));
  if (!wanted) return;
  if (wanted.tagName === "DETAILS") wanted.open = true;
  wanted.scrollIntoView();
}

function find() {
  const words = $("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const group of document.querySelectorAll(".group")) {
    let here = 0;
    for (const one of group.querySelectorAll(".operation")) {
      one.hidden = !words.every((word) => one.dataset.words.includes(word));
      here += !one.hidden;
    }
    group.hidden = !here;
    shown += here;
  }
  $("#nothing").hidden = shown > 0;
}

async function show() {
  const response = await ask("openapi.json");
  if (!response.ok) return; // the key is asked for
  const document_ = await response.json();
  $("#title").textContent = `${document_.info.title} ${document_.info.version} API`;
  $("#about").textContent = document_.info.description;
  $("#base").replaceChildren("Addresses begin with ", element("code", { textContent: new URL(".", document.baseURI).href.replace(/\/$/, "") }), ".");
  const groups = [...groupsOf(document_).values()].filter((group) => group.operations.length);
  $("#operations").replaceChildren(...groups.map(({ tag, operations }) =>
    element("section", { className: "group", id: tag.name }, element("h2", { textContent: tag["x-displayName"] }), element("p", { textContent: tag.description }), ...operations)));
  $("#contents").replaceChildren(...groups.map(({ tag }) => {
    const link = element("a", { href: `#${tag.name}`, textContent: tag["x-displayName"] });
    link.onclick = (event) => { // below a <base> the address would be another page's
      event.preventDefault();
      document.getElementById(tag.name).scrollIntoView();
      history.replaceState(null, "", `${location.pathname}${location.search}#${tag.name}`);
    };
    return link;
  }));
  find();
  fromAddress();
}

$("#search").oninput = find;
addEventListener("hashchange", fromAddress);
document.addEventListener("keychange", show);
show();
