"""The options of calls, checked, and the requests and settings that they become."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from speechmlx import languages
from speechmlx.conversation.engines import Engines, has_default
from speechmlx.conversation.llm.language_model import MAX_TOKENS
from speechmlx.conversation.settings import Answering, Settings, Transcription, TurnTaking, VoiceSettings
from speechmlx.errors import BadRequest
from speechmlx.models.spec import Model
from speechmlx.types import (
    Audio,
    Kind,
    Pronunciation,
    Respond,
    Speak,
    SpeakerOptions,
    Transcribe,
    Voice,
)

SPEED = (0.25, 4.0)
MAX_STEPS = 3000
MAX_TEMPERATURE = 2.0


@dataclass(frozen=True)
class TranscribeOptions:
    """How speech is recognised."""

    model: str | None
    language: str | None
    translate: bool
    words: bool
    speakers: SpeakerOptions | None
    prompt: str | None
    hotwords: tuple[str, ...]

    @property
    def task(self) -> Any:
        return "translate" if self.translate else "transcribe"

    def request(self, model: Model, audio: Audio) -> Transcribe:
        """The request for a recording at the model's rate. Raises Unsupported."""
        return Transcribe(
            model=model.name,
            audio=audio,
            language=recognised_language(model, self.language),
            task=self.task,
            prompt=self.prompt,
            hotwords=self.hotwords,
            words=self.words,
        )

    def check(self, engines: Engines, live: bool = False) -> Model:
        """The model, by default that of `live` recognition, before the recording is decoded.

        Raises UnknownModel and Unsupported.
        """
        model = engines.model(self.model, Kind.ASR, live)
        if self.speakers is not None:
            engines.model(None, Kind.DIARIZE)
        recognised_language(model, self.language)
        return model


@dataclass(frozen=True)
class SpeakOptions:
    """How a text is spoken."""

    text: str
    model: str | None
    voice: str | Voice | None
    language: str | None
    speed: float
    pronunciations: tuple[Pronunciation, ...]

    def request(self, model: Model) -> Speak:
        """The request. Raises BadRequest and UnknownVoice."""
        if not isinstance(self.text, str) or not self.text.strip():
            raise BadRequest("there is no text to speak")
        return Speak(
            model=model.name,
            text=self.text.strip(),
            voice=resolve_voice(model, self.voice),
            language=spoken_language(self.language),
            speed=check_speed(self.speed),
            pronunciations=self.pronunciations,
        )


@dataclass(frozen=True)
class RespondOptions:
    """How a spoken question is answered."""

    model: str | None
    voice: str | Voice | None
    language: str | None
    instructions: str | None
    max_steps: int

    def request(self, model: Model | None, speaker: Model, audio: Audio) -> Respond:
        """The request; `speaker` has the voices, `model` None: three models answer. Raises as `SpeakOptions` does."""
        return Respond(
            model=None if model is None else model.name,
            audio=audio,
            voice=resolve_voice(speaker, self.voice),
            language=spoken_language(self.language),
            instructions=self.instructions,
            max_steps=self.max_steps,
        )

    def check(self, speaker: Model) -> None:
        """Raises what `request` raises, before the recording is decoded, and BadRequest for `max_steps`."""
        if type(self.max_steps) is not int or not 1 <= self.max_steps <= MAX_STEPS:
            raise BadRequest(f"max_steps must be a whole number from 1 to {MAX_STEPS}, not {self.max_steps!r:.40}")
        resolve_voice(speaker, self.voice)


@dataclass(frozen=True)
class TalkOptions:
    """How a conversation goes."""

    instructions: str
    model: str | None
    voice: str | None
    language: str | None
    speed: float
    max_tokens: int | None
    temperature: float | None
    turns: TurnTaking


def listening(engines: Engines, options: TranscribeOptions, turns: TurnTaking) -> Settings:
    """The settings of a live transcription. Raises UnknownModel and Unsupported."""
    model = options.check(engines, live=True)
    transcription = Transcription(
        model=model.name,
        language=recognised_language(model, options.language),
        task=options.task,
        prompt=options.prompt,
        keywords=options.hotwords,
        speakers=options.speakers,
        words=True,
    )
    return Settings(transcribes_only=True, turns=turns, transcription=transcription)


def talking(engines: Engines, options: TalkOptions) -> Settings:
    """The settings of a conversation. Raises UnknownModel, UnknownVoice, Unsupported and BadRequest."""
    if options.model is not None:
        engines.model(options.model, Kind.LLM)
    if not has_default(engines, Kind.S2S):  # such a model may know other voices
        resolve_voice(engines.model(None, Kind.TTS), options.voice)
    heard = engines.model(None, Kind.ASR)
    check_answer(options.max_tokens, options.temperature)
    voice = VoiceSettings(
        name=options.voice, language=languages.code(options.language), speed=check_speed(options.speed)
    )
    answering = Answering(
        instructions=options.instructions,
        voice=voice,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
    )
    transcription = Transcription(language=recognised_language(heard, options.language), words=True)
    return Settings(turns=options.turns, transcription=transcription, answering=answering, model=options.model)


def speakers(diarize: bool | SpeakerOptions) -> SpeakerOptions | None:
    """How speakers are told apart; None: they are not."""
    if isinstance(diarize, SpeakerOptions):
        return diarize
    return SpeakerOptions() if diarize else None


def texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    """A list of texts. Raises BadRequest for one text, whose letters it would be."""
    if isinstance(values, str):
        raise BadRequest(f"{name} is a list of texts, not the text {values!r:.80}")
    return tuple(values)


def resolve_voice(model: Model, voice: str | Voice | None) -> Voice | None:
    """The voice of a name; a Voice as it is. Raises UnknownVoice."""
    return model.voices.resolve(voice) if isinstance(voice, str | None) else voice


def spoken_language(language: str | None) -> str | None:
    """The tag of a language to speak, with its region; None: the voice's."""
    asked = languages.asked(language)
    return None if asked is None else languages.tag(asked)


def check_speed(speed: Any) -> float:
    """Raises BadRequest where it is none."""
    low, high = SPEED
    if isinstance(speed, bool) or not isinstance(speed, int | float) or math.isnan(speed) or not low <= speed <= high:
        raise BadRequest(f"speed must be a number from {low:g} to {high:g}, not {speed!r:.40}")
    return float(speed)


def check_answer(max_tokens: Any, temperature: Any) -> None:
    """Raises BadRequest for limits that no answer can have."""
    if max_tokens is not None and (type(max_tokens) is not int or not 1 <= max_tokens <= MAX_TOKENS):
        raise BadRequest(f"max_tokens must be a whole number from 1 to {MAX_TOKENS}, not {max_tokens!r:.40}")
    if temperature is not None and not (type(temperature) in (int, float) and 0 <= temperature <= MAX_TEMPERATURE):
        raise BadRequest(f"temperature must be a number from 0 to {MAX_TEMPERATURE:g}, not {temperature!r:.40}")


def recognised_language(model: Model, language: str | None) -> str | None:
    """The code of a language to recognise; None detects it. Raises Unsupported where the model does not know it."""
    asked = languages.asked(language)
    if asked is not None and languages.heard(asked, model.languages) is None:
        raise languages.refusal(asked, model.languages, model.name)
    return languages.code(asked)
