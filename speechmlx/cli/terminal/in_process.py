"""A Backend of engines of its own, by the library."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from speechmlx.cli.terminal.backend import (
    LISTEN_RATE,
    TALK_RATE,
    AnswerOver,
    AnswerSound,
    AnswerText,
    HearingOptions,
    OnProgress,
    PersonSaid,
    PersonSpeaks,
    SpeakingOptions,
    TalkEvent,
    TalkingOptions,
    TalkTrouble,
)
from speechmlx.conversation.events import (
    Event,
    Failed,
    OutputAudio,
    OutputText,
    ResponseDone,
    SpeechStarted,
    TranscriptDone,
    TranscriptFailed,
)
from speechmlx.conversation.settings import TurnTaking
from speechmlx.library import AsyncSpeech
from speechmlx.library.listening import AsyncListening
from speechmlx.library.results import Recognised, SpokenAnswer
from speechmlx.library.talking import AsyncTalk
from speechmlx.types import Chunk, Hypothesis, WordTimes


class InProcess:
    """The engines of this machine, whose process starts with `speech` and ends with it."""

    def __init__(self, speech: AsyncSpeech) -> None:
        self._speech = speech

    async def transcribe(
        self, recording: Path, options: HearingOptions, turns: bool, on_progress: OnProgress
    ) -> Recognised:
        call = self._speech.transcribe(recording, **asdict(options))
        async with call:
            async for segment in call:
                on_progress(segment.end / max(call.so_far.duration, segment.end))
        return call.so_far

    async def speak(self, text: str, options: SpeakingOptions) -> AsyncGenerator[Chunk, None]:
        async with self._speech.speak(text, **asdict(options)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def speak_timed(self, text: str, options: SpeakingOptions) -> AsyncGenerator[Chunk | WordTimes, None]:
        async with self._speech.speak(text, **asdict(options)) as chunks:
            async for chunk in chunks:
                yield chunk
            yield WordTimes(chunks.so_far.words)

    async def enhance(self, recording: Path, model: str | None) -> AsyncGenerator[Chunk, None]:
        async with self._speech.enhance(recording, model=model) as chunks:
            async for chunk in chunks:
                yield chunk

    async def respond(self, recording: Path, options: SpeakingOptions) -> SpokenAnswer:
        return await self._speech.respond(
            recording, model=options.model, voice=options.voice, language=options.language
        )

    @asynccontextmanager
    async def listen(self, options: HearingOptions) -> AsyncIterator[OwnListening]:
        given = asdict(options)
        del given["words"]  # live words always have times
        async with self._speech.listen(**given) as live:
            yield OwnListening(live)

    @asynccontextmanager
    async def talk(self, options: TalkingOptions) -> AsyncIterator[OwnTalk]:
        given = asdict(options)
        turns = TurnTaking(interrupts=given.pop("interrupts"))
        async with self._speech.converse(**given, turns=turns) as talk:
            yield OwnTalk(talk)


class OwnListening:
    """A LiveSpeech of own engines."""

    def __init__(self, live: AsyncListening) -> None:
        self._live = live

    async def feed(self, pcm16: bytes) -> None:
        await self._live.feed(pcm16, LISTEN_RATE)

    async def finish(self) -> None:
        await self._live.finish()

    def __aiter__(self) -> AsyncIterator[Hypothesis]:
        return aiter(self._live)


class OwnTalk:
    """A LiveTalk of own engines."""

    def __init__(self, talk: AsyncTalk) -> None:
        self._talk = talk

    async def feed(self, pcm16: bytes) -> None:
        await self._talk.feed(pcm16, TALK_RATE)

    async def finish(self) -> None:
        await self._talk.finish()

    async def __aiter__(self) -> AsyncIterator[TalkEvent]:
        async for event in self._talk:
            if (told := talk_event(event)) is not None:
                yield told


def talk_event(event: Event) -> TalkEvent | None:
    """What an event of a session means at a terminal; None: nothing."""
    match event:
        case SpeechStarted():
            return PersonSpeaks()
        case TranscriptDone(transcript=transcript):
            return PersonSaid(transcript.text.strip())
        case OutputText(text=text):
            return AnswerText(text)
        case OutputAudio(audio=audio):
            return AnswerSound(audio)
        case ResponseDone(response=response):
            return AnswerOver(response.status, None if response.error is None else str(response.error))
        case Failed(error=error) | TranscriptFailed(error=error):
            return TalkTrouble(str(error))
    return None
