// The microphone: opened with words for what may be wrong, its level and wave, and the choice of a device.

import { $, all, clock, element, remember, remembered } from "./dom.js";
import { player } from "./player.js";
import { drawLive } from "./wave.js";

const CLOSED = "Browsers allow the microphone only on https pages and on localhost. Open this page there, or start the server with --tls-self-signed.";

export async function openMicrophone() {
  if (!navigator.mediaDevices) throw new Error(CLOSED);
  if (player.clip) player.pause(); // or it would be heard
  const chosen = remembered("microphone");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, ...(chosen && { deviceId: { exact: chosen } }) } });
  } catch (error) {
    if (error.name !== "OverconstrainedError") throw error;
    remember("microphone", ""); // it is not here any more
    stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  }
  listMicrophones();
  return stream;
}

// PCM16 of the microphone at `rate`, 100 ms at a time, to `take(buffer)`; null: that was all.
export class PcmMicrophone {
  async open(rate, take, onlost) {
    this.stream = await openMicrophone();
    this.stream.getAudioTracks()[0].onended = onlost; // it was unplugged
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("web/pcm-input.js");
    this.source = this.context.createMediaStreamSource(this.stream);
    this.node = new AudioWorkletNode(this.context, "pcm-input", { processorOptions: { rate } });
    this.node.port.onmessage = ({ data }) => take(data);
    this.source.connect(this.node).connect(this.context.destination);
    this.context.resume();
  }

  finish() {
    this.node.port.postMessage("end");
  }

  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    this.context = null;
  }
}

// Draws the level of `stream` until `stop()`: a wave and a clock in `live`, and `onlevel` with 0 to 1.
export class Meter {
  constructor(stream, { live = null, onlevel = null } = {}) {
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.samples = new Float32Array(1024);
    this.levels = [];
    this.began = performance.now();
    Object.assign(this, { live, onlevel, isOn: true });
    if (live) live.hidden = false;
    this.step();
  }

  step() {
    if (!this.isOn) return;
    this.analyser.getFloatTimeDomainData(this.samples);
    const level = Math.min(1, 1.6 * Math.sqrt(Math.sqrt(this.samples.reduce((sum, one) => sum + one * one, 0) / 1024)));
    this.onlevel?.(level);
    if (this.live) {
      this.levels.push(level ** 2);
      this.levels.splice(0, this.levels.length - 600);
      drawLive($("canvas", this.live), this.levels);
      $("time", this.live).textContent = clock((performance.now() - this.began) / 1000);
    }
    requestAnimationFrame(() => this.step());
  }

  stop() {
    this.isOn = false;
    this.context.close();
    if (this.live) this.live.hidden = true;
    this.onlevel?.(0);
  }
}

// --- The choice ---

async function listMicrophones() {
  const found = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "audioinput" && one.label);
  for (const field of all("[data-microphones]")) {
    field.hidden = found.length < 2;
    const select = $("select", field);
    select.replaceChildren(...found.map((one) => element("option", { value: one.deviceId, textContent: one.label })));
    select.value = remembered("microphone");
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  }
}

for (const field of all("[data-microphones] select")) {
  field.onchange = () => {
    remember("microphone", field.value);
    all("[data-microphones] select").forEach((other) => (other.value = field.value));
  };
}
