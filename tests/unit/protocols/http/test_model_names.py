"""Names of models: the catalog's, those of launches, and OpenAI's."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechmlx.config import Config
from speechmlx.errors import LicenceNotAccepted, UnknownModel
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.model_names import OPENAI, LaunchedModel, ModelNames
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind


@pytest.fixture
def names() -> ModelNames:
    return ModelNames(Runtime(Config(profile="starter"), CATALOG))


@pytest.mark.parametrize(
    ("kind", "name", "known"),
    [
        (Kind.ASR, "whisper-1", True),
        (Kind.ASR, "gpt-4o-mini-transcribe-2025-12-15", True),
        (Kind.ASR, "gpt-transcribe", True),
        (Kind.ASR, "whisper-large-v3", False),
        (Kind.TTS, "tts-1-hd", True),
        (Kind.TTS, "gpt-4o-mini-tts", True),
        (Kind.TTS, "tts-11", False),
    ],
)
def test_names_that_are_openais(kind: Kind, name: str, known: bool) -> None:
    assert bool(OPENAI[kind].fullmatch(name)) is known


def test_openais_names_and_none_are_the_default_of_the_kind(names: ModelNames) -> None:
    default = names.runtime.model(None, Kind.ASR)
    for name in (None, "whisper-1", " OpenAI/Whisper-1 "):
        assert names.resolve(name, Kind.ASR) == (default, None)
    assert names.find("whisper-1") == default


def test_a_launched_name_comes_with_its_language(names: ModelNames) -> None:
    row = names.runtime.model(None, Kind.ASR)
    names.launched["mine"] = LaunchedModel("mine", row.name, "de")
    assert names.resolve("mine", Kind.ASR) == (row, "de") and names.find("mine") == row
    assert names.resolve(row.name, Kind.ASR) == (row, None)


def test_an_unknown_name_is_refused(names: ModelNames) -> None:
    with pytest.raises(UnknownModel, match="nobody"):
        names.resolve("nobody", Kind.ASR)
    with pytest.raises(UnknownModel, match="nobody"):
        names.find("nobody")


def test_a_model_whose_licence_was_not_accepted_is_named_but_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    names = ModelNames(Runtime(Config(profile="starter"), CATALOG))
    names.launched["mine"] = LaunchedModel("mine", "f5-tts")
    for name in ("f5-tts", "mine"):
        assert names.resolve(name, Kind.TTS)[0].name == "f5-tts"
        for use in (names.usable, names.check):
            with pytest.raises(LicenceNotAccepted, match="the licence of f5-tts was not accepted"):
                use(name, Kind.TTS)
    with pytest.raises(LicenceNotAccepted):
        names.check("f5-tts", Kind.ASR, Kind.TTS)


@pytest.mark.parametrize("name", [None, "whisper-1", "kokoro-82m", "nobody", "f5-tts"])
def test_other_names_are_no_matter_of_licences(names: ModelNames, name: str | None) -> None:
    names.check(name, Kind.ASR, Kind.LLM)
