// The one player at the bottom: files through an audio element, speech that is still made through an AudioWorklet.

import { $, clock, inWords, tell } from "./dom.js";
import { drawPeaks } from "./wave.js";

// Plays samples of `clip` while they come.
class StreamVoice {
  constructor(clip, onreport) {
    this.clip = clip;
    this.onreport = onreport;
    this.add = ({ samples }) => this.node.port.postMessage({ samples });
    this.end = () => this.node.port.postMessage({ end: true });
  }

  async start() {
    this.context = new AudioContext({ sampleRate: this.clip.rate });
    await this.context.audioWorklet.addModule("web/pcm-output.js");
    this.node = new AudioWorkletNode(this.context, "pcm-output", { numberOfInputs: 0, processorOptions: { keeps: true } });
    this.node.port.onmessage = ({ data }) => this.onreport(data.position / this.clip.rate, data.over);
    this.node.connect(this.context.destination);
    for (const piece of this.clip.pieces) this.add({ samples: Float32Array.from(piece, (value) => value / 32768) });
    this.clip.addEventListener("samples", this.add);
    this.clip.addEventListener("end", this.end);
    if (this.clip.isWhole) this.end();
  }

  set playing(playing) {
    if (playing) this.context.resume(); // a browser may want a click first: the next one is on the player
    this.node?.port.postMessage({ playing });
  }

  seek(seconds) {
    this.node?.port.postMessage({ seek: Math.round(seconds * this.clip.rate) });
  }

  close() {
    this.clip.removeEventListener("samples", this.add);
    this.clip.removeEventListener("end", this.end);
    this.context.close();
  }
}

class Player extends EventTarget {
  clip = null;
  position = 0; // seconds
  isPlaying = false;
  stream = null;

  constructor() {
    super();
    this.bar = $("#player");
    this.seekbar = $("#player-seek");
    this.audio = new Audio();
    this.audio.ontimeupdate = () => this.stream || this.at(this.audio.currentTime);
    this.audio.onended = () => this.stopped();
    this.audio.onpause = () => this.stream || this.set(false);
    this.audio.onplay = () => this.set(true);
    this.redraw = () => this.draw();
    $("#player-button").onclick = () => this.toggle();
    $("#player-close").onclick = () => this.close();
    this.seekbar.oninput = () => this.seek(Number(this.seekbar.value));
    new ResizeObserver(this.redraw).observe($("#player-wave"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.redraw);
  }

  // Shows `clip` in the player, from its beginning; the one before is left.
  load(clip) {
    if (this.clip === clip) return;
    this.leave();
    this.clip = clip;
    clip.addEventListener("change", this.redraw);
    this.position = 0;
    this.bar.hidden = false;
    tell($("#player-title"), clip.title);
    if (clip.isWhole) this.audio.src = clip.url;
    this.draw();
  }

  async play(clip = this.clip, from = null) {
    this.load(clip);
    if (!clip.isWhole && !this.stream) {
      const stream = new StreamVoice(clip, (position, over) => this.stream === stream && this.onStream(position, over));
      this.stream = stream;
      await stream.start();
      if (this.stream !== stream) return stream.close(); // something else was played meanwhile
    }
    if (from !== null) this.seek(from);
    if (this.stream) {
      this.stream.playing = true;
      return this.set(true);
    }
    try {
      await this.fromFile().play();
    } catch (error) {
      if (error.name === "NotSupportedError") throw new Error("This browser cannot play that format.");
      if (!["AbortError", "NotAllowedError"].includes(error.name)) throw error; // those: it was paused, or wants a click
    }
  }

  pause() {
    if (this.stream?.node) this.stream.playing = false;
    else this.audio.pause();
    this.set(false);
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play().catch((error) => tell($("#player-title"), inWords(error)));
  }

  seek(seconds) {
    if (this.stream && this.clip.isWhole) { // all is here now: on with the file
      const wasPlaying = this.isPlaying;
      this.endStream();
      this.fromFile().currentTime = seconds;
      if (wasPlaying) this.audio.play();
    } else if (this.stream) {
      this.stream.seek(seconds);
    } else {
      this.fromFile().currentTime = seconds;
    }
    this.at(seconds);
  }

  // Another clip of the same length from the same place, as before and after.
  swap(clip) {
    const { position, isPlaying } = this;
    if (this.clip === clip) return;
    this.load(clip);
    this.seek(position);
    if (isPlaying) this.play();
  }

  close() {
    this.leave();
    this.bar.hidden = true;
  }

  // --- within ---

  fromFile() {
    if (this.audio.src !== this.clip.url) this.audio.src = this.clip.url;
    return this.audio;
  }

  onStream(position, over) {
    this.at(position);
    if (!over) return;
    this.endStream();
    this.stopped();
  }

  endStream() {
    const stream = this.stream;
    this.stream = null;
    if (stream?.node) stream.close();
  }

  leave() {
    if (!this.clip) return;
    this.clip.removeEventListener("change", this.redraw);
    this.audio.pause();
    this.endStream();
    this.clip = null;
    this.set(false);
  }

  stopped() {
    this.set(false);
    this.at(0);
    if (this.clip?.isWhole) this.fromFile().currentTime = 0;
  }

  set(playing) {
    this.isPlaying = playing;
    const shown = $("#player-button");
    shown.toggleAttribute("data-playing", playing);
    shown.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.dispatchEvent(new Event("change"));
  }

  at(seconds) {
    this.position = seconds;
    this.draw();
    this.dispatchEvent(new Event("time"));
  }

  draw() {
    if (!this.clip) return;
    const length = this.clip.duration || (Number.isFinite(this.audio.duration) ? this.audio.duration : 0);
    this.seekbar.max = length;
    this.seekbar.value = this.position;
    this.seekbar.setAttribute("aria-valuetext", `${clock(this.position)} of ${clock(length)}`);
    const [now, whole] = $("#player-time").children;
    tell(now, clock(this.position));
    tell(whole, clock(length));
    drawPeaks($("#player-wave"), this.clip.peaks.length ? this.clip.peaks : [0.1], length ? this.position / length : 0);
  }
}

export const player = new Player();
