"""What a default recogniser cannot do is said at once, with the names of models that can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from speechmlx.config import Config
from speechmlx.errors import Unsupported
from speechmlx.models.abilities import check_ability
from speechmlx.models.catalog import CATALOG
from speechmlx.types import Audio, Listen, Request, Speak, Transcribe

AUDIO = Audio(np.zeros(16_000, np.float32), 16_000)
PARAKEET, NEMOTRON = "parakeet-tdt-0.6b-v3", "nemotron-3.5-asr-streaming-0.6b"
GERMAN = Config(profile="standard", languages=("de",))


def check(name: str, request: Request, config: Config = GERMAN) -> None:
    check_ability(CATALOG, config, CATALOG.resolve(name), request)


@pytest.mark.parametrize("request_", [Transcribe(audio=AUDIO, task="translate"), Listen(task="translate")])
@pytest.mark.parametrize("name", [PARAKEET, NEMOTRON, "qwen3-asr-1.7b-8bit", "sensevoice-small", "paraformer-zh"])
def test_who_does_not_translate(name: str, request_: Request) -> None:
    with pytest.raises(Unsupported, match=f"^{name} writes what is said and does not translate; name a .* whisper-ba"):
        check(name, request_, Config(profile="starter"))
    check("whisper-base", request_)
    check("whisper-tiny.en", request_)  # its engine says why it does not


@pytest.mark.parametrize(
    ("name", "request_", "says"),
    [
        (PARAKEET, Transcribe(audio=AUDIO, language="ja"), "qwen3-asr-1.7b-8bit knows it.* languages to de,ja$"),
        (PARAKEET, Transcribe(audio=AUDIO, language="Hebrew"), "whisper-large-v3-turbo knows it.* to de,he$"),
        (NEMOTRON, Listen(language="el"), f"language 'el' is not known to {NEMOTRON}.* {PARAKEET} knows it"),
        (NEMOTRON, Listen(language="tlh"), "language 'tlh' is not known to [^;]*; it knows "),
    ],
)
def test_a_language_that_was_not_named(name: str, request_: Request, says: str) -> None:
    with pytest.raises(Unsupported, match=says) as refused:
        check(name, request_)
    assert (" knows it: " in str(refused.value)) == ("knows it" in says)


@pytest.mark.parametrize(
    ("models", "for_recordings", "for_live"),
    [({}, True, True), ({"asr": PARAKEET}, False, False), ({"listen": NEMOTRON}, True, False)],
)
def test_languages_choose_nothing_where_a_model_is_set(
    models: dict[str, str], for_recordings: bool, for_live: bool
) -> None:
    config = replace(GERMAN, models=models)
    for name, request, chosen in (
        (PARAKEET, Transcribe(audio=AUDIO, language="ja"), for_recordings),
        (NEMOTRON, Listen(language="el"), for_live),
    ):
        with pytest.raises(Unsupported, match=" knows it: name it as the model") as refused:
            check(name, request, config)
        assert ("or set languages to" in str(refused.value)) == chosen


def test_all_else_is_for_the_engine_to_say() -> None:
    check(PARAKEET, Transcribe(audio=AUDIO, language="de-AT"))
    check(PARAKEET, Transcribe(audio=AUDIO))
    check(PARAKEET, Transcribe(audio=AUDIO, language="ja"), Config(profile="standard"))
    check("whisper-tiny.en", Transcribe(audio=AUDIO, language="ja"))  # no language chose it
    named = Config(profile="starter", languages=("de",), models={"asr": "whisper-base"})
    check(PARAKEET, Transcribe(audio=AUDIO, language="ja"), named)
    check(PARAKEET, Speak(text="hello"))
