// Wave forms: peaks of samples, drawn as bars.

const BAR = 3, GAP = 2; // CSS pixels

function prepared(canvas) {
  const scale = devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  const size = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.fillStyle = getComputedStyle(canvas).color;
  return { context, width, height };
}

function bar({ context, height }, x, level) {
  const tall = Math.max(2, level * height);
  context.beginPath();
  context.roundRect(x, (height - tall) / 2, BAR, tall, BAR / 2);
  context.fill();
}

// The newest `levels` (0 to 1) at the right edge.
export function drawLive(canvas, levels) {
  const surface = prepared(canvas);
  const count = Math.floor(surface.width / (BAR + GAP));
  const shown = levels.slice(-count);
  shown.forEach((level, n) => bar(surface, surface.width - (shown.length - n) * (BAR + GAP), level));
}

// All of a recording; what is after `played` (0 to 1) is pale.
export function drawPeaks(canvas, peaks, played = 1) {
  const surface = prepared(canvas);
  const count = Math.max(1, Math.floor(surface.width / (BAR + GAP)));
  const top = Math.max(0.05, ...peaks);
  for (let n = 0; n < count; n++) {
    const [from, to] = [Math.floor((n * peaks.length) / count), Math.ceil(((n + 1) * peaks.length) / count)];
    let level = 0;
    for (let at = from; at < Math.min(to, peaks.length); at++) level = Math.max(level, peaks[at]);
    surface.context.globalAlpha = (n + 0.5) / count <= played ? 1 : 0.35;
    bar(surface, n * (BAR + GAP), (level / top) * 0.95);
  }
}

export const PEAKS = 50; // for each second

// Peaks of `samples` at `rate`, PEAKS a second.
export function peaksOf(samples, rate) {
  const step = Math.max(1, Math.round(rate / PEAKS));
  const peaks = [];
  for (let start = 0; start < samples.length; start += step) {
    let top = 0;
    for (let n = start; n < Math.min(samples.length, start + step); n++) top = Math.max(top, Math.abs(samples[n]));
    peaks.push(top);
  }
  return peaks;
}
