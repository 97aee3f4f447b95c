"""A clause → its speech, in the wanted voice, with the silence around it cut to what one speaker would leave there.

A synthesiser takes each clause for a whole utterance: Kokoro begins with 0.3 s of silence, which a listener waits for,
and ends with half a second. Between the words of one sentence that is a stumble.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

import numpy as np

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.settings import Voice
from speechmlx.conversation.voices import candidates
from speechmlx.errors import UnknownVoice
from speechmlx.text import CLAUSE_STOPS, CLOSERS, STOPS
from speechmlx.types import Chunk, Event, Priority, Request, Speak

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


async def spoken(engines: Engines, text: str, voice: Voice, priority: Priority) -> AsyncGenerator[Chunk, None]:
    """`text` in the first of the wanted voices that the synthesiser has. Raises UnknownVoice where it has none."""

    def speak(name: str | None) -> Speak:
        return Speak(text=text, voice=name, language=voice.language, speed=voice.speed, priority=priority)

    names = candidates(voice.name) if voice.required else (*candidates(voice.name), None)
    async with aclosing(voiced(engines, speak, names)) as events:
        async for event in events:
            if isinstance(event, Chunk):
                yield event


async def voiced(
    engines: Engines, asked: Callable[[str | None], Request], names: Sequence[str | None]
) -> AsyncGenerator[Event, None]:
    """Events of a request in the first voice of `names` that its model has. Raises UnknownVoice where it has none."""
    for name in names:
        try:
            async with engines.submit(asked(name)) as job:
                async for event in job:
                    yield event
            return
        except UnknownVoice:
            if name == names[-1]:
                raise
