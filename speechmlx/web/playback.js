// Plays the answers of a conversation while they come, and knows how much of each was heard.

export class Playback {
  items = []; // {item, start, end} in samples since the first
  total = 0;
  position = 0;

  constructor(rate, onchange) {
    Object.assign(this, { rate, onchange });
    this.context = new AudioContext({ sampleRate: rate });
    this.ready = this.open();
  }

  async open() {
    await this.context.audioWorklet.addModule("web/pcm-output.js");
    this.node = new AudioWorkletNode(this.context, "pcm-output", { numberOfInputs: 0, processorOptions: { keeps: false } });
    this.node.port.onmessage = ({ data }) => ("skipped" in data ? this.skipped?.(data.skipped) : this.at(data.position));
    this.node.connect(this.context.destination);
    this.context.resume();
  }

  get isPlaying() {
    return this.position < this.total;
  }

  async add(item, samples) {
    const last = this.items.at(-1);
    if (last?.item === item) last.end += samples.length;
    else this.items.push({ item, start: this.total, end: this.total + samples.length });
    this.total += samples.length;
    await this.ready;
    this.node.port.postMessage({ samples: Float32Array.from(samples, (value) => value / 32768) });
  }

  // Drops what is not played yet. Gives {item, ms}: what of which item was heard, or null where nothing was playing.
  async skip() {
    await this.ready;
    const place = await new Promise((done) => {
      this.skipped = done;
      this.node.port.postMessage({ skip: true });
    });
    const heard = place - (this.context.outputLatency || 0) * this.rate;
    const playing = this.items.find(({ start, end }) => place >= start && place < end);
    this.items = [];
    this.at(this.total);
    return playing ? { item: playing.item, ms: Math.max(0, Math.round(((heard - playing.start) * 1000) / this.rate)) } : null;
  }

  at(position) {
    const was = this.isPlaying;
    this.position = position;
    while (this.items.length > 1 && this.items[0].end <= position) this.items.shift();
    if (was !== this.isPlaying) this.onchange();
  }

  close() {
    this.context.close();
    this.total = this.position;
  }
}
