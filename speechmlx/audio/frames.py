"""MP3 and AAC (ADTS) frames, found by their headers: streams that have no other."""

from __future__ import annotations

import re
from typing import NamedTuple

ENOUGH = 3
"""Frames that follow one another and agree; fewer are a chance, unless they are all there is."""
REACH = ENOUGH * 8192
"""Bytes that ENOUGH frames may have at most."""
SYNC = re.compile(rb"\xff(?=[\xe2-\xff])")

RATES = (44100, 48000, 32000)
KBITS = {
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Of a frame, by whether it is MPEG 1 (else 2 or 2.5) and by its layer."""


class Stream(NamedTuple):
    """A run of frames: the offset of the first, and whether it is AAC or MP3."""

    at: int
    aac: bool


class _Frame(NamedTuple):
    size: int
    same: tuple[int, ...]
    """What the header of every frame of one stream has in common."""
    aac: bool


def find(data: bytes, within: int) -> Stream | None:
    """The first run of frames that begins within the first `within` bytes."""
    for sync in SYNC.finditer(data, 0, within):
        if (frame := _run(data, sync.start())) is not None:
            return Stream(sync.start(), frame.aac)
    return None


def _run(data: bytes, at: int) -> _Frame | None:
    """The frame at `at` where ENOUGH of its kind follow, or just two up to the very end (or one, that is all)."""
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
    """The frame that a header begins [7 bytes]."""
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
