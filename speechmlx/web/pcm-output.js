// Plays samples while they come. It is told {samples}, {seek}, {skip}, {end} and {playing}; all places are samples since
// the first. It posts {position, over} about 20 times a second, and {skipped} with the place where it skipped the rest.
// With `keeps` what was played can be played again.

const REPORT = 0.05; // seconds

class PcmOutput extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.keeps = processorOptions.keeps;
    this.pieces = []; // of samples
    this.index = 0; // of the piece that is played, which begins at `start`
    this.start = 0;
    this.total = 0;
    this.position = 0;
    this.playing = true;
    this.ended = false;
    this.silent = 0; // samples since the last report
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take(told) {
    if (told.samples) {
      this.pieces.push(told.samples);
      this.total += told.samples.length;
    }
    if ("playing" in told) this.playing = told.playing;
    if (told.end) this.ended = true;
    if ("seek" in told) this.seek(told.seek);
    if (told.skip) {
      this.port.postMessage({ skipped: this.position });
      this.seek(this.total);
    }
    this.report();
  }

  seek(place) {
    if (this.keeps) this.index = this.start = 0;
    this.position = Math.max(this.start, Math.min(this.total, place));
    while (this.index < this.pieces.length && this.position - this.start >= this.pieces[this.index].length) this.next();
  }

  next() {
    this.start += this.pieces[this.index].length;
    if (this.keeps) this.index++;
    else this.pieces.shift();
  }

  process(_, [[output]]) {
    if (this.playing) this.fill(output);
    this.silent += output.length;
    if (this.silent >= REPORT * sampleRate) this.report();
    return true;
  }

  fill(output) {
    let filled = 0;
    while (filled < output.length && this.index < this.pieces.length) {
      const piece = this.pieces[this.index];
      const offset = this.position - this.start;
      const part = piece.subarray(offset, offset + output.length - filled);
      output.set(part, filled);
      filled += part.length;
      this.position += part.length;
      if (offset + part.length === piece.length) this.next();
    }
  }

  report() {
    this.silent = 0;
    this.port.postMessage({ position: this.position, over: this.ended && this.position >= this.total });
  }
}

registerProcessor("pcm-output", PcmOutput);
