"""The settings of a live conversation, for every wire. Times are float seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.items.item import Item
from speechmlx.types import Pronunciation, SpeakerOptions

PCM16_24K = AudioFormat()
MAX_WAIT = {"low": 8.0, "medium": 4.0, "high": 2.0}
"""Seconds of silence after which a turn is over, whatever the turn detector thinks, by eagerness."""


@dataclass(frozen=True, kw_only=True)
class TurnTaking:
    """How turns are detected. `eagerness` None: by `silence` alone; else a turn detector decides as well."""

    threshold: float = 0.5
    """Probability of speech from which on a frame is speech."""
    prefix: float = 0.3
    """Audio kept from before the first speech."""
    silence: float = 0.5
    """Silence that ends a turn."""
    eagerness: Literal["low", "medium", "high"] | None = None
    answers: bool = True
    """A finished turn starts a response."""
    interrupts: bool = True
    """Speech stops the response under way."""
    idle_timeout: float | None = None
    """Silence after a response that counts as a turn."""


@dataclass(frozen=True, kw_only=True)
class Transcription:
    """How turns are transcribed for the client. Answered turns are transcribed in any case."""

    model: str | None = None
    language: str | None = None
    languages: tuple[str, ...] = ()
    task: Literal["transcribe", "translate"] = "transcribe"
    """"translate": into English."""
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    speakers: SpeakerOptions | None = None
    """Words name their speaker. None: speakers are not told apart."""
    words: bool = False
    """Word times also for a turn that is recognised whole."""
    whole: bool = False
    """A turn's transcript is recognised from its whole audio where another model gave its live words."""
    logprobs: bool = False


@dataclass(frozen=True, kw_only=True)
class VoiceSettings:
    """How an answer sounds."""

    name: str | None = None
    """As the client wrote it; None: the synthesiser's default voice. An unknown name is an error."""
    language: str | None = None
    """ISO 639-1 code; None: the voice's."""
    speed: float = 1.0
    pronunciations: tuple[Pronunciation, ...] = ()
    """How some words are said."""
    format: AudioFormat = PCM16_24K


@dataclass(frozen=True, kw_only=True)
class Answering:
    """How a response is made: of a session, and changed for one response."""

    instructions: str = ""
    spoken: bool = True
    """Audio and its transcript; else text alone."""
    voice: VoiceSettings = VoiceSettings()
    max_tokens: int | None = None
    temperature: float | None = None
    """None: the likeliest word."""
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] = "auto"
    """"auto", "none", "required" or {"name": ...}."""
    forgets: bool = True
    """Of a conversation that is longer than the model takes, the oldest is left out; else it is an error."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set about a session."""

    transcribes_only: bool = False
    """Transcribe and never answer."""
    input: AudioFormat = PCM16_24K
    progress: float | None = None
    """Seconds of audio between two Advanced events. None: there are none."""
    clean: bool = False
    """Reduce noise before anything hears the audio."""
    turns: TurnTaking | None = TurnTaking()
    transcription: Transcription | None = None
    translate_to: str | None = None
    """ISO 639-1 code: transcripts that are reported are translated into this language, too. None: they are not."""
    answering: Answering = Answering()
    model: str | None = None
    """The language model."""

    @property
    def answers(self) -> bool:
        """Whether a turn that the detector finds is answered."""
        return self.turns is not None and self.turns.answers and not self.transcribes_only


@dataclass(frozen=True, kw_only=True)
class ResponseRequest:
    """One response that the client asked for."""

    answering: Answering
    input: tuple[Item | str, ...] | None = None
    """Instead of the history: items, or ids of items in it."""
    out_of_band: bool = False
    """Not part of the conversation: nothing of it enters the history."""
    metadata: Mapping[str, str] = field(default_factory=dict)
