"""Sound in every format that is read: a tone, encoded by ffmpeg."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np

RATE = 48000
SECONDS = 2
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE * SECONDS) / RATE)).astype(np.float32)

ENCODINGS = [
    ("wav", "pcm_u8"),
    ("wav", "pcm_s16le"),
    ("wav", "pcm_s24le"),
    ("wav", "pcm_s32le"),
    ("wav", "pcm_f32le"),
    ("wav", "pcm_f64le"),
    ("wav", "pcm_mulaw"),
    ("flac", "flac"),
    ("mp3", "libmp3lame"),
    ("ogg", "libopus"),
    ("ipod", "aac"),
    ("mp4", "aac"),
    ("adts", "aac"),
    ("webm", "libopus"),
    ("aiff", "pcm_s16be"),
    ("caf", "pcm_s16be"),
]


def encode(
    container: str,
    codec: str,
    layout: str = "mono",
    samples: np.ndarray = TONE,
    rate: int = RATE,
    options: dict[str, str] | None = None,
) -> bytes:
    """`samples` in any container; in stereo the right channel is silent."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options or {}) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        context = stream.codec_context
        channels = [samples] if layout == "mono" else [samples, np.zeros_like(samples)]
        frame = av.AudioFrame.from_ndarray(np.stack(channels), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(context.format, layout, rate, frame_size=context.frame_size)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            file.mux(stream.encode(piece))
    return out.getvalue()


def loudness_at(samples: np.ndarray, rate: int, frequency: float) -> float:
    """Amplitude of one frequency in the middle second."""
    middle = samples[rate // 2 : rate // 2 + rate]
    return 2 * abs(np.mean(middle * np.exp(-2j * np.pi * frequency * np.arange(len(middle)) / rate)))
