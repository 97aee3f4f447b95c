"""The complete lists of tensors of the published checkpoints map: every one has a place, of its shape."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten

from speechmlx.engines.qwen3_tts.loading import fill, split
from speechmlx.engines.qwen3_tts.shape import QwenTtsConfig, read_shape
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.models.catalog import CATALOG

LISTS: dict[str, dict[str, list[int]]] = json.loads(
    gzip.decompress((Path(__file__).parents[1] / "data/qwen3_tts_talker_names.json.gz").read_bytes())
)
WIDTHS = {"0.6B": (1024, 3072), "1.7B": (2048, 6144)}
HEADER = 60_000
"""Bytes of a safetensors file that are no weights, about."""


def published(folder: Path, which: str) -> QwenTtsConfig:
    """The config of a published checkpoint: what is not the default of a Qwen3-TTS."""
    size, _, kind = which.partition("_")
    hidden, inner = WIDTHS[size]
    config = {"tts_model_type": kind, "talker_config": {"hidden_size": hidden, "intermediate_size": inner}}
    (folder / "config.json").write_text(json.dumps(config))
    return read_shape(folder)


def checkpoint(which: str) -> dict[str, mx.array]:
    return {name: mx.zeros(tuple(shape), mx.bfloat16) for name, shape in LISTS[which].items()}


@pytest.mark.parametrize("which", LISTS)
def test_every_tensor_has_a_place(tmp_path: Path, which: str) -> None:
    talker, speaker = split(checkpoint(which))
    fill(Talker(published(tmp_path, which).shape), talker)
    assert bool(speaker) == which.endswith("base")
    assert len(talker) + len(speaker) == len(LISTS[which])


def quantised(folder: Path, which: str, bits: int) -> dict[str, mx.array]:
    """A checkpoint as mlx-audio's converter quantises it: all layers but embeddings. Nothing is computed."""
    plain, speaker = split(checkpoint(which))
    model = fill(Talker(published(folder, which).shape), plain)

    def chosen(path: str, layer: nn.Module) -> bool:
        return hasattr(layer, "to_quantized") and "embedding" not in path

    nn.quantize(model, 64, bits, class_predicate=chosen)
    return {f"talker.{name}": array for name, array in tree_flatten(model.parameters())} | speaker


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_every_quantised_tensor_has_a_place(tmp_path: Path, bits: int) -> None:
    weights = quantised(tmp_path, "1.7B_custom_voice", bits)
    model = fill(Talker(published(tmp_path, "1.7B_custom_voice").shape), split(weights)[0])
    layers: Any = [layer for _, layer in model.named_modules() if isinstance(layer, nn.QuantizedLinear)]
    assert {(layer.bits, layer.group_size) for layer in layers} == {(bits, 64)}
    assert not any(isinstance(layer, nn.QuantizedEmbedding) for _, layer in model.named_modules())


def test_the_quantised_file_is_as_large_as_the_published_one(tmp_path: Path) -> None:
    nbytes = sum(array.nbytes for array in quantised(tmp_path, "0.6B_custom_voice", 8).values())
    assert 0 < 1_286_743_170 - nbytes < 2 * HEADER


@pytest.mark.parametrize("which", LISTS)
def test_the_catalog_knows_its_size(which: str) -> None:
    row = CATALOG.resolve(f"qwen3-tts-{which.replace('_', '-', 1).replace('_', '').lower()}")
    floats = sum(mx.zeros(tuple(shape), mx.bfloat16).size for shape in LISTS[which].values())
    assert row.memory - row.narrow == pytest.approx(2 * floats, abs=2_000)
