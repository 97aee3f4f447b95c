"""Audio out: the formats there are, and the WAV header before PCM16. Imports no numpy."""

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
"""What `codecs.encoder` makes."""
UNKNOWN = 0xFFFFFFFF
"""The size of what is still being made; players and decoders read to the end."""


def wav_header(rate: int, samples: int | None) -> bytes:
    """The 44 bytes before mono PCM16 at `rate` Hz; `samples` None: length not known yet.

    A recording too long for RIFF's 32 bit sizes (12 hours at 48 kHz) is marked as of unknown length too.
    """
    size = UNKNOWN if samples is None else samples * 2
    if size + 36 > UNKNOWN:
        size, riff = UNKNOWN, UNKNOWN
    else:
        riff = size + 36
    layout = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + layout + b"data" + struct.pack("<I", size)
