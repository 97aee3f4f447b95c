// The page at /: its tabs, and the state of the server in its head.

import { $, all, tell } from "./dom.js";
import { start as captions } from "./captions.js";
import { start as enhance } from "./enhance.js";
import { start as models } from "./models.js";
import { server } from "./server.js";
import { start as speak } from "./speak.js";
import { start as talk } from "./talk.js";
import { start as transcribe } from "./transcribe.js";

// --- Tabs ---

const tabs = all("[role=tab]");

function open(tab, focus = false) {
  for (const one of tabs) {
    const isOpen = one === tab;
    one.setAttribute("aria-selected", String(isOpen));
    one.tabIndex = isOpen ? 0 : -1;
    document.getElementById(one.getAttribute("aria-controls")).hidden = !isOpen;
  }
  if (focus) tab.focus();
  tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  document.title = `${tab.textContent} – speechmlx`;
}

function choose(tab, focus) {
  open(tab, focus);
  history.replaceState(null, "", `${location.pathname}${location.search}#${tab.getAttribute("aria-controls")}`);
}

function fromAddress() {
  open(tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) || tabs[0]);
}

tabs.forEach((tab, n) => {
  tab.onclick = () => choose(tab, false);
  tab.onkeydown = (event) => {
    const next = { ArrowRight: n + 1, ArrowLeft: n - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(tabs[next % tabs.length], true);
  };
});
addEventListener("hashchange", fromAddress);

// --- The head ---

function showHealth() {
  const { health } = server;
  const where = $("#health");
  where.classList.toggle("bad", !health || health.status === "degraded");
  if (!health) return tell(where, "Can't reach the server. Is it running?");
  const device = { "Device(gpu, 0)": "on the GPU", "Device(cpu, 0)": "on the CPU" }[health.device] || health.device;
  const state = { ok: "Ready", idle: "Resting", starting: "Starting" }[health.engine] || "The engine is starting again";
  const moving = server.waiting("asr", "tts", "llm", "s2s", "vad", "turn", "enhance", "diarize");
  tell(where, moving || (health.engine === "ok" && device ? `${state}, ${device}` : state));
}

server.addEventListener("change", showHealth);
for (const start of [talk, captions, transcribe, speak, enhance, models]) start();
fromAddress();
document.addEventListener("keychange", () => server.look());
server.look();
