"""The output formats and the WAV header of PCM16 and G.711. Imports no numpy."""

from __future__ import annotations

import struct

MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
"""The formats of `codecs.encoder`, with their media types."""
TAGS = {"pcm16": (1, 2), "alaw": (6, 1), "ulaw": (7, 1)}
"""WAVE format tag and bytes of a sample by encoding."""
UNKNOWN = 0xFFFFFFFF
"""Size field of a stream of unknown length: players and decoders read to its end."""


def wav_header(rate: int, samples: int | None, encoding: str = "pcm16") -> bytes:
    """The WAV header (44 bytes) of mono sound at `rate` Hz, in an encoding of TAGS.

    `samples`: number of samples; None if not known yet.

    A recording too long for RIFF's 32 bit sizes (12 hours at 48 kHz) gets the size of an unknown length.
    """
    tag, width = TAGS[encoding]
    size = UNKNOWN if samples is None else samples * width
    if size + 36 > UNKNOWN:
        size, riff = UNKNOWN, UNKNOWN
    else:
        riff = size + 36
    layout = struct.pack("<IHHIIHH", 16, tag, 1, rate, rate * width, width, 8 * width)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + layout + b"data" + struct.pack("<I", size)
