"""A tone in every audio format that the server reads, encoded by ffmpeg."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import OutputContainer

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
        channels = [samples] if layout == "mono" else [samples, np.zeros_like(samples)]
        frame = av.AudioFrame.from_ndarray(np.stack(channels), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        write(file, stream, frame)
    return out.getvalue()


def write(file: OutputContainer, stream: Any, frame: av.AudioFrame) -> None:
    """Write `frame` to an audio stream of `file`, in the stream's sample format and frame size, and end the stream."""
    context = stream.codec_context
    resampler = av.AudioResampler(context.format, frame.layout, frame.sample_rate, frame_size=context.frame_size)
    for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
        file.mux(stream.encode(piece))


def loudness_at(samples: np.ndarray, rate: int, frequency: float) -> float:
    """Amplitude of `frequency` Hz in the second that begins half a second in."""
    middle = samples[rate // 2 : rate // 2 + rate]
    return 2 * abs(np.mean(middle * np.exp(-2j * np.pi * frequency * np.arange(len(middle)) / rate)))
