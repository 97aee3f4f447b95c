// A clip in a list: play, what it is, its wave, and what can be done with it.

import { clock, element, tell } from "./dom.js";
import { player } from "./player.js";
import { drawPeaks } from "./wave.js";

const GO = '<svg viewBox="0 0 24 24" aria-hidden="true" class="go"><path d="M8 5.5v13l11-6.5z"/></svg><svg viewBox="0 0 24 24" aria-hidden="true" class="halt"><path d="M7.5 5.5v13M16.5 5.5v13"/></svg>';

export class ClipRow {
  constructor(clip, { words, about = "", actions = [], play = () => player.play(clip) }) {
    this.clip = clip;
    this.about = about;
    this.button = element("button", { type: "button", className: "round small", innerHTML: GO });
    this.button.onclick = () => (this.isPlaying ? player.pause() : play());
    this.wave = element("canvas", { className: "wave" });
    this.wave.setAttribute("aria-hidden", "true");
    this.told = element("p", { className: "about" });
    this.actions = element("div", { className: "actions" }, ...actions);
    this.line = element("li", { className: "clip" }, this.button, element("p", { className: "words" }, words), this.wave, this.told, this.actions);
    this.title = typeof words === "string" ? words : words.textContent;
    this.show = () => this.draw();
    clip.addEventListener("change", this.show);
    for (const name of ["change", "time"]) player.addEventListener(name, this.show);
    this.watcher = new ResizeObserver(this.show);
    this.watcher.observe(this.wave);
  }

  get isPlaying() {
    return player.clip === this.clip && player.isPlaying;
  }

  draw() {
    const mine = player.clip === this.clip;
    this.button.toggleAttribute("data-playing", this.isPlaying);
    this.button.setAttribute("aria-label", `${this.isPlaying ? "Pause" : "Play"}: ${this.title.slice(0, 60)}`);
    const length = this.clip.duration;
    tell(this.told, [length ? clock(length) : "", this.about].filter(Boolean).join(" · "));
    drawPeaks(this.wave, this.clip.peaks.length ? this.clip.peaks : [0.1], mine && length ? player.position / length : 1);
  }

  remove() {
    this.clip.removeEventListener("change", this.show);
    for (const name of ["change", "time"]) player.removeEventListener(name, this.show);
    this.watcher.disconnect();
    if (player.clip === this.clip) player.close();
    this.clip.release();
    this.line.remove();
  }
}
