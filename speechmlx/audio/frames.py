"""Finds MP3 and AAC (ADTS) streams by their frame headers. Such files have no file header."""

from __future__ import annotations

import re
from typing import NamedTuple

ENOUGH = 3
"""Consecutive frames with matching headers that make a stream. Fewer count only if they fill the file."""
REACH = ENOUGH * 8192
"""Largest size of ENOUGH frames in bytes."""
SYNC = re.compile(rb"\xff(?=[\xe2-\xff])")

RATES = (44100, 48000, 32000)
KBITS = {
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates in kbit/s for the header values 1 to 14, by (is MPEG 1, layer). MPEG 2 and 2.5 share a row."""


class FrameStream(NamedTuple):
    """A run of frames: the offset of the first, and whether it is AAC or MP3."""

    at: int
    aac: bool


class _Frame(NamedTuple):
    size: int
    same: tuple[int, ...]
    """The fields that the headers of all frames of a stream share."""
    aac: bool


def begins(head: bytes) -> bool:
    """Whether `head` (7 bytes suffice) begins with the header of a frame."""
    return _frame(head[:7]) is not None


def find(data: bytes, within: int) -> FrameStream | None:
    """The first run of frames that begins within the first `within` bytes."""
    for sync in SYNC.finditer(data, 0, within):
        if (frame := _run(data, sync.start())) is not None:
            return FrameStream(sync.start(), frame.aac)
    return None


def _run(data: bytes, at: int) -> _Frame | None:
    """The frame at `at` if ENOUGH matching frames follow it, or if one or two frames reach exactly to the end."""
    first = following = _frame(data[at : at + 7])
    place = at
    for count in range(1, ENOUGH + 1):
        if following is None or first is None or following.same != first.same:
            return None
        place += following.size
        if place == len(data) and (count > 1 or at == 0):
            return first
        following = _frame(data[place : place + 7]) if count < ENOUGH else None
    return first


def _frame(head: bytes) -> _Frame | None:
    """Parse the header of a frame [7 bytes]."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        known = size >= 7 and head[2] >> 2 & 15 < 13
        return _Frame(size, (head[1], head[2] & 0xFD, head[3] & 0xC0), True) if known else None
    version, layer, rate = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3), head[2] >> 2 & 3
    step, first = head[2] >> 4, version == 3
    if version == 1 or rate == 3 or not 0 < step < 15 or (first, layer) not in KBITS:
        return None
    hertz = RATES[rate] >> (0 if first else 1 if version == 2 else 2)
    samples = 1152 if first or layer == 2 else 576
    size = samples // 8 * KBITS[first, layer][step - 1] * 1000 // hertz + (head[2] >> 1 & 1)
    return _Frame(size, (head[1], rate, int(head[3] >> 6 == 3)), False)
