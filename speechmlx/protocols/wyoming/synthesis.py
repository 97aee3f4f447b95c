"""Synthesis: a text that is there as a whole, or one that still arrives, becomes audio while the client waits."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.tts import SynthesizeStopped

from speechmlx import languages
from speechmlx.conversation.response.written_speech import speak_audibly
from speechmlx.conversation.response.written_text import TimedText
from speechmlx.errors import BadRequest, TooLarge
from speechmlx.models.spec import Model
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.wyoming.framing import WIRE, Write
from speechmlx.protocols.wyoming.requests import VoiceRequest
from speechmlx.runtime.channel import Channel
from speechmlx.types import Chunk, Kind, Priority, Speak

PIECE = 0.1
"""Longest audio of one event in seconds."""


@dataclass(frozen=True)
class SpeechPlan:
    """How a text is spoken; `speech` has no text yet. `rate`: of the audio, in Hz."""

    speech: Speak
    rate: int


def plan_for(request: VoiceRequest, services: Services, rows: Sequence[Model]) -> SpeechPlan:
    """The model, voice and language of a request. `rows`: the models that can speak, the default one first.

    The name is a voice's, or a model's: then `speaker` names its voice. A language alone means the default voice of
    the first model that speaks it. Raises UnknownModel, UnknownVoice, LicenceNotAccepted, BadRequest
    and Unsupported.
    """
    row, voice = _row_and_voice(request, rows or (services.runtime.model(None, Kind.TTS),))
    language = None if request.name else languages.asked(request.language)
    if language is not None:
        found = next((row for row in rows if languages.match(language, row.languages)), None)
        if found is None:
            known = dict.fromkeys(code for row in rows for code in row.languages)
            raise languages.refusal(language, known, row.name)
        row = found
    services.runtime.licences.check(row)
    speech = Speak(
        text="",
        model=row.name,
        voice=row.voices.resolve(voice),
        language=language,
        priority=Priority.REALTIME,
    )
    return SpeechPlan(speech, row.rate)


def _row_and_voice(request: VoiceRequest, rows: Sequence[Model]) -> tuple[Model, str | None]:
    """The model that speaks, and the name of its voice; None: its default."""
    name = request.name
    if name is None:
        return rows[0], request.speaker
    if of_model := next((row for row in rows if row.name == name.lower()), None):
        return of_model, request.speaker
    if request.speaker not in (None, name):
        raise BadRequest(f"the voice {name!r:.100} has no speaker {request.speaker!r:.100}: leave it out")
    owner = next((row for row in rows if row.voices.has(name)), rows[0])
    return owner, name


class SynthesisWire:
    """The audio of one synthesis as Wyoming's events. Does no I/O. `streamed`: the text came in chunks."""

    def __init__(self, rate: int, streamed: bool) -> None:
        self._rate = rate
        self._streamed = streamed
        self._samples = 0
        """Samples given out."""
        self._is_started = False

    def send(self, chunk: Chunk) -> Iterator[Event]:
        """What the client gets for audio, in pieces of at most PIECE seconds."""
        self._rate = chunk.rate
        yield from self._start()
        step = 2 * max(1, round(PIECE * chunk.rate))
        for at in range(0, len(chunk.pcm16), step):
            piece, begin = chunk.pcm16[at : at + step], 1000 * self._samples // chunk.rate
            self._samples += len(piece) // 2
            yield AudioChunk(chunk.rate, 2, 1, piece, timestamp=begin).event()

    def end(self) -> Iterator[Event]:
        """What the client gets after the last audio. A blank text is audio without chunks."""
        yield from self._start()
        yield AudioStop(timestamp=1000 * self._samples // self._rate).event()
        if self._streamed:
            yield SynthesizeStopped().event()

    def _start(self) -> Iterator[Event]:
        if not self._is_started:
            self._is_started = True
            yield AudioStart(self._rate, 2, 1, timestamp=0).event()


class WyomingSynthesis:
    """One request for speech. `run` it while `push` and `finish` give the text; `streamed`: in more than one piece."""

    def __init__(self, services: Services, plan: SpeechPlan, streamed: bool, write: Write) -> None:
        self.streamed = streamed
        self._services = services
        self._plan = plan
        self._write = write
        self._text = Channel[TimedText]()
        self._length = 0
        """Bytes of text so far."""

    def push(self, text: str) -> None:
        """More text. Raises TooLarge."""
        self._length += len(text.encode())
        if self._length > (limit := self._services.config.max_text_bytes):
            raise TooLarge(f"the text is longer than {limit} bytes, the limit (max_text_bytes)")
        self._text.put(TimedText(text, time.monotonic()))

    def finish(self) -> None:
        """The text is complete."""
        self._text.end()

    async def run(self) -> None:
        """Write the audio as it comes. Raises SpeechErrors and OSError."""
        wire = SynthesisWire(self._plan.rate, self.streamed)
        try:
            async with (
                self._services.sessions.session(WIRE),
                aclosing(self._speak_stream() if self.streamed else self._speak_whole()) as chunks,
            ):
                async for chunk in chunks:
                    for event in wire.send(chunk):
                        await self._write([event])
            await self._write(list(wire.end()))
        finally:
            self._text.end()

    async def _speak_whole(self) -> AsyncGenerator[Chunk, None]:
        text = "".join([written.text async for written in self._text])
        if not text.strip():
            return
        async with self._services.runtime.submit(replace(self._plan.speech, text=text)) as job:
            async for event in job:
                if isinstance(event, Chunk):
                    yield event

    async def _speak_stream(self) -> AsyncGenerator[Chunk, None]:
        """A clause that cannot be spoken is silent; an error only where no clause has sound."""
        spoken = speak_audibly(self._services.runtime, self._plan.speech, self._text)
        async with aclosing(spoken) as pieces:
            async for piece in pieces:
                if isinstance(piece, Chunk):
                    yield piece
