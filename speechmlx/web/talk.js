// The tab Talk: a conversation over /v1/realtime. The answer stops when the person speaks, and the server is told how
// much of it was heard.

import { $, copy, element, saveText, showError, tell } from "./dom.js";
import { Meter, PcmMicrophone } from "./microphone.js";
import { server, socket } from "./server.js";
import { Playback } from "./playback.js";
import { VoiceButton } from "./voices.js";

const RATE = 24000;
const STATES = {
  opening: "Opening the microphone …", connecting: "Connecting …", listening: "Listening. Speak.", hearing: "I hear you …",
  thinking: "Thinking …", speaking: "Speaking. Talk over it to stop it.", typing: "Write a message, or press the microphone.", off: "Press the microphone and speak.",
};

function base64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(text);
}

class Conversation {
  turns = new Map(); // item id → its words
  cut = new Set(); // items that were interrupted
  state = "connecting";

  constructor(voice, onstate) {
    Object.assign(this, { voice, onstate });
    this.playback = new Playback(RATE, () => this.showState());
  }

  // Resolves once the session is there. `over` resolves when it ends, with the reason or "".
  open() {
    this.socket = socket("v1/realtime", { model: "local" });
    return new Promise((ready, failed) => {
      this.over = new Promise((done) => {
        this.socket.onclose = ({ code, reason }) => {
          const why = this.isClosed ? "" : this.problem || (code === 1006 ? "Can't reach the server, or the connection broke." : `The server closed the connection: ${reason || code}`);
          failed(new Error(why));
          this.close();
          done(why);
        };
      });
      this.socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.type === "session.updated") ready();
        this.take(event);
      };
    });
  }

  configure() {
    const patient = $("#talk-patient").checked;
    const format = { type: "audio/pcm", rate: RATE };
    this.send("session.update", {
      session: {
        type: "realtime",
        output_modalities: ["audio"],
        instructions: $("#talk-instructions").value.trim() || $("#talk-instructions").placeholder,
        audio: {
          input: { format, transcription: {}, turn_detection: { type: patient ? "semantic_vad" : "server_vad" } },
          output: { format, ...(this.voice && { voice: this.voice }) },
        },
      },
    });
  }

  async listen() {
    this.microphone = new PcmMicrophone();
    await this.microphone.open(RATE, (data) => data && this.send("input_audio_buffer.append", { audio: base64(data) }), () => this.close());
    const onlevel = (level) => $("#talk-button").style.setProperty("--level", (1 + 0.35 * level).toFixed(3));
    this.meter = new Meter(this.microphone.stream, { onlevel });
    this.set("listening");
  }

  async say(text) {
    if (this.playback.isPlaying) await this.interrupt();
    this.send("conversation.item.create", { item: { type: "message", role: "user", content: [{ type: "input_text", text }] } });
    if (this.isAnswering) this.send("response.cancel");
    this.send("response.create");
    this.set("thinking");
  }

  send(type, fields = {}) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, ...fields }));
  }

  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket.close();
    this.microphone?.close();
    this.meter?.stop();
    this.playback.close();
  }

  // --- what the server says ---

  take(event) {
    const handler = HANDLERS[event.type];
    if (handler) handler.call(this, event);
  }

  // The sound stops now, and the history keeps what was heard of it.
  async interrupt() {
    const heard = await this.playback.skip();
    if (!heard) return;
    this.cut.add(heard.item);
    this.send("conversation.item.truncate", { item_id: heard.item, content_index: 0, audio_end_ms: heard.ms });
  }

  turn(id, who) {
    if (!this.turns.has(id)) {
      const words = element("span", { className: "said" });
      const line = element("li", { className: who === "You" ? "question" : "answer" }, element("b", { textContent: who }), words);
      this.turns.set(id, words);
      $("#talk-empty").hidden = true;
      $("#talk-turns").append(line);
    }
    return this.turns.get(id);
  }

  write(words, text) {
    const list = $("#talk-turns");
    const isAtEnd = list.scrollTop + list.clientHeight > list.scrollHeight - 60;
    tell(words, text);
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }

  // --- the state ---

  set(state) {
    this.state = state;
    this.showState();
  }

  showState() {
    const rest = this.microphone ? "listening" : "typing";
    let shown = this.state;
    if (shown !== "hearing" && this.playback.isPlaying) shown = "speaking";
    else if (shown === "speaking") shown = rest;
    else if (shown === "listening") shown = rest;
    const waiting = shown === "thinking" && server.waiting("asr", "llm", "tts", "s2s", "vad", "turn");
    this.onstate(waiting || STATES[shown]);
  }
}

