from __future__ import annotations

import json
import logging
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from speechmlx.config import Config
from speechmlx.config_sources import load
from speechmlx.errors import ModelUnavailable, UnknownModel
from speechmlx.models import admission, catalog, store
from speechmlx.models.bridge import admitted
from speechmlx.protocols.http.model_names import CLONING, abilities
from speechmlx.types import Kind


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder that looks like SenseVoice's, with files that are not for us."""
    folder = tmp_path / "My SenseVoice"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "sensevoice"}))
    save_file({"weight": np.ones(4, np.float32)}, folder / "model.safetensors")
    (folder / "modeling.py").write_text("raise SystemExit")
    (folder / "old.pth").write_bytes(b"pickle")
    (folder / ".git").mkdir()
    (folder / ".git/config.json").write_text("{}")
    return folder


def test_a_folder_becomes_a_row(checkpoint: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    known = catalog.load(cache)
    assert known.all_rows == known.rows
    admission.admit(known, [str(checkpoint)], cache)
    row = known.resolve("local--my-sensevoice", Kind.ASR)
    assert known.resolve(str(checkpoint)) == known.resolve("my-sensevoice") == row
    assert row in known.all_rows and row.rate == 16000 and row.runnable
    assert catalog.load(cache).resolve(row.name) == row
    made = store.fetch(row, cache)
    kept = {path.name for path in made.iterdir()}
    assert kept == {"bridge.json", "config.json", "manifest.json", "model.safetensors"}
    told = {"part": "stt", "family": "sensevoice", "rate": 16000, "streams": False}
    assert json.loads((made / "bridge.json").read_text()) == told


def test_a_folder_that_changed_is_taken_again_when_it_is_named_again(checkpoint: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    known = catalog.load(cache)
    admission.admit(known, [str(checkpoint)], cache)
    store.fetch(known.resolve("my-sensevoice"), cache)
    (checkpoint / "model.safetensors").unlink()
    save_file({"weight": np.ones(8, np.float32)}, checkpoint / "model.safetensors")
    assert store.folder(known.resolve("my-sensevoice"), cache) is not None
    admission.admit(known, [str(checkpoint)], cache)
    assert store.folder(known.resolve("my-sensevoice"), cache) is None


@pytest.mark.parametrize(
    ("said", "imitates"),
    [
        ({}, True),
        ({"tts_model_type": "base"}, True),
        ({"tts_model_type": "voice_design"}, False),
        ({"tts_model_type": "custom_voice", "talker_config": {"spk_id": {"Nora": 3}}}, False),
        ({"tts_model_type": "custom_voice", "talker_config": {"spk_id": {"Vivian": 3}}}, False),
        ({"tts_model_type": "of another version"}, True),
    ],
)
def test_a_qwen3_tts_that_cannot_imitate_is_not_listed_so(said: dict[str, Any], imitates: bool, tmp_path: Path) -> None:
    folder, cache = tmp_path / "my qwen", tmp_path / "cache"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3_tts", "talker_config": {}, **said}))
    save_file({"weight": np.ones(4, np.float32)}, folder / "model.safetensors")
    admission.admit(catalog.load(cache), [str(folder)], cache)
    row = catalog.load(cache).resolve("my-qwen", Kind.TTS)
    assert row.voices.imitates is imitates is (CLONING in abilities(row))


def test_forgotten(checkpoint: Path, tmp_path: Path) -> None:
    known = catalog.load(tmp_path)
    admission.admit(known, [str(checkpoint)], tmp_path)
    admission.forget(known.resolve("my-sensevoice"), tmp_path)
    with pytest.raises(UnknownModel):
        known.resolve("my-sensevoice")


def test_what_the_settings_name_is_admitted(checkpoint: Path, tmp_path: Path) -> None:
    config = Config(cache=tmp_path, models={"asr": str(checkpoint), "tts": "kokoro"})
    known = catalog.load(store.cache_folder(config))
    admission.admit_settings(known, config)
    known.check(config)
    assert known.default(Kind.ASR, config).name == "local--my-sensevoice"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "has no readable config.json"),
        ({"config.json": "[]"}, "it is no JSON object"),
        ({"config.json": '{"model_type": "sensevoice"}'}, "has no weights: a file that ends in .safetensors"),
        ({"config.json": '{"model_type": "gpt2"}', "model.safetensors": ""}, "of no family that mlx-audio has"),
    ],
)
def test_a_folder_that_is_none_is_refused(tmp_path: Path, files: dict[str, str], says: str) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(UnknownModel, match=says):
        admitted.admit(str(folder), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_code_that_a_folder_names_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": "a--b.C"}}))
    known = catalog.load(tmp_path)
    admission.admit(known, [str(checkpoint)], tmp_path)
    with pytest.raises(ModelUnavailable, match=r"'tokenizer_config.json' names code of its own \(auto_map\)"):
        store.fetch(known.resolve("my-sensevoice"), tmp_path)


def test_arrays_that_hold_objects_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    np.savez(checkpoint / "voices.npz", voice=np.array([{"a": 1}], dtype=object))
    known = catalog.load(tmp_path)
    admission.admit(known, [str(checkpoint)], tmp_path)
    with pytest.raises(ModelUnavailable, match=r"voices\.npz is not an archive of arrays we read"):
        store.fetch(known.resolve("my-sensevoice"), tmp_path)


def test_a_folder_that_went_is_said_so(checkpoint: Path, tmp_path: Path) -> None:
    known = catalog.load(tmp_path)
    admission.admit(known, [str(checkpoint)], tmp_path)
    checkpoint.rename(tmp_path / "elsewhere")
    with pytest.raises(ModelUnavailable, match="the folder is not there any more"):
        store.fetch(known.resolve("my-sensevoice"), tmp_path)


def test_a_broken_record_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "bridged").mkdir()
    (tmp_path / "bridged/odd.json").write_text("{")
    (tmp_path / "bridged/gone.json").write_text(json.dumps({"part": "tts", "family": "bark", "name": "x", "size": 1}))
    with caplog.at_level(logging.WARNING):
        assert admitted.admitted(tmp_path) == ()
        assert admitted.admitted(tmp_path) == (), "a server looks every second"
    assert caplog.text.count("is no record of a model") == 2


