"""Where a verb's work is done: in engines of its own, or on a server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from speechmlx.library.results import SpokenAnswer
from speechmlx.recognition import RecognitionResult
from speechmlx.types import Chunk, Hypothesis, WordTimes

OnProgress = Callable[[float], None]
"""Is called with the part of a recording that is done, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class HearingOptions:
    """How speech is recognised: as the arguments of `Speech.transcribe`."""

    model: str | None = None
    language: str | None = None
    translate: bool = False
    words: bool = False
    diarize: bool = False
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SpeakingOptions:
    """How a text is spoken: as the arguments of `Speech.speak`."""

    model: str | None = None
    voice: str | None = None
    language: str | None = None
    speed: float = 1.0


@dataclass(frozen=True, kw_only=True)
class TalkingOptions:
    """How a conversation goes: as the arguments of `Speech.converse`."""

    instructions: str = ""
    model: str | None = None
    voice: str | None = None
    language: str | None = None
    interrupts: bool = True
    """Speech stops the answer under way."""


@dataclass(frozen=True)
class PersonSpeaks:
    """A person begins to speak."""


@dataclass(frozen=True)
class PersonSaid:
    """A turn of the person is over."""

    text: str


@dataclass(frozen=True)
class AnswerText:
    """More of an answer's text."""

    text: str


@dataclass(frozen=True)
class AnswerSound:
    """More of an answer's sound: mono PCM16 at TALK_RATE."""

    pcm16: bytes


@dataclass(frozen=True)
class AnswerOver:
    """An answer is over: "completed", "cancelled" where the person interrupted, "failed", "incomplete"."""

    status: str
    error: str | None = None


@dataclass(frozen=True)
class TalkTrouble:
    """Something failed; the conversation goes on."""

    message: str


TalkEvent = PersonSpeaks | PersonSaid | AnswerText | AnswerSound | AnswerOver | TalkTrouble
TALK_RATE = 24000
"""Hz of the sound of a conversation, both ways."""
LISTEN_RATE = 16000
"""Hz of live speech that is only recognised."""


class LiveSpeech(Protocol):
    """Live recognition: mono PCM16 at LISTEN_RATE goes in; iterate for the words."""

    async def feed(self, pcm16: bytes) -> None:
        """The next audio."""

    async def finish(self) -> None:
        """No more audio comes: the iteration ends once all is recognised."""

    def __aiter__(self) -> AsyncIterator[Hypothesis]:
        """The words. Raises SpeechError."""


class LiveTalk(Protocol):
    """A conversation: the microphone's mono PCM16 at TALK_RATE goes in; iterate for what happens."""

    async def feed(self, pcm16: bytes) -> None:
        """The next audio."""

    async def finish(self) -> None:
        """No more audio comes: the iteration ends once all is answered."""

    def __aiter__(self) -> AsyncIterator[TalkEvent]:
        """What happens. Raises SpeechError."""


class Backend(Protocol):
    """What can be done with speech. Every method raises SpeechError."""

    async def transcribe(
        self, recording: Path, options: HearingOptions, turns: bool, on_progress: OnProgress
    ) -> RecognitionResult:
        """Recognise a file. `turns`: who speaks when is needed, too."""

    def speak(self, text: str, options: SpeakingOptions) -> AsyncGenerator[Chunk, None]:
        """Speak a text; its sound comes as it is made."""

    def speak_timed(self, text: str, options: SpeakingOptions) -> AsyncGenerator[Chunk | WordTimes, None]:
        """As `speak`, with the times of its words."""

    def enhance(self, recording: Path, model: str | None) -> AsyncGenerator[Chunk, None]:
        """Reduce the noise of a file; its sound comes as it is made."""

    async def respond(self, recording: Path, options: SpeakingOptions) -> SpokenAnswer:
        """Answer a spoken question."""

    def listen(self, options: HearingOptions) -> AbstractAsyncContextManager[LiveSpeech]:
        """Recognise live speech in a block."""

    def talk(self, options: TalkingOptions) -> AbstractAsyncContextManager[LiveTalk]:
        """Converse in a block."""
