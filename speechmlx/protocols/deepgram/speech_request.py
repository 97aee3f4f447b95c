"""Who speaks: the model of a query of /v1/speak, which with Deepgram names the voice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speechmlx import languages
from speechmlx.errors import UnknownModel, UnknownVoice
from speechmlx.models.spec import Model
from speechmlx.protocols.http.model_names import ModelNames
from speechmlx.protocols.http.options import number, text
from speechmlx.types import Kind, Priority, Speak, Voice

AURA = re.compile(r"aura(-2)?-[a-z]+-(?P<language>[a-z]{2})")
"""Deepgram's names: voice and language."""
SPEED = (0.25, 4.0)


NAME = re.compile(r"[!-~]{1,100}")
"""A name that a header can hold."""


@dataclass(frozen=True)
class Speaker:
    """The model that speaks, its voice, and the name by which the client called them."""

    called: str
    model: Model
    voice: Voice | None
    language: str | None
    speed: float

    @property
    def name(self) -> str:
        """The client's name, or the model's where a header cannot hold that."""
        return self.called if NAME.fullmatch(self.called) else self.model.name

    def request(self, text: str, priority: Priority = Priority.INTERACTIVE) -> Speak:
        """The request to speak `text`."""
        return Speak(
            model=self.model.name,
            text=text,
            voice=self.voice,
            language=self.language,
            speed=self.speed,
            priority=priority,
        )


def speaker(query: Mapping[str, Any], names: ModelNames) -> Speaker:
    """The speaker that a query asks for: aura-NAME-LANGUAGE, one of our models, or a voice of the default model.

    Raises BadRequest, UnknownVoice and LicenceNotAccepted.
    """
    name, speed = (text(query, "model") or "").strip(), number(query, "speed", 1.0, *SPEED)
    default, _ = names.resolve(None, Kind.TTS)
    if not name:
        return Speaker(default.name, default, None, None, speed)
    if aura := AURA.fullmatch(name.lower()):
        # English is every voice's own: American or British
        language = None if aura["language"] == "en" else languages.code(aura["language"])
        return Speaker(name, default, default.voices.resolve(name), language, speed)
    try:
        model, language = names.usable(name, Kind.TTS)
    except UnknownModel:
        return Speaker(name, default, _voice(default, name), None, speed)
    return Speaker(model.name, model, None, language, speed)


def _voice(model: Model, name: str) -> Voice | None:
    try:
        return model.voices.resolve(name)
    except UnknownVoice as error:
        raise UnknownVoice(f"'model' is no model and no voice here: {error}; Deepgram's aura names work too") from error
