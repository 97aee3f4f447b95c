"""Whether the audio of a connection is headerless PCM or a container, from its first bytes."""

from __future__ import annotations

from typing import Literal

from speechmlx.audio import frames
from speechmlx.audio.sniff import sniff

MAGIC = 12
"""Bytes at the beginning of a container that name it."""
SYNC = 2
"""Bytes that mark a frame of MP3 or AAC."""

AudioKind = Literal["pcm", "container"]


def audio_kind(head: bytes, complete: bool = False) -> AudioKind | None:
    """What `head`, the first bytes of a connection, begins. None: more bytes are needed. `complete`: none come.

    Quiet PCM has many bytes 0xFF, with which MP3 and AAC begin as well: frames count only where one follows another.
    """
    if sniff(head) is not None or head.startswith(b"ID3"):
        return "container"
    if len(head) < MAGIC:
        return "pcm" if complete else None
    if not frames.begins(head):
        return "pcm"
    if frames.find(head, SYNC) is not None:
        return "container"
    return "pcm" if complete or len(head) >= frames.REACH else None