@pytest.mark.parametrize("name", ["openai/whisper-base", "a/b", "/tmp/x", "./x", "~/x"])
def test_foreign_names(name: str) -> None:
    assert admitted.is_foreign(name)


@pytest.mark.parametrize("name", ["whisper-base", "a/b/c", "", "a/", "http://a/b"])
def test_other_names(name: str) -> None:
    assert not admitted.is_foreign(name)


def test_a_name_of_the_catalog_needs_no_admission(tmp_path: Path) -> None:
    admission.admit(catalog.load(tmp_path), ["Systran/faster-whisper-small", "kokoro"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_two_processes_may_admit_one_at_once(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, others = Path.write_text, [Thread(target=admitted.admit, args=(str(checkpoint), tmp_path / "cache"))]

    def write_while_another_does(self: Path, *given: Any, **named: Any) -> int:
        size = write(self, *given, **named)
        if others:
            other = others.pop()
            other.start()
            other.join(30)
        return size

    monkeypatch.setattr(Path, "write_text", write_while_another_does)
    row = admitted.admit(str(checkpoint), tmp_path / "cache")
    assert admitted.admitted(tmp_path / "cache") == (row,)
    assert len(list((tmp_path / "cache/bridged").iterdir())) == 1


@pytest.mark.parametrize("written", ["{home}/My SenseVoice", "~/My SenseVoice", "./My SenseVoice/", "link"])
def test_settings_may_write_the_path_of_a_folder_in_any_way(
    written: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    if written == "link":
        written = str(tmp_path / "link")
        Path(written).symlink_to(tmp_path)
        written += "/My SenseVoice"
    config = load({"asr": written.format(home=tmp_path), "cache": str(tmp_path / "cache")}, {"HOME": str(tmp_path)})
    known = admission.admit_settings(catalog.load(tmp_path / "cache"), config)
    known.check(config)
    assert known.default(Kind.ASR, config).name == "local--my-sensevoice"


@pytest.mark.parametrize(
    "config",
    [
        {"architectures": 5},
        {"model_type": ["sensevoice"]},
        {"model_type": "qwen3_tts", "talker_config": {"spk_id": 5}},
    ],
)
def test_a_config_with_values_of_other_types_is_no_model_s(
    config: dict[str, Any], checkpoint: Path, tmp_path: Path
) -> None:
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnknownModel, match=r"config\.json of '.*My SenseVoice' is not as it should be"):
        admitted.admit(str(checkpoint), tmp_path / "cache")


def test_a_folder_is_known_once_the_cache_can_be_written(checkpoint: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.write_text("a file")
    config = Config(cache=cache, models={"asr": str(checkpoint)})
    known = admission.admit_settings(catalog.load(cache), config)
    assert [row.absent for row in known.missing] == [f"{checkpoint} cannot be kept in {cache}/bridged: Not a directory"]
    cache.unlink()
    admission.admit_settings(known, config)
    assert known.missing == () and known.default(Kind.ASR, config).name == "local--my-sensevoice"
