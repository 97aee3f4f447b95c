"""Quantised layers, and modules of mlx-lm imported without the package."""

from __future__ import annotations

import subprocess
import sys

import mlx.core as mx
import mlx.nn as nn
import pytest

from speechmlx.engines.llm.checkpoint import _architecture
from speechmlx.engines.lm.quantised import dequantise, quantise


class Network(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.linear, self.plain = nn.Embedding(8, 64), nn.Linear(64, 32), nn.Linear(32, 8, bias=False)

    def __call__(self, ids: mx.array) -> mx.array:
        return self.plain(self.linear(self.embedding(ids)))


@pytest.mark.parametrize(("bits", "group_size"), [(4, 32), (8, 64)])
def test_layers_are_quantised_by_the_shapes_of_their_weights(bits: int, group_size: int) -> None:
    source, target, ids = Network(), Network(), mx.array([1, 2])
    nn.quantize(source, group_size, bits, class_predicate=lambda path, _: path in ("embedding", "linear"))
    weights = dict(nn.utils.tree_flatten(source.parameters()))
    quantise(target, weights)
    target.load_weights(list(weights.items()))
    assert (target.linear.bits, target.linear.group_size, type(target.plain)) == (bits, group_size, nn.Linear)
    quantised = target(ids)
    dequantise(target)
    assert (type(target.linear), type(target.embedding)) == (nn.Linear, nn.Embedding)
    assert mx.allclose(target(ids), quantised, atol=1e-4)


def test_networks_that_mlx_lm_has() -> None:
    assert _architecture("llama") is not None
    assert _architecture("no_such_model") is None
    assert _architecture("cache") is None, "a module that is not a network"


def test_a_module_without_the_package() -> None:
    code = """
import sys
from speechmlx.engines.lm.library import load_module
assert load_module("models.cache").KVCache
assert "mlx_lm" not in sys.modules and "transformers" not in sys.modules
assert load_module("models.llama").Model
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
