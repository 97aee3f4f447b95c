"""The silence around what is spoken clause by clause, cut to what one speaker would leave there.

A synthesiser takes each clause for a whole utterance: Kokoro begins with 0.3 s of silence, which a listener waits for,
and ends with half a second. Between the words of one sentence that is a stumble.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np

from speechmlx.text import CLAUSE_STOPS, CLOSERS, STOPS
from speechmlx.types import Chunk

QUIET = 164
"""Of a sample of PCM16: -46 dB, below which is silence."""
LEAD = 0.05
"""Seconds kept before the first sound: soft onsets are below QUIET."""
AFTER_SENTENCE, AFTER_CLAUSE, AFTER_PHRASE = 0.4, 0.25, 0.05
"""Seconds kept after the last sound."""


def pause_after(text: str) -> float:
    """Seconds of silence that a speaker leaves after `text`, by its last mark."""
    last = text.rstrip().rstrip(CLOSERS)[-1:]
    if (last and last in STOPS) or text.endswith("\n"):
        return AFTER_SENTENCE
    return AFTER_CLAUSE if last and last in CLAUSE_STOPS else AFTER_PHRASE


async def paced(chunks: AsyncIterator[Chunk], pause: float) -> AsyncGenerator[Chunk, None]:
    """The same sound with at most LEAD seconds of silence before it and `pause` after; nothing but silence stays whole.

    Silence inside is given out when the sound after it comes.
    """
    held, begun, rate = np.zeros(0, "<i2"), False, 0
    async for chunk in chunks:
        rate = chunk.rate
        held = np.concatenate([held, np.frombuffer(chunk.pcm16, "<i2")])
        loud = np.flatnonzero((held > QUIET) | (held < -QUIET))
        if not loud.size:
            continue
        start = 0 if begun else max(0, int(loud[0]) - round(LEAD * rate))
        end, begun = int(loud[-1]) + 1, True
        yield Chunk(held[start:end].tobytes(), rate)
        held = held[end:]
    if begun:
        held = held[: round(pause * rate)]
    if held.size:
        yield Chunk(held.tobytes(), rate)
