// Speech from the server, while it is made.

import { sent } from "./server.js";
import { WavReader } from "./wav.js";

// Requests speech and adds it to `clip` as it comes; `onfirst` is called with the first sound.
export async function streamSpeech({ input, voice, model, speed = 1 }, clip, signal, onfirst) {
  const body = { input, speed, response_format: "wav", ...(voice && { voice }), ...(model && { model }) };
  const response = await sent("v1/audio/speech", body, "POST", signal);
  const wav = new WavReader();
  const reader = response.body.getReader();
  let isFirst = true;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const samples = wav.read(value);
      if (!samples?.length) continue;
      clip.add(samples, wav.rate);
      if (isFirst) onfirst();
      isFirst = false;
    }
  } finally {
    clip.end();
  }
}
