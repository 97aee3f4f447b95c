"""The answer to `describe`: what Home Assistant reads of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from wyoming.info import Attribution, Info

from speechmlx.config import Config
from speechmlx.models import store, voices
from speechmlx.models.catalog import CATALOG
from speechmlx.models.kept_recordings import RATE
from speechmlx.models.licences import Licences
from speechmlx.models.spec import Catalog, HubFiles, IndexFiles, Model
from speechmlx.models.voice_store import VoiceStore, with_voices
from speechmlx.models.voices import UNLISTED
from speechmlx.protocols.wyoming.info import attribution, build_info, folder_in, installed
from speechmlx.types import Audio, Kind

CONFIG = Config(profile="starter")
HERE = {"whisper-tiny.en"}
KOKORO = CATALOG.resolve("kokoro-82m")


def folder(row: Model) -> Path | None:
    return Path("/nowhere") if row.name in HERE else None


@pytest.fixture
def info() -> Info:
    return Info.from_event(build_info(CATALOG, CONFIG, folder).event())


def test_one_program_each_that_streams(info: Info) -> None:
    (asr,), (tts,) = info.asr, info.tts
    assert asr.installed and asr.supports_transcript_streaming and asr.requires_external_vad
    assert tts.installed and tts.supports_synthesize_streaming
    assert (asr.name, tts.name) == ("speechmlx", "speechmlx")


def test_the_default_model_is_first_and_offered_before_it_is_fetched(info: Info) -> None:
    models = info.asr[0].models
    assert models[0].name == "whisper-base" and {"de", "en", "zh"} < set(models[0].languages)
    assert {model.name for model in models if model.installed} == {"whisper-base", "whisper-tiny.en"}
    assert next(model for model in models if model.name == "whisper-tiny.en").languages == ["en"]
    assert models[0].attribution == Attribution("mlx-community/whisper-base-mlx", "")


def test_a_model_whose_licence_was_not_accepted_is_not_shown_as_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(store, "folder", lambda row, cache: tmp_path)
    for accepted in (False, True):
        config = Config(profile="starter", accept_licence=("CC-BY-NC-4.0",) if accepted else ())
        here = folder_in(config, Licences(config, {"HOME": str(tmp_path)}))
        names = {row.name for row in installed(CATALOG, config, Kind.TTS, here)}
        assert "kokoro-82m" in names and ("f5-tts" in names) is accepted


def test_voices_have_their_language_and_are_offered_where_it_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(voices, "find_spec", lambda name: name if name == "jieba" else None)
    monkeypatch.setattr(voices, "program", lambda name: None)
    found = {voice.name: voice for voice in build_info(CATALOG, CONFIG, folder).tts[0].voices}
    languages = {name: voice.languages for name, voice in found.items()}
    assert (
        languages["af_heart"] == ["en-US"] and languages["bm_lewis"] == ["en-GB"] and languages["pf_dora"] == ["pt-BR"]
    )
    assert {voice.languages[0] for voice in found.values() if voice.installed} == {"en-US", "en-GB", "zh"}
    monkeypatch.setattr(voices, "program", lambda name: "/bin/espeak-ng" if name == "espeak-ng" else None)
    found = {voice.name: voice for voice in build_info(CATALOG, CONFIG, folder).tts[0].voices}
    assert found["ff_siwis"].installed and not found["jm_kumo"].installed


def test_a_model_that_does_not_know_its_voices_is_one_voice(tmp_path: Path) -> None:
    row = replace(KOKORO, voices=UNLISTED, languages=("de", "en"))
    catalog = Catalog((row,), {"starter": {Kind.TTS: row.name}})
    (voice,) = build_info(catalog, CONFIG, lambda row: None).tts[0].voices
    assert (voice.name, voice.languages, voice.installed) == (row.name, ["de", "en"], True)
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices/anna.safetensors").touch()
    assert [voice.name for voice in build_info(catalog, CONFIG, lambda row: tmp_path).tts[0].voices] == ["anna"]


def test_a_server_without_models_offers_nothing() -> None:
    assert build_info(Catalog((), {"starter": {}}), CONFIG, folder) == Info()


def test_the_models_that_clients_may_choose() -> None:
    assert [row.name for row in installed(CATALOG, CONFIG, Kind.ASR, folder)] == ["whisper-base", "whisper-tiny.en"]


def test_who_made_it() -> None:
    hub, index = HubFiles("hexgrad/Kokoro-82M", "main"), IndexFiles((), "none:convert")
    assert attribution(replace(KOKORO, sources=(index, hub))).name == "hexgrad/Kokoro-82M"
    assert attribution(replace(KOKORO, sources=(index,))).name == "speechmlx"
    assert attribution(replace(KOKORO, sources=KOKORO.sources[:1])) != attribution(KOKORO)


def test_stored_voices_are_those_of_the_models_that_imitate(tmp_path: Path) -> None:
    store = VoiceStore(tmp_path)
    sound = np.sin(np.arange(2 * RATE) / 30).astype(np.float32)
    store.add("Ann", Audio(sound, RATE), "", "Ann agreed.")
    imitating = replace(KOKORO, name="imitating", voices=UNLISTED)
    known = with_voices(Catalog((KOKORO, imitating), {"starter": {Kind.TTS: "kokoro-82m"}}), CONFIG, store)
    told = build_info(known, CONFIG, lambda row: tmp_path).tts[0].voices
    assert [voice.name for voice in told if voice.name not in KOKORO.voices.names] == ["imitating", "Ann"]
