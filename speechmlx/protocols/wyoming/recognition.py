"""Recognition: the audio of one request goes to a session, whose words come back while the person speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wyoming.asr import Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.event import Event

from speechmlx import languages
from speechmlx.conversation.commands import Append, Command, Configure, Finish
from speechmlx.conversation.events import Event as SessionEvent
from speechmlx.conversation.events import Failed, SpeechStarted, TranscriptDelta, TranscriptDone, TranscriptFailed
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings, Transcription, TurnTaking
from speechmlx.errors import EngineLost, SpeechError
from speechmlx.models.spec import Model
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_meter import LiveMeter, note_event
from speechmlx.protocols.wyoming.framing import WIRE, Write
from speechmlx.protocols.wyoming.requests import RecognitionRequest, SampleFormat, WidthConverter
from speechmlx.runtime.channel import Channel
from speechmlx.types import Kind

SILENCE = 0.8
"""Seconds of silence that end a turn inside a command. A pause to think is shorter."""
PROGRESS = 1.0
"""Seconds of audio between two samples of the lag."""
WAITING = 2 * 1024 * 1024
"""Bytes of audio that wait here before the client waits."""


def settings_for(
    request: RecognitionRequest, row: Model, format: SampleFormat, default: Model | None = None
) -> Settings:
    """The settings of a session that recognises with the model `row`, which knows the language.

    Where that is the `default` one and the client names none, live words come from the default one for those.
    """
    language = languages.asked(request.language)
    transcription = Transcription(
        model=None if row == default and request.model is None else row.name,
        language=None if language is None else languages.heard(language, row.languages),
        whole=True,
        keywords=request.keywords,
    )
    turns = TurnTaking(silence=SILENCE, answers=False, interrupts=False)
    return Settings(
        transcribes_only=True, input=format.as_live, progress=PROGRESS, turns=turns, transcription=transcription
    )


def model_for(request: RecognitionRequest, services: Services, installed: Sequence[Model]) -> Model:
    """The model of a request: the one it names, else the default, else the first installed one with its language.

    Raises UnknownModel and LicenceNotAccepted, and Unsupported for a language that is in none of them.
    """
    row, _ = services.names.usable(request.model, Kind.ASR)
    language = languages.asked(request.language)
    if language is None or languages.heard(language, row.languages):
        return row
    others = () if request.model else installed
    for other in others:
        if languages.match(language, other.languages):
            return other
    known = dict.fromkeys(code for model in (row, *others) for code in model.languages)
    raise languages.refusal(language, known, row.name)


@dataclass
class HeardTurn:
    """The text of one turn: what came while the person spoke, and, once the turn is over, its transcript."""

    heard: str = ""
    transcript: str | None = None


class RecognitionWire:
    """The words of one recognition as Wyoming's events. `settings` are those of its session. Does no I/O.

    Turns are told in their order: the words of the next one wait until one is over.
    """

    def __init__(self, settings: Settings, format: SampleFormat) -> None:
        self._settings = settings
        self._format = format
        self._converter = WidthConverter(format.width)
        self._language = settings.transcription.language if settings.transcription else None
        self._turns: dict[str, HeardTurn] = {}
        """By item, in order: the turn that is told, and those after it."""
        self._told = ""
        """What was told of the first of them."""
        self._text = ""
        """The text of the turns that are over."""
        self._has_chunks = False
        self._is_started = False

    def receive(self, format: SampleFormat, data: bytes) -> Sequence[Command]:
        """The commands for the next bytes of audio; each may have another format."""
        commands: list[Command] = []
        if format != self._format:
            self._format, self._converter = format, WidthConverter(format.width)
            self._settings = replace(self._settings, input=format.as_live)
            commands.append(Configure(settings=self._settings))
        if samples := self._converter.push(data):
            commands.append(Append(audio=samples))
        return commands

    def send(self, event: SessionEvent) -> Sequence[Event]:
        """What the client gets for an event of the session."""
        match event:
            case SpeechStarted():
                self._turn(event.item)
            case TranscriptDelta(update=update):
                self._language = update.language or self._language
                self._turn(event.item).heard += update.text
                return self._tell()
            case TranscriptDone(transcript=transcript):
                self._language = transcript.language or self._language
                self._turn(event.item).transcript = transcript.text
                return self._tell()
        return ()

    def end(self) -> Sequence[Event]:
        """What the client gets after the last event of the session: always a transcript.

        Its text is that of the chunks, except where a turn was recognised again and read otherwise.
        """
        return [*self._start(), TranscriptStop().event(), Transcript(self._text, language=self._language).event()]

    def _turn(self, item: str) -> HeardTurn:
        return self._turns.setdefault(item, HeardTurn())

    def _tell(self) -> Sequence[Event]:
        """What can be told now of the first turns."""
        answers: list[Event] = []
        while self._turns:
            item, turn = next(iter(self._turns.items()))
            text = turn.heard.strip() if turn.transcript is None else turn.transcript
            if text.startswith(self._told) and (fresh := text[len(self._told) :]):
                space = " " if self._has_chunks and not self._told else ""
                answers += [*self._start(), TranscriptChunk(space + fresh).event()]
                self._told, self._has_chunks = text, True
            if turn.transcript is None:
                break
            self._text += f" {text}" if self._text and text else text
            self._told = ""
            del self._turns[item]
        return answers

    def _start(self) -> Sequence[Event]:
        started, self._is_started = self._is_started, True
        return () if started else (TranscriptStart(language=self._language).event(),)


class WyomingRecognition:
    """One request for a transcript. `run` it while `push` and `finish` give the audio."""

    def __init__(self, services: Services, settings: Settings, format: SampleFormat, write: Write) -> None:
        self._services = services
        self._settings = settings
        self._write = write
        self._wire = RecognitionWire(settings, format)
        self._audio: Channel[tuple[SampleFormat, bytes]] = Channel(WAITING, lambda piece: 256 + len(piece[1]))
        self._meter = LiveMeter(WIRE, services.runtime.metrics, charge=services.usage.audio)

    async def push(self, format: SampleFormat, data: bytes) -> None:
        """The next audio. Waits while much of it waits, unless `run` has ended."""
        await self._audio.send((format, data))

    def finish(self) -> None:
        """No more audio comes."""
        self._audio.end()

    async def run(self) -> None:
        """Write the words as they come, and the transcript at the end. Raises SpeechErrors and OSError."""
        try:
            async with self._services.sessions.session(WIRE):
                await self._recognise()
        finally:
            self._audio.end()

    async def _recognise(self) -> None:
        lost: SpeechError | None = None
        async with TranscriptionSession(self._services.runtime, self._settings) as session:
            feeding = asyncio.create_task(self._feed(session))
            try:
                async for event in session.events():
                    match event:
                        case Failed(error=EngineLost()):
                            lost = event.error  # the session goes on in the next engine process
                        case Failed() | TranscriptFailed():
                            raise event.error
                        case TranscriptDone():
                            lost = None
                    self._meter.event(event)
                    note_event(event)
                    await self._write(self._wire.send(event))
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
        if lost is not None:
            raise lost
        await self._write(self._wire.end())

    async def _feed(self, session: TranscriptionSession) -> None:
        async for format, data in self._audio:
            for command in self._wire.receive(format, data):
                await session.send(command)
                if isinstance(command, Append):
                    self._meter.audio(format.as_live.seconds(len(command.audio)))
        await session.send(Finish())
