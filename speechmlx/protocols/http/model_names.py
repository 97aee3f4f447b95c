"""Clients' names of models: names of the catalog, of launched models, and OpenAI's names for the defaults."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field

from speechmlx.errors import SpeechError, UnknownModel
from speechmlx.models.spec import Model
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind

GATEWAYS = "openai/"
"""Prefix that gateways write before OpenAI's names."""
RECOGNISERS = re.compile(r"whisper-1|gpt-[\w.-]*transcribe[\w.-]*|gpt-realtime-whisper")
OPENAI = {
    Kind.ASR: RECOGNISERS,
    Kind.ALIGN: RECOGNISERS,
    Kind.TTS: re.compile(r"tts-1(-hd)?(-\d+)?|gpt-[\w.-]*tts[\w.-]*"),
    Kind.LLM: re.compile(r"gpt-[\w.-]*realtime[\w.-]*|local"),
}
"""OpenAI's models by kind. Each means the default model of the kind. "local" is ours, for conversations."""
ABILITIES = {Kind.ASR: ["audio2text"], Kind.TTS: ["text2audio"], Kind.LLM: ["generate", "chat"]}
CLONING = "text2audio_voice_cloning"
"""The ability of a model that may imitate a recording."""


@dataclass(frozen=True)
class LaunchedModel:
    """A model that a client loaded under the name `uid`."""

    uid: str
    model: str
    language: str | None = None
    """The language for requests that name none."""
    loading: asyncio.Task[None] | None = None
    """Loads the model; fails with the error of the launch. None: nothing loads."""


@dataclass(frozen=True)
class ModelNames:
    """The names that one server knows: those of the `runtime`'s catalog and, before them, those of launches."""

    runtime: Runtime
    launched: dict[str, LaunchedModel] = field(default_factory=dict)
    failed: dict[str, SpeechError] = field(default_factory=dict)
    """The error of the last launch under a uid, if it failed."""

    def resolve(self, name: str | None, kind: Kind, live: bool = False) -> tuple[Model, str | None]:
        """The model of `kind` called `name` (None: the default), and the language that it was launched with.

        `live`: the default is that of live recognition.
        Raises UnknownModel.
        """
        if name is None or (kind in OPENAI and OPENAI[kind].fullmatch(name.strip().lower().removeprefix(GATEWAYS))):
            return self.runtime.model(None, kind, live), None
        launch = self.launched.get(name)
        if launch is not None:
            return self.runtime.model(launch.model, kind), launch.language
        return self.runtime.model(name, kind), None

    def usable(self, name: str | None, kind: Kind, live: bool = False) -> tuple[Model, str | None]:
        """`resolve`, before work with the model is begun. Raises LicenceNotAccepted too."""
        found = self.resolve(name, kind, live)
        self.runtime.licences.check(found[0])
        return found

    def check(self, name: str | None, *kinds: Kind) -> None:
        """Raises LicenceNotAccepted where `name` means a model of one of `kinds` that is not `usable` for that."""
        for kind in kinds:
            with suppress(UnknownModel):
                self.usable(name, kind)

    def find(self, name: str) -> Model:
        """The model called `name`, of any kind. Raises UnknownModel."""
        if launch := self.launched.get(name):
            return self.runtime.model(launch.model, None)
        for kind, names in OPENAI.items():
            if names.fullmatch(name.strip().lower().removeprefix(GATEWAYS)):
                return self.runtime.model(None, kind)
        return self.runtime.model(name, None)


def abilities(row: Model) -> list[str]:
    """What a model can do, as Xinference calls it."""
    cloning = [CLONING] if row.kind is Kind.TTS and row.voices.imitates else []
    return [*ABILITIES.get(row.kind, [row.kind]), *cloning]
