"use strict";

const $ = (selector) => document.querySelector(selector);
const recorded = {};

// --- What the server says of itself ---

async function problem(response) {
  const text = await response.text();
  try {
    const told = JSON.parse(text);
    return told.detail || told.error.message || told.error;
  } catch {
    return text || `${response.status} ${response.statusText}`;
  }
}

async function answered(response) {
  if (!response.ok) throw new Error(await problem(response));
  return response;
}

function tell(element, text, bad = false) {
  element.textContent = text;
  element.classList.toggle("bad", bad);
}

async function withButton(form, note, work) {
  const button = form.querySelector("button:not([type])");
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    tell(note, error.message, true);
  } finally {
    button.disabled = false;
    refresh();
  }
}

// --- Models ---

function fill(select, rows) {
  const chosen = select.value;
  select.replaceChildren(new Option("default", ""), ...rows.map((row) => new Option(row.id)));
  select.value = rows.some((row) => row.id === chosen) ? chosen : "";
}

async function listModels() {
  const rows = (await (await answered(await ask("v1/models"))).json()).data;
  for (const select of document.querySelectorAll("select[data-kind]")) {
    const known = rows.filter((row) => row.kind === select.dataset.kind);
    if (select.options.length !== known.length + 1) fill(select, known);
  }
  const order = { loaded: 0, loading: 1, fetching: 2, cold: 3 };
  rows.sort((a, b) => order[a.state] - order[b.state]);
  $("#models").replaceChildren(...rows.map(modelRow));
}

function modelRow(row) {
  const line = document.createElement("tr");
  line.className = row.state;
  const languages = row.languages.length > 3 ? `${row.languages.length}` : row.languages.join(", ");
  for (const text of [row.id, row.kind, languages, row.pinned ? `${row.state}, kept` : row.state]) {
    line.insertCell().textContent = text;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = row.state === "cold" ? "load" : "unload";
  button.onclick = () => move(row, button);
  line.insertCell().append(button);
  return line;
}

async function move(row, button) {
  button.disabled = true;
  const note = $("#models-note");
  tell(note, `${button.textContent}ing ${row.id} …`);
  try {
    if (row.state === "cold") {
      const body = JSON.stringify({ model_name: row.id });
      await answered(await ask("v1/models", { method: "POST", headers: { "Content-Type": "application/json" }, body }));
    } else {
      await answered(await ask(`v1/models/${encodeURIComponent(row.id)}`, { method: "DELETE" }));
    }
    tell(note, "");
  } catch (error) {
    tell(note, error.message, true);
  }
  refresh();
}

async function listVoices() {
  const model = $("#speak [name=model]").value;
  const query = model ? `?model=${encodeURIComponent(model)}` : "";
  const { voices } = await (await answered(await ask(`v1/audio/voices${query}`))).json();
  fill($("#voice"), voices);
}

async function refresh() {
  let health;
  try {
    health = await (await ask("health")).json();
  } catch {
    tell($("#health"), "the server does not answer", true);
    return;
  }
  tell($("#health"), `${health.status} · ${health.device || "starting"} · ${health.jobs} running`, health.status === "degraded");
  if (!wantsKey()) await listModels().catch((error) => tell($("#health"), error.message, true));
}

// --- Recordings ---

async function record(button) {
  if (button.recorder) {
    button.recorder.stop();
    return;
  }
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const pieces = [];
  const recorder = new MediaRecorder(stream);
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.onstop = () => {
    stream.getTracks().forEach((track) => track.stop());
    button.recorder = null;
    button.classList.remove("on");
    button.textContent = "● Record again";
    const form = document.getElementById(button.dataset.for);
    form.elements.file.value = ""; // what was recorded last is meant, not the file chosen before
    recorded[form.id] = new Blob(pieces, { type: recorder.mimeType });
    form.requestSubmit();
  };
  recorder.start();
  button.recorder = recorder;
  button.classList.add("on");
  button.textContent = "■ Stop";
}

function recordingOf(form) {
  const file = form.elements.file.files[0];
  const found = file || recorded[form.id];
  if (!found) throw new Error("choose a file or record something first");
  return found;
}

// --- Transcribe ---

async function transcribe(form) {
  const output = $("#heard");
  const recording = recordingOf(form);
  tell(output, "…");
  const body = new FormData();
  body.append("file", recording, recording.name || "recording");
  const streamed = form.elements.response_format.value === "stream";
  if (streamed) body.append("stream", "true");
  else body.append("response_format", form.elements.response_format.value);
  for (const name of ["model", "language"]) if (form.elements[name].value) body.append(name, form.elements[name].value);
  const response = await answered(await ask("v1/audio/transcriptions", { method: "POST", body }));
  if (!streamed) {
    tell(output, await response.text());
    return;
  }
  tell(output, "");
  for await (const event of events(response)) {
    if (event.type === "transcript.text.delta") output.textContent += event.delta;
    if (event.type === "error") throw new Error(event.error.message);
    if (event.type === "transcript.text.done") output.textContent = event.text || "(nothing was said)";
  }
}

async function* events(response) {
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

// --- Speak and enhance ---

function play(audio, blob) {
  if (audio.src) URL.revokeObjectURL(audio.src);
  audio.src = URL.createObjectURL(blob);
  audio.hidden = false;
}

async function speak(form) {
  const note = $("#spoken-note");
  tell(note, "…");
  const fields = Object.fromEntries(new FormData(form));
  const body = JSON.stringify({ ...fields, speed: Number(fields.speed), model: fields.model || undefined });
  const began = performance.now();
  const headers = { "Content-Type": "application/json" };
  const blob = await (await answered(await ask("v1/audio/speech", { method: "POST", headers, body }))).blob();
  play($("#spoken"), blob);
  tell(note, `${Math.round(blob.size / 1024)} kB in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  $("#spoken").play().catch(() => {}); // a browser may want a click first
  listVoices();
}

async function enhance(form) {
  const note = $("#cleaned-note");
  const recording = recordingOf(form);
  tell(note, "…");
  play($("#noisy"), recording);
  const began = performance.now();
  const blob = await (await answered(await ask("enhance", { method: "POST", body: recording }))).blob();
  play($("#cleaned"), blob);
  tell(note, `done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

// --- Start ---

for (const [id, note, work] of [["hear", "#heard", transcribe], ["speak", "#spoken-note", speak], ["clean", "#cleaned-note", enhance]]) {
  const form = document.getElementById(id);
  form.onsubmit = (event) => {
    event.preventDefault();
    withButton(form, $(note), () => work(form));
  };
  form.elements.file?.addEventListener("change", () => delete recorded[id]);
}
for (const button of document.querySelectorAll("button.record")) {
  button.onclick = () => record(button).catch((error) => tell($(button.dataset.for === "hear" ? "#heard" : "#cleaned-note"), `no microphone: ${error.message}`, true));
}
$("#speak [name=model]").onchange = () => listVoices().catch((error) => tell($("#spoken-note"), error.message, true));
function begin() {
  refresh();
  listVoices().catch(() => {});
}
document.addEventListener("keychange", begin);
begin();
setInterval(refresh, 5000);
