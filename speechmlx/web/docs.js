"use strict";

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function resolved(document_, value) {
  return value && value.$ref ? value.$ref.slice(2).split("/").reduce((part, key) => part[key], document_) : value || {};
}

function typeOf(document_, schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(document_, one)).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(document_, schema.items)}`;
  return [schema.type].flat().join(" or ") + (schema.format ? ` (${schema.format})` : "");
}

function fields(document_, rows) {
  const table = element("table");
  for (const [name, schema, required, where] of rows) {
    const line = table.insertRow();
    line.append(element("td", "", element("code", name)), element("td", where), element("td", typeOf(document_, schema)));
    const notes = [required ? "required" : "", schema.description || "", schema.default !== undefined ? `default ${schema.default}` : ""];
    line.append(element("td", notes.filter(Boolean).join("; ")));
  }
  return table;
}

function operation(document_, path, method, about) {
  const shown = element("details");
  shown.append(element("summary", "", element("code", `${method.toUpperCase()} ${path}`), ` ${about.summary}`));
  if (about.description) shown.append(element("p", about.description));
  const rows = (about.parameters || []).map((one) => [one.name, one.schema, one.required, one.in]);
  if (rows.length) shown.append(fields(document_, rows));
  for (const [type, { schema }] of Object.entries((about.requestBody || {}).content || {})) {
    shown.append(element("h4", type));
    const whole = resolved(document_, schema);
    const required = whole.required || [];
    const inside = Object.entries(whole.properties || {}).map(([name, one]) => [name, one, required.includes(name), ""]);
    shown.append(inside.length ? fields(document_, inside) : element("p", typeOf(document_, whole)));
  }
  const answers = element("table");
  for (const [status, response] of Object.entries(about.responses)) {
    const told = resolved(document_, response);
    const line = answers.insertRow();
    line.append(element("td", status), element("td", told.description), element("td", Object.keys(told.content || {}).join(", ")));
  }
  shown.append(element("h4", "Answers"), answers);
  return shown;
}

async function show() {
  const response = await ask("openapi.json");
  if (!response.ok) return; // the key is asked for
  const document_ = await response.json();
  document.querySelector("#title").textContent = `${document_.info.title} ${document_.info.version}`;
  document.querySelector("#about").textContent = document_.info.description;
  const groups = new Map(document_.tags.map((tag) => [tag.name, element("section", "", element("h2", `${tag.name}: ${tag.description}`))]));
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const name = (about.tags || ["more"])[0];
      if (!groups.has(name)) groups.set(name, element("section", "", element("h2", name)));
      groups.get(name).append(operation(document_, path, method, about));
    }
  }
  document.querySelector("#operations").replaceChildren(...groups.values());
}

document.addEventListener("keychange", show);
show();