const HANDLERS = {
  "session.created"() { this.configure(); },
  "input_audio_buffer.speech_started"(event) {
    if (this.playback.isPlaying) this.interrupt();
    this.turn(event.item_id, "You").classList.add("pending");
    this.write(this.turn(event.item_id, "You"), "…");
    this.set("hearing");
  },
  "input_audio_buffer.speech_stopped"() { this.set("thinking"); },
  "conversation.item.added"({ item }) {
    const text = item.role === "user" && item.content.find((part) => part.type === "input_text");
    if (text) this.write(this.turn(item.id, "You"), text.text);
  },
  "conversation.item.input_audio_transcription.completed"(event) {
    const words = this.turn(event.item_id, "You");
    words.classList.remove("pending");
    this.write(words, event.transcript.trim() || "(no words)");
  },
  "conversation.item.input_audio_transcription.failed"(event) {
    this.write(this.turn(event.item_id, "You"), "(not understood)");
    showError($("#talk-error"), event.error.message);
  },
  "response.created"() { this.isAnswering = true; },
  "response.output_audio_transcript.delta"(event) {
    if (this.cut.has(event.item_id)) return;
    const words = this.turn(event.item_id, "Answer");
    this.write(words, words.textContent + event.delta);
  },
  "response.output_audio.delta"(event) {
    if (this.cut.has(event.item_id)) return;
    const bytes = Uint8Array.from(atob(event.delta), (letter) => letter.charCodeAt(0));
    this.playback.add(event.item_id, new Int16Array(bytes.buffer));
    if (this.state !== "hearing") this.set("speaking");
  },
  "response.done"({ response }) {
    this.isAnswering = false;
    const error = response.status_details?.error;
    if (error) showError($("#talk-error"), error.message);
    if (this.state === "thinking") this.set("listening");
  },
  // The person spoke over it: show what of it was heard.
  "conversation.item.truncated"(event) { this.send("conversation.item.retrieve", { item_id: event.item_id }); },
  "conversation.item.retrieved"({ item }) {
    const words = this.turn(item.id, "Answer");
    this.write(words, item.content[0]?.transcript || "");
    if (!words.parentElement.querySelector("small")) words.after(element("small", { textContent: "You interrupted here." }));
  },
  error(event) {
    this.problem = event.error.message;
    showError($("#talk-error"), event.error.message);
  },
};

export function start() {
  let conversation = null; // the one under way
  const pressed = $("#talk-button");
  const voice = new VoiceButton($("#talk-voice"), "talk");
  const show = (text) => tell($("#talk-state"), text);
  const text = () => [...$("#talk-turns").children].map((line) => [...line.children].map((part) => part.textContent).join(": ")).join("\n");

  function set(isListening) {
    pressed.setAttribute("aria-pressed", String(isListening));
    pressed.setAttribute("aria-label", isListening ? "End the conversation" : "Start talking");
    $("#talk-copy").hidden = $("#talk-save").hidden = !$("#talk-turns").children.length;
  }

  async function begin() {
    showError($("#talk-error"), null);
    const mine = new Conversation(voice.voice, (told) => conversation === mine && show(told));
    conversation = mine;
    show(STATES.connecting);
    await mine.open();
    mine.over.then((why) => {
      if (conversation !== mine) return;
      conversation = null;
      set(false);
      show(STATES.off);
      if (why) showError($("#talk-error"), why);
    });
    return mine;
  }

  async function run(work) {
    try {
      await work();
    } catch (error) {
      conversation?.close();
      conversation = null;
      set(false);
      show(STATES.off);
      showError($("#talk-error"), error);
    }
  }

  pressed.onclick = () => run(async () => {
    if (conversation?.microphone) return conversation.close();
    set(true);
    const mine = conversation || (await begin());
    show(STATES.opening);
    await mine.listen();
  });
  $("#talk-form").onsubmit = (event) => {
    event.preventDefault();
    const said = $("#talk-text").value.trim();
    if (!said) return;
    $("#talk-text").value = "";
    run(async () => {
      await (conversation || (await begin())).say(said);
      set(pressed.getAttribute("aria-pressed") === "true");
    });
  };
  server.addEventListener("change", () => conversation?.showState());
  $("#talk-copy").onclick = (event) => copy(text(), event.currentTarget);
  $("#talk-save").onclick = () => saveText(`${text()}\n`, "conversation.txt");
}
