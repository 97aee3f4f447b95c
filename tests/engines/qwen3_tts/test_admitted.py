"""Checkpoints that no row of the catalog names: those that fit run on this engine, others through mlx-audio."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import tiny_talker
from support.engine_runs import run, sound
from support.talking import speak

from speechmlx.engines import LoadOptions
from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.models import admission, catalog, store
from speechmlx.models.bridge.families import find
from speechmlx.models.bridge.own import runs_by_itself
from speechmlx.models.qwen3_tts_voices import NAMES, QWEN3_TTS
from speechmlx.models.spec import Model
from speechmlx.models.voices import VoiceList
from speechmlx.types import Kind, NamedVoice

BRIDGE = "speechmlx.engines.mlx_audio:load"


def admitted(folder: Path, cache: Path) -> Model:
    known = catalog.load(cache)
    admission.admit(known, [str(folder)], cache)
    return known.resolve(str(folder), Kind.TTS)


@pytest.mark.parametrize("bits", [0, 4])
def test_a_folder_runs_on_this_engine(tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions, bits: int) -> None:
    folder = tiny_talker.write(tmp_path / "my-voice", "custom_voice", bits=bits)
    row = admitted(folder, tmp_path / "cache")
    assert (row.streams_text, row.kind, row.rate) == (True, Kind.TTS, 24000)
    assert row.memory == (4 if bits else 2) * row.size
    module, _, function = row.engine.partition(":")
    made = store.fetch(row, tmp_path / "cache")
    engine = loaded(getattr(importlib.import_module(module), function)(made, cold))
    assert isinstance(engine, Qwen3Tts)
    first, second = run(engine, *(speak(voice=NamedVoice(name)) for name in ("vivian", "ryan")))
    assert len(sound(first)) and len(sound(second))
    assert first != second


def test_its_voices_are_those_of_the_row_where_they_are_the_published_ones(tmp_path: Path) -> None:
    none = VoiceList(imitates=False)
    for names, voices in ((NAMES, QWEN3_TTS), (NAMES[1:], none), (("vivian", "aunt_may"), none)):
        said = tiny_talker.config("custom_voice")
        said["talker_config"]["spk_id"] = {name.title(): 10 + place for place, name in enumerate(names)}
        folder = tmp_path / names[1]
        tiny_talker.write(folder, "custom_voice", said=said)
        assert admitted(folder, tmp_path / "cache").voices == voices


@pytest.mark.parametrize(
    "changed",
    [
        {"tts_model_type": "singing"},
        {"tokenizer_type": "qwen3_tts_tokenizer_25hz"},
        {"quantization": {"mode": "mxfp4", "bits": 4, "group_size": 32}},
        {"talker_config": {"hidden_act": "gelu"}},
        {"talker_config": {"rope_scaling": {"rope_type": "yarn"}}},
        {"talker_config": {"code_predictor_config": {"sliding_window": 8, "use_sliding_window": True}}},
        {"talker_config": []},
    ],
)
def test_what_does_not_fit_runs_through_the_package(tmp_path: Path, changed: Mapping[str, Any]) -> None:
    folder = tiny_talker.write(tmp_path / "other", "base")
    family, said = find("tts", "qwen3_tts"), json.loads((folder / "config.json").read_bytes())
    assert family is not None
    assert runs_by_itself(family, said)
    (folder / "config.json").write_text(json.dumps({**said, **changed}))
    row = admitted(folder, tmp_path / "cache")
    assert (row.engine, row.streams_text, row.memory) == (BRIDGE, False, 2 * row.size)


def test_a_record_of_an_earlier_version_stays_what_it_was(tmp_path: Path) -> None:
    row = admitted(tiny_talker.write(tmp_path / "mine", "base"), tmp_path / "cache")
    place = tmp_path / "cache" / admission.ADMITTED / f"{row.name}.json"
    record = json.loads(place.read_bytes())
    place.write_text(json.dumps({name: record[name] for name in record if name not in ("own", "memory", "speakers")}))
    assert catalog.load(tmp_path / "cache").resolve(row.name).engine == BRIDGE
