"""Events: what a job gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speechmlx.types.values import FunctionCall

SILENCE = 0.2
"""Seconds of a text that has no words."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its time in the recording and its probability; `text` keeps its leading space."""

    text: str
    start: float
    end: float
    confidence: float
    speaker: str | None = None
    """Who says it; None where speakers are not told apart."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of recognised speech."""

    text: str
    start: float
    end: float
    confidence: float
    """exp(mean token log-probability)."""
    words: tuple[Word, ...] = ()
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    logprobs: tuple[tuple[bytes, float], ...] = ()
    """UTF-8 of each text token and its log-probability, where the request asked for them and the model has them."""
    speaker: str | None = None
    """Who says it; None where speakers are not told apart."""
    emotion: str | None = None
    """How it is said, where the model tells: happy, sad, angry, neutral, fearful, disgusted or surprised."""
    sound: str | None = None
    """What is heard, where the model tells: speech, music, laughter or applause."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Words `committed` since the last one (never changed, each once), and the unsure `tail` (replaced)."""

    committed: tuple[Word, ...]
    tail: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """`speaker` talks from `start` to `end`; in a whole recording the turns of different speakers may overlap."""

    start: float
    end: float
    speaker: str
    """The name of a KnownSpeaker, else "0", "1", ... in the order in which they are first heard."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that is recognised before `position`, in seconds of the recording, was given: an equal request can go on.

    `state` is what the engine needs for it, as text, and nobody else reads it.
    """

    position: float
    state: str


@dataclass(frozen=True, slots=True)
class LanguageDetected:
    """ISO 639-1 code and its probability (1.0 when the client named it)."""

    language: str
    probability: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next piece of audio out: mono PCM16 at `rate` Hz."""

    pcm16: bytes
    rate: int

    @property
    def duration(self) -> float:
        return len(self.pcm16) / 2 / self.rate

    @classmethod
    def silence(cls, rate: int, seconds: float = SILENCE) -> Chunk:
        """Seconds of nothing; by default as a text without a word sounds, such as "…"."""
        return cls(bytes(2 * round(seconds * rate)), rate)


@dataclass(frozen=True, slots=True)
class WordTime:
    """When a word of a text is said. `text`: as it is written, with the signs beside it: "$5-$10." """

    text: str
    start: float
    end: float
    """Seconds of the job's sound."""
    first: int
    last: int
    """The characters of the request's text, text[first:last], with the marks of Markdown or SSML between them."""


@dataclass(frozen=True, slots=True)
class WordTimes:
    """The words that end in the `Chunk` after this event. Each word of the text comes once, in order."""

    words: tuple[WordTime, ...]


@dataclass(frozen=True, slots=True)
class TextFlushed:
    """All text before a `FlushText` is in the chunks before this event."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of generated text, and the number of tokens generated since the last one."""

    text: str
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class Probability:
    """Of speech in (`start`, `end`) for a VAD, of a finished turn at `end` for a turn detector."""

    value: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What the job cost: seconds of audio in and out, tokens read and written."""

    audio_in: float = 0.0
    audio_out: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    cut_off: bool = False
    """The limit of tokens, or the end of the model's context, ended the text."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch or a load is: `done` of `total` (bytes or steps), and of what."""

    stage: Literal["fetch", "convert", "load", "warm_up"]
    done: int
    total: int
    detail: str = ""


Event = (
    Segment
    | Hypothesis
    | SpeakerTurn
    | Checkpoint
    | LanguageDetected
    | Chunk
    | WordTimes
    | TextFlushed
    | TextDelta
    | FunctionCall
    | Probability
    | Usage
    | Progress
)
