// What the player plays: a file, or speech while it is made. "change" tells of more sound, peaks and the end.

import { wavBlob } from "./wav.js";
import { peaksOf } from "./wave.js";

const MOST_DECODED = 40e6; // bytes of a file whose wave is drawn
const DRAWN_RATE = 8000, HEARD_RATE = 24000; // Hz

async function decoded(blob, rate) {
  const context = new OfflineAudioContext(1, 1, rate);
  return (await context.decodeAudioData(await blob.arrayBuffer())).getChannelData(0);
}

export class FileClip extends EventTarget {
  isWhole = true;
  peaks = [];
  duration = 0; // seconds; 0: not known yet

  constructor(title, blob) {
    super();
    Object.assign(this, { title, blob, url: URL.createObjectURL(blob) });
    this.ready = this.draw().catch(() => {}); // what a browser cannot decode, the server may
  }

  async draw() {
    if (this.blob.size > MOST_DECODED) return;
    const samples = await decoded(this.blob, DRAWN_RATE);
    this.peaks = peaksOf(samples, DRAWN_RATE);
    this.duration = samples.length / DRAWN_RATE;
    this.dispatchEvent(new Event("change"));
  }

  release() {
    URL.revokeObjectURL(this.url);
  }
}

// A recording of this page as a clip. A recorder's file has no length and cannot be sought, so it is played as WAV.
export async function recordedClip(title, blob) {
  const samples = await decoded(blob, HEARD_RATE);
  const whole = Int16Array.from(samples, (value) => Math.max(-1, Math.min(1, value)) * 32767);
  return new FileClip(title, wavBlob([whole], HEARD_RATE));
}

export class SpeechClip extends EventTarget {
  isWhole = false;
  peaks = [];
  duration = 0;
  rate = 0;
  pieces = []; // Int16Array

  constructor(title) {
    super();
    this.title = title;
  }

  add(samples, rate) {
    if (!samples.length) return;
    this.rate = rate;
    this.pieces.push(samples);
    this.duration += samples.length / rate;
    const floats = Float32Array.from(samples, (value) => value / 32768);
    this.peaks.push(...peaksOf(floats, rate));
    this.dispatchEvent(Object.assign(new Event("samples"), { samples: floats }));
    this.dispatchEvent(new Event("change"));
  }

  // There is no more. A clip that was broken off keeps what came.
  end() {
    this.isWhole = true;
    this.blob = wavBlob(this.pieces, this.rate || HEARD_RATE);
    this.url = URL.createObjectURL(this.blob);
    this.dispatchEvent(new Event("end"));
    this.dispatchEvent(new Event("change"));
  }

  release() {
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

