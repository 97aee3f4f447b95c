// Brings the microphone to `rate` Hz and posts it as 16-bit samples, 100 ms at a time. The message "end" makes it post
// the rest, then null.

const LOBES = 12; // of the filter, on each side
const PHASES = 160; // places between two input samples at which the filter is known; 44.1 kHz has so many

// Low-pass filters, one for each phase: what lies above half the lower rate would come back as noise.
function filters(step) {
  const cutoff = Math.min(1, 1 / step) * 0.92;
  const reach = Math.ceil(LOBES / cutoff);
  const taps = [];
  for (let phase = 0; phase <= PHASES; phase++) {
    const filter = Float32Array.from({ length: 2 * reach }, (_, n) => {
      const distance = n - reach + 1 - phase / PHASES;
      const angle = Math.PI * cutoff * distance;
      const window = Math.abs(distance) < reach ? 0.5 + 0.5 * Math.cos((Math.PI * distance) / reach) : 0;
      return (angle ? Math.sin(angle) / angle : 1) * cutoff * window;
    });
    taps.push(filter);
  }
  return { taps, reach };
}

class PcmInput extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.step = sampleRate / processorOptions.rate;
    Object.assign(this, filters(this.step));
    this.held = new Float32Array(this.reach); // silence before the first sample
    this.position = this.reach; // in `held`, of the next output sample
    this.piece = new Int16Array(processorOptions.rate / 10);
    this.filled = 0;
    this.running = true;
    this.port.onmessage = () => this.end();
  }

  process([channels]) {
    if (channels.length) this.take(channels);
    return this.running;
  }

  take(channels) {
    const size = channels[0].length;
    const joined = new Float32Array(this.held.length + size);
    joined.set(this.held);
    for (const channel of channels) {
      for (let n = 0; n < size; n++) joined[this.held.length + n] += channel[n] / channels.length;
    }
    while (Math.floor(this.position) + this.reach < joined.length) {
      this.put(this.sample(joined));
      this.position += this.step;
    }
    const done = Math.max(0, Math.floor(this.position) - this.reach);
    this.held = joined.subarray(done);
    this.position -= done;
  }

  sample(input) {
    const whole = Math.floor(this.position);
    const filter = this.taps[Math.round((this.position - whole) * PHASES)];
    let sum = 0;
    for (let n = 0, at = whole - this.reach + 1; n < filter.length; n++, at++) sum += filter[n] * input[at];
    return sum;
  }

  put(value) {
    this.piece[this.filled++] = Math.max(-1, Math.min(1, value)) * 32767;
    if (this.filled === this.piece.length) this.post();
  }

  post() {
    const buffer = this.piece.slice(0, this.filled).buffer;
    this.port.postMessage(buffer, [buffer]);
    this.filled = 0;
  }

  end() {
    if (this.running && this.filled) this.post();
    this.running = false;
    this.port.postMessage(null);
  }
}

registerProcessor("pcm-input", PcmInput);
