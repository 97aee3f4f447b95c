"""The output formats and the WAV header of PCM16. Imports no numpy."""

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
UNKNOWN = 0xFFFFFFFF
"""Size field of a stream of unknown length: players and decoders read to its end."""


def wav_header(rate: int, samples: int | None) -> bytes:
    """The WAV header (44 bytes) of mono PCM16 at `rate` Hz. `samples`: number of samples; None if not known yet.

    A recording too long for RIFF's 32 bit sizes (12 hours at 48 kHz) gets the size of an unknown length.
    """
    size = UNKNOWN if samples is None else samples * 2
    if size + 36 > UNKNOWN:
        size, riff = UNKNOWN, UNKNOWN
    else:
        riff = size + 36
    layout = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + layout + b"data" + struct.pack("<I", size)
