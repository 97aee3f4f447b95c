"""Values that requests, commands and events are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]


class Kind(StrEnum):
    """What a model does."""

    ASR = "asr"
    TTS = "tts"
    S2S = "s2s"
    ENHANCE = "enhance"
    VAD = "vad"
    TURN = "turn"
    LLM = "llm"
    DIARIZE = "diarize"
    ALIGN = "align"
    LID = "lid"


class Priority(IntEnum):
    """Who steps first: a live conversation, a person waiting, a batch of files."""

    REALTIME = 0
    INTERACTIVE = 1
    BULK = 2


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono float32 `samples` [n] at `rate` Hz."""

    samples: Samples
    rate: int

    @property
    def duration(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class NamedVoice:
    """A voice that the model has, by its name; a blend of several where the model mixes voices."""

    name: str


@dataclass(frozen=True, slots=True)
class ReferenceVoice:
    """A voice to imitate: a recording of a person who says `text`. `id` is the same for the same recording."""

    audio: Audio
    text: str
    id: str


Voice = NamedVoice | ReferenceVoice


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """How a word or a phrase is said: like other words, or by phonemes; one of the two is not empty."""

    spelling: str
    """In lower case: however it is written. With capitals: as it is written here, and all in capitals."""
    sounds_like: str = ""
    """Words of the same language: "win" for "Nguyen"."""
    phonemes: str = ""
    """IPA, with Kokoro's letters for diphthongs and affricates or without."""
    language: str = ""
    """BCP 47 tag in lower case; "": any language."""


@dataclass(frozen=True, slots=True)
class KnownSpeaker:
    """A person whose voice is known from a recording of their speech alone."""

    name: str
    audio: Audio


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    """How speakers are told apart: the fields of `Diarize` and `DiarizeStream`."""

    known: tuple[KnownSpeaker, ...] = ()
    """Persons to recognise by their voice; others are numbered."""
    max_speakers: int | None = None
    """None: as many as are found."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call of one of the client's functions, as an event of `Generate` and in a `Message`."""

    name: str
    arguments: str
    """JSON as the model wrote it, which may be invalid."""
    id: str = ""
    """Pairs the call with its result in a chat; empty in an event, as models know no ids."""


CALL_FRAME = 52
"""Characters that a chat template writes around the name and the arguments of a call: about so many."""


@dataclass(frozen=True)
class Message:
    """One message of a chat: text, or the function call that an assistant made instead of text."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    call_id: str = ""
    """Of a tool's message: the id of the call whose result `content` is."""
    call: FunctionCall | None = None

    @property
    def length(self) -> int:
        """Characters of its text, or about those of its call in a prompt."""
        return len(self.content) + (CALL_FRAME + len(self.call.name) + len(self.call.arguments) if self.call else 0)
