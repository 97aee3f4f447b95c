"""The responder for a model that answers speech with speech. A written question is left to the cascade."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing

from speechmlx.audio.resample import resample
from speechmlx.conversation.engines import Engines
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.items.item import Item, recording
from speechmlx.conversation.response.answer import (
    Answer,
    ClauseEnded,
    ClauseStarted,
    Piece,
    ResponseInput,
)
from speechmlx.conversation.response.cascade import Cascade
from speechmlx.conversation.settings import Answering
from speechmlx.types import Audio, Chunk, Event, Kind, Priority, Respond, TextDelta, Usage


class SpeechToSpeech:
    """Answers a recording with a speech-to-speech model, and any other input with the cascade."""

    kinds = (Kind.S2S,)

    def __init__(self, engines: Engines, cascade: Cascade) -> None:
        self._engines = engines
        self._cascade = cascade

    def needs_transcripts(self, items: tuple[Item, ...]) -> bool:
        return _question(items) is None

    def respond(self, input: ResponseInput) -> Answer:
        audio = _question(input.items)
        if audio is None:
            return self._cascade.respond(input)
        return Answer(answer(self._engines, audio, input.answering), audio.duration)

    def read_ahead(self, input: ResponseInput) -> None:
        """Nothing: the model takes the recording as a whole."""

    def draft(self, transcript: Awaitable[Transcript], input: Callable[[], ResponseInput | None]) -> None:
        """Nothing: the model takes the recording as a whole."""

    def drop_draft(self) -> None:
        """Nothing is drafted."""

    async def close(self) -> None:
        await self._cascade.close()


def _question(items: tuple[Item, ...]) -> Audio | None:
    """The last item's recording."""
    return recording(items[-1]) if items else None


async def answer(engines: Engines, audio: Audio, answering: Answering) -> AsyncGenerator[Piece, None]:
    """TextDelta* and, where it is spoken, the audio after each as its clause; Usage. Raises SpeechErrors."""
    model, voice = engines.model(None, Kind.S2S), answering.voice
    if audio.rate != model.rate:
        audio = Audio(await asyncio.to_thread(resample, audio.samples, audio.rate, model.rate), model.rate)
    request = Respond(
        audio=audio,
        voice=model.voices.resolve(voice.name),
        language=voice.language,
        instructions=answering.instructions or None,
        priority=Priority.REALTIME,
    )
    async with engines.submit(request) as job, aclosing(clauses(job, answering.spoken)) as pieces:
        async for piece in pieces:
            yield piece


async def clauses(events: AsyncIterable[Event], spoken: bool) -> AsyncGenerator[Piece, None]:
    """TextDelta* and, where it is spoken, the audio after each as its clause; Usage."""
    in_clause = False
    async for event in events:
        if isinstance(event, TextDelta):
            yield event
            if spoken:
                if in_clause:
                    yield ClauseEnded()
                yield ClauseStarted(event.text)
                in_clause = True
        elif isinstance(event, Chunk) and spoken:
            if not in_clause:
                yield ClauseStarted("")
                in_clause = True
            yield event
        elif isinstance(event, Usage):
            yield event
    if in_clause:
        yield ClauseEnded()
