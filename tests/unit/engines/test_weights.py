"""Weights of a folder: what is damaged is refused by name, before it is in memory."""

from __future__ import annotations

import struct
from pathlib import Path

import mlx.core as mx
import pytest
from support.engine_runs import result

from speechmlx.engines import weights
from speechmlx.engines.weights import read_config, read_weights, settle
from speechmlx.errors import ModelUnavailable, WeightsDamaged


def test_weights_are_cast_and_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "SLICE", 8)
    given = {"a": mx.array([1.0, 65504.0], mx.float16), "n": mx.array([1, 2]), "b": mx.zeros((0,))}
    settled = result(settle(given, mx.float32))
    assert {name: array.dtype for name, array in settled.items()} == {"a": mx.float32, "n": mx.int32, "b": mx.float32}


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("slice_bytes", [1, 1 << 20])
def test_a_weight_that_is_no_finite_number_is_named(
    bad: str, slice_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "SLICE", slice_bytes)
    given = {"good": mx.ones((4,)), "a.bad": mx.array([1.0, float(bad)], mx.float16), "other": mx.ones((4,))}
    with pytest.raises(WeightsDamaged, match=r"the weights 'a\.bad' hold values that are not finite numbers"):
        result(settle(given, mx.float32))


@pytest.mark.parametrize(
    "data", [b"", b"x" * 7, struct.pack("<Q", 1 << 20) + b"[" * (1 << 20), struct.pack("<Q", 1 << 60)]
)
def test_a_file_that_is_none_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(WeightsDamaged, match=r"model\.safetensors of the model '.*' cannot be read"):
        read_weights(tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "x"])
def test_a_config_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        read_config(tmp_path)
