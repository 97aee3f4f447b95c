"""A spoken question answered by a speech-to-speech model, where there is one: it takes the pipeline's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from speechmlx.audio.resample import resample
from speechmlx.conversation.engines import Engines, has_default
from speechmlx.conversation.items.item import Item, recording
from speechmlx.conversation.response.cascade import Clause, Piece, Said
from speechmlx.conversation.response.synthesis import voiced
from speechmlx.conversation.settings import Answering
from speechmlx.conversation.voices import candidates
from speechmlx.types import Audio, Chunk, Kind, Priority, Respond, TextDelta, Usage


def possible(engines: Engines) -> bool:
    """Whether there is a model that answers speech with speech."""
    return has_default(engines, Kind.S2S)


def question(engines: Engines, items: tuple[Item, ...]) -> Audio | None:
    """What was said last, if it was said aloud and there is a model for it: one that is written has the pipeline."""
    return recording(items[-1]) if items and possible(engines) else None


async def answer(engines: Engines, audio: Audio, answering: Answering) -> AsyncGenerator[Piece, None]:
    """TextDelta* and, when spoken, the audio after each as its clause; Usage. Raises SpeechErrors."""
    rate, voice = engines.model(None, Kind.S2S).rate, answering.voice
    if audio.rate != rate:
        audio = Audio(await asyncio.to_thread(resample, audio.samples, audio.rate, rate), rate)

    def asked(name: str | None) -> Respond:
        instructions = answering.instructions or None
        return Respond(
            audio=audio,
            voice=name,
            language=voice.language,
            instructions=instructions,
            priority=Priority.REALTIME,
        )

    said = False
    strange = voice.required and len(candidates(voice.name)) == 1
    names = (voice.name,) if strange else (voice.name, None)
    async with aclosing(voiced(engines, asked, names)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                yield event
                if answering.spoken:
                    if said:
                        yield Said()
                    yield Clause(event.text)
                    said = True
            elif isinstance(event, Chunk) and answering.spoken:
                if not said:
                    yield Clause("")
                    said = True
                yield event
            elif isinstance(event, Usage):
                yield event
    if said:
        yield Said()
