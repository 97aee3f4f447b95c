"""Models as clients name them: rows of the catalog, names given at a launch, OpenAI's names for the defaults."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

from speechmlx.errors import SpeechError
from speechmlx.models.spec import Model
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind

GATEWAYS = "openai/"
"""What gateways write before OpenAI's names."""
OPENAI = {
    Kind.ASR: re.compile(r"whisper-1|gpt-[\w.-]*transcribe[\w.-]*|gpt-realtime-whisper"),
    Kind.TTS: re.compile(r"tts-1(-hd)?(-\d+)?|gpt-[\w.-]*tts[\w.-]*"),
    Kind.LLM: re.compile(r"gpt-[\w.-]*realtime[\w.-]*|local"),
}
"""OpenAI's models, none of which is here: the default of the kind stands in. "local" is a conversation's own."""


@dataclass(frozen=True)
class Launch:
    """A model that a client had brought into memory under the name `uid`."""

    uid: str
    model: str
    language: str | None = None
    """What it speaks or hears when a request does not say."""
    loading: asyncio.Task[None] | None = None
    """Its end is the end of the launch, with the error it failed with."""


@dataclass(frozen=True)
class Names:
    """What names mean to one server: the `runtime`'s catalog, over it the names given at launches."""

    runtime: Runtime
    launched: dict[str, Launch] = field(default_factory=dict)
    failed: dict[str, SpeechError] = field(default_factory=dict)
    """Why the last launch under a uid failed."""

    def resolve(self, name: str | None, kind: Kind) -> tuple[Model, str | None]:
        """The model called `name` (None: the default of `kind`), and the language it was launched with.

        Raises UnknownModel.
        """
        if name is None or (kind in OPENAI and OPENAI[kind].fullmatch(name.strip().lower().removeprefix(GATEWAYS))):
            return self.runtime.model(None, kind), None
        launch = self.launched.get(name)
        if launch is not None:
            return self.runtime.model(launch.model, kind), launch.language
        return self.runtime.model(name, kind), None

    def stands_for(self, name: str) -> Model:
        """The model called `name`, whatever it does. Raises UnknownModel."""
        if launch := self.launched.get(name):
            return self.runtime.model(launch.model, None)
        for kind, names in OPENAI.items():
            if names.fullmatch(name.strip().lower().removeprefix(GATEWAYS)):
                return self.runtime.model(None, kind)
        return self.runtime.model(name, None)
