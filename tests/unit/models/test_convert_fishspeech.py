"""The conversion of FishSpeech: checkpoints in their forms, the codec's weights, and tiktoken's vocabulary."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file
from support.tiny_fishspeech import REFERENCE, tensors, write_files
from support.torch_checkpoint import save_tensors

from speechmlx.models.convert import fishspeech
from speechmlx.models.convert.tiktoken import merged, read_ranks, write_bpe
from speechmlx.models.spec import SourceFailed

RANKS = {base64.b64decode(token): rank for rank, token in enumerate(REFERENCE["ranks"])}


def converted(files: Path, folder: Path) -> Path:
    folder.mkdir()
    fishspeech.convert(files, folder)
    return folder


def test_a_checkpoint_of_a_training_is_the_same(tmp_path: Path) -> None:
    plain = converted(write_files(tmp_path / "a"), tmp_path / "plain")
    prefixed = write_files(
        tmp_path / "b",
        model={f"model.{name}": tensor for name, tensor in tensors("model").items()},
        codec={
            **{f"generator.{name}": tensor for name, tensor in tensors("codec").items()},
            "discriminator.weight": np.ones(3, np.float32),
        },
    )
    trained = converted(prefixed, tmp_path / "trained")
    for name in ("model.safetensors", "firefly.safetensors", "vocab.json", "merges.txt", "config.json"):
        assert (plain / name).read_bytes() == (trained / name).read_bytes()


def test_the_logits_layer_keeps_what_is_drawn(tmp_path: Path) -> None:
    folder = converted(write_files(tmp_path / "files"), tmp_path / "made")
    with safe_open(folder / "model.safetensors", framework="np") as file:
        assert file.get_slice("output.weight").get_shape() == [1025, 32]
        assert file.get_slice("embeddings.weight").get_shape() == [1304, 32]
    output = tensors("model")["output.weight"]
    drawn = [*range(REFERENCE["semantic"], REFERENCE["semantic"] + 1024), REFERENCE["special"]["<|im_end|>"]]
    assert np.array_equal(fishspeech.transformers(tensors("model"), drawn)["output.weight"], output[drawn])


def test_weights_are_their_lengths_times_their_directions(tmp_path: Path) -> None:
    published = tensors("codec")
    folder = converted(write_files(tmp_path / "files"), tmp_path / "made")
    found = load_file(folder / "firefly.safetensors")
    assert not any("parametrizations" in name for name in found)
    name = "head.ups.0.conv"
    length, direction = (published[f"{name}.parametrizations.weight.original{part}"] for part in (0, 1))
    weight = direction * length / np.linalg.norm(direction.reshape(len(direction), -1), axis=1)[:, None, None]
    assert np.allclose(found[f"firefly.{name}.weight"], weight.transpose(1, 2, 0), atol=1e-6)
    name = "quantizer.upsample.0.0.conv.weight"
    assert np.array_equal(found[f"firefly.{name}"], published[name].transpose(1, 2, 0))
    name = "backbone.downsample_layers.1.1.weight"
    assert np.array_equal(found[f"firefly.{name}"], published[name].transpose(0, 2, 1))


@pytest.mark.parametrize("part", ["model", "codec"])
def test_an_unknown_tensor_is_named(tmp_path: Path, part: str) -> None:
    changed = {part: tensors(part) | {"layers.0.attention.wq.weight": np.ones((2, 2), np.float32)}}
    with pytest.raises(SourceFailed, match=r"layers\.0\.attention\.wq\.weight"):
        converted(write_files(tmp_path / "files", **changed), tmp_path / "made")


def test_a_weight_without_its_length_is_named(tmp_path: Path) -> None:
    codec = tensors("codec")
    del codec["head.conv_pre.conv.parametrizations.weight.original0"]
    with pytest.raises(SourceFailed, match=r"conv_pre.*original0"):
        converted(write_files(tmp_path / "files", codec=codec), tmp_path / "made")


@pytest.mark.parametrize("special", [{}, {"<|im_end|>": 99_999}])
def test_tokens_that_the_model_does_not_have_are_refused(tmp_path: Path, special: dict[str, int]) -> None:
    files = write_files(tmp_path / "files")
    known = json.loads((files / "special_tokens.json").read_bytes()) if special else {}
    (files / "special_tokens.json").write_text(json.dumps(known | special))
    with pytest.raises(SourceFailed, match=r"special_tokens.json|a row for each token"):
        converted(files, tmp_path / "made")


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    files = write_files(tmp_path / "files")
    save_tensors(files / fishspeech.MODEL, {})
    with pytest.raises(SourceFailed, match=r"model\.pth"):
        converted(files, tmp_path / "made")


def test_merges_are_found_again(tmp_path: Path) -> None:
    assert merged(b"hello", RANKS) == (b"he", b"llo")
    assert merged(b" the", RANKS) == (b" t", b"he")
    assert merged(b"text", RANKS) is None
    write_bpe(tmp_path, RANKS)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    assert (vocabulary["Ġthe"], vocabulary["h"], len(vocabulary)) == (RANKS[b" the"], RANKS[b"h"], len(RANKS))
    assert (tmp_path / "merges.txt").read_text().splitlines()[:3] == ["#version: 0.2", "h e", "l l"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (b"aGU= x\n", "is not a vocabulary"),
        (b"aGU= 0\n", "255|256 bytes are no token"),
        (b"aGU= 0\naGk= 2\n", "its ranks are not"),
        (b"\xff\xff 0\n", "is not a vocabulary"),
        (b"", "is not a vocabulary"),
        (base64.b64encode(b"a" * 300) + b" 0\n", "tokens of up to 300 bytes"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path: Path, lines: bytes, said: str) -> None:
    (tmp_path / "tokenizer.tiktoken").write_bytes(lines)
    with pytest.raises(SourceFailed, match=said):
        read_ranks(tmp_path / "tokenizer.tiktoken")
