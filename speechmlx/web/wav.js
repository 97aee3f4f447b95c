// WAV files: read while they come, and written from 16-bit samples.

const HEADER = 44;

// Takes the bytes of a 16-bit mono WAV file in pieces of any size; gives its samples as they come.
export class WavReader {
  rate = 0;

  constructor() {
    this.held = new Uint8Array(0);
  }

  // Int16Array of the samples that are complete; null before the header is.
  read(bytes) {
    const joined = new Uint8Array(this.held.length + bytes.length);
    joined.set(this.held);
    joined.set(bytes, this.held.length);
    this.held = joined;
    if (!this.rate && !this.readHeader()) return null;
    const whole = this.held.length - (this.held.length % 2);
    const samples = new Int16Array(this.held.slice(0, whole).buffer);
    this.held = this.held.slice(whole);
    return samples;
  }

  readHeader() {
    const view = new DataView(this.held.buffer);
    let place = 12; // after RIFF, its size and WAVE
    let rate = 0;
    while (place + 8 <= view.byteLength) {
      const name = String.fromCharCode(...this.held.slice(place, place + 4));
      if (name === "fmt " && place + 16 <= view.byteLength) rate = view.getUint32(place + 12, true);
      if (name === "data") {
        this.rate = rate;
        this.held = this.held.slice(place + 8);
        return true;
      }
      place += 8 + view.getUint32(place + 4, true);
    }
    return false;
  }
}

// The file of `pieces` of 16-bit samples, mono.
export function wavBlob(pieces, rate) {
  const size = 2 * pieces.reduce((sum, piece) => sum + piece.length, 0);
  const view = new DataView(new ArrayBuffer(HEADER));
  const write = (place, text) => [...text].forEach((letter, n) => view.setUint8(place + n, letter.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, HEADER - 8 + size, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // mono
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, size, true);
  return new Blob([view, ...pieces], { type: "audio/wav" });
}
