"""Who speaks: Deepgram's names, our models, our voices."""

from __future__ import annotations

from typing import Any

import pytest

from speechmlx.config import Config
from speechmlx.errors import BadRequest, UnknownModel, UnknownVoice
from speechmlx.models.catalog import CATALOG
from speechmlx.models.spec import Model
from speechmlx.protocols.deepgram.speech_request import speaker
from speechmlx.protocols.http.model_names import ModelNames
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind, NamedVoice, Priority

DEFAULT = CATALOG.resolve("kokoro-82m")
NAMES = ModelNames(Runtime(Config(profile="starter"), CATALOG))


@pytest.mark.parametrize(
    ("query", "name", "voice", "language"),
    [
        ({}, "kokoro-82m", None, None),
        ({"model": " "}, "kokoro-82m", None, None),
        ({"model": "aura-2-thalia-en"}, "aura-2-thalia-en", "af_heart", None),
        ({"model": "aura-2-celeste-es"}, "aura-2-celeste-es", "ef_dora", "es"),
        ({"model": "aura-2-julius-de"}, "aura-2-julius-de", "af_heart", "de"),
        ({"model": "kokoro"}, "kokoro-82m", None, None),
        ({"model": "tts-1"}, "kokoro-82m", None, None),
        ({"model": "bf_emma"}, "bf_emma", "bf_emma", None),
        ({"model": "af_heart*2 + af_sky"}, "kokoro-82m", "af_heart*2 + af_sky", None),
    ],
)
def test_speakers(query: dict[str, str], name: str, voice: str | None, language: str | None) -> None:
    found = speaker(query, NAMES)
    assert (found.model, found.name, found.language) == (DEFAULT, name, language)
    assert found.voice == (None if voice is None else NamedVoice(voice))


def test_a_request() -> None:
    made = speaker({"model": "aura-zeus-en", "speed": "1.5"}, NAMES).request("Hello.", Priority.REALTIME)
    assert (made.model, made.text, made.voice, made.speed) == ("kokoro-82m", "Hello.", NamedVoice("am_adam"), 1.5)
    assert made.priority is Priority.REALTIME


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        ({"model": "nobody"}, UnknownVoice, "no model and no voice here: no voice 'nobody'.*aura names work too"),
        ({"speed": "9"}, BadRequest, "'speed' must be a number from 0.25 to 4"),
    ],
)
def test_who_cannot_speak(query: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        speaker(query, NAMES)


def test_a_server_that_speaks_not_at_all_says_so() -> None:
    class Nothing:
        def model(self, name: str | None, kind: Kind | None, live: bool = False) -> Model:
            raise UnknownModel("there is no tts model")

    with pytest.raises(UnknownModel):
        speaker({"model": "aura-zeus-en"}, ModelNames(Nothing()))  # type: ignore[arg-type]
