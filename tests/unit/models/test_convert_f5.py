"""The conversion of F5-TTS: its checkpoints, the vocoder's and the recordings of its package."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file, save_file
from support.torch_checkpoint import save_tensors

from speechmlx.models.convert import f5
from speechmlx.models.spec import SourceFailed

WEIGHTS = {"ema_model.transformer.proj_out.bias": np.arange(4, dtype=np.float32)}


def repository(folder: Path, *names: str) -> Path:
    (folder / "F5TTS").mkdir(parents=True)
    (folder / "F5TTS/vocab.txt").write_text(" \na\n")
    for name in names:
        if name.endswith(".pt"):
            save_tensors(folder / "F5TTS" / name, WEIGHTS)
        else:
            save_file(WEIGHTS, folder / "F5TTS" / name)
    return folder


@pytest.mark.parametrize("name", ["model_1.safetensors", "model_1.pt"])
def test_a_checkpoint_of_either_kind_is_taken(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    f5.version_1(repository(tmp_path / "files", name), folder)
    assert load_file(folder / "model.safetensors").keys() == WEIGHTS.keys()
    assert (folder / "vocab.txt").read_text() == " \na\n"
    config = json.loads((folder / "config.json").read_text())
    assert config["first_head"] is config["fills"] is False and config["steps"] == 32


def test_the_versions_differ_in_what_names_do_not_tell(tmp_path: Path) -> None:
    files = repository(tmp_path / "files", "model.safetensors")
    configs = list[dict[str, object]]()
    for convert in (f5.version_0, f5.mlx):
        folder = tmp_path / str(len(configs))
        folder.mkdir()
        convert(files, folder)
        configs.append(json.loads((folder / "config.json").read_text()))
    assert all(config["first_head"] and config["fills"] for config in configs)
    assert [config["method"] for config in configs] == ["euler", "rk4"]


@pytest.mark.parametrize("names", [(), ("a.safetensors", "b.pt")])
def test_it_must_be_one_checkpoint(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(SourceFailed, match=f"{len(names)} files of weights, not one"):
        f5.version_0(repository(tmp_path / "files", *names), tmp_path)


def test_without_a_vocabulary_it_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match=r"no vocab.txt"):
        f5.version_0(tmp_path, tmp_path)


def test_the_vocoder_loses_what_is_computed_and_its_convolutions_are_turned(tmp_path: Path) -> None:
    tensors = OrderedDict(
        {
            "feature_extractor.mel_spec.mel_scale.fb": np.ones((3, 2), np.float32),
            "head.istft.window": np.ones(4, np.float32),
            "backbone.embed.weight": np.arange(24, dtype=np.float32).reshape(4, 2, 3),
            "backbone.embed.bias": np.ones(4, np.float32),
        }
    )
    save_tensors(tmp_path / "pytorch_model.bin", tensors)
    f5.vocoder(tmp_path, tmp_path)
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == {"backbone.embed.weight", "backbone.embed.bias"}
    assert np.array_equal(found["backbone.embed.weight"], tensors["backbone.embed.weight"].swapaxes(1, 2))


def test_a_checkpoint_without_tensors_is_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / "pytorch_model.bin", {})
    with pytest.raises(SourceFailed, match="holds no tensors"):
        f5.vocoder(tmp_path, tmp_path)


def test_recordings_become_voices(tmp_path: Path) -> None:
    sound = np.sin(np.arange(8000) / 10) / 2
    for name in f5.TEXTS:
        soundfile.write(tmp_path / f"{name}.wav", np.stack([sound, sound], axis=1), 16_000)
    f5.voices(tmp_path, tmp_path)
    for name in f5.TEXTS:
        samples = load_file(tmp_path / f"{name}.safetensors")["samples"]
        assert samples.dtype == np.int16 and len(samples) == 12_000
        assert np.abs(samples[500:-500]).max() == pytest.approx(16_384, rel=0.05)
    assert json.loads((tmp_path / "config.json").read_text())["texts"] == f5.TEXTS


def test_a_recording_that_is_none_is_named(tmp_path: Path) -> None:
    for name in f5.TEXTS:
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF")
    with pytest.raises(SourceFailed, match=r"basic_en.wav is not a recording"):
        f5.voices(tmp_path, tmp_path)
