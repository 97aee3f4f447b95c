"""The last layer of a language model in bfloat16: its logits are float16, all else stays."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten

from speechmlx.engines.lm.head import sharpen_head


class Chatty(nn.Module):  # type: ignore[misc]
    """A network without blocks, whose last layer is its embedding, or one of its own."""

    def __init__(self, tied: bool, quantised: bool) -> None:
        super().__init__()
        mx.random.seed(5)
        self.embed_tokens = nn.Embedding(96, 64)
        self.norm = nn.RMSNorm(64)
        if not tied:
            self.lm_head = nn.Linear(64, 96, bias=False)
        self.set_dtype(mx.bfloat16)
        if quantised:
            nn.quantize(self)

    def __call__(self, tokens: mx.array) -> mx.array:
        x = self.norm(self.embed_tokens(tokens))
        assert x.dtype == mx.bfloat16
        return self.lm_head(x) if "lm_head" in self else self.embed_tokens.as_linear(x)


TOKENS = mx.arange(96)[None]


@pytest.mark.parametrize("tied", [True, False])
def test_logits_are_nearer_to_those_of_float32(tied: bool) -> None:
    narrow, sharp, exact = (Chatty(tied, quantised=False) for _ in range(3))
    sharpen_head(sharp)
    weight = (exact.embed_tokens if tied else exact.lm_head).weight.astype(mx.float32)
    expected = exact.norm(exact.embed_tokens(TOKENS)).astype(mx.float32) @ weight.T
    errors = [float(mx.abs(model(TOKENS).astype(mx.float32) - expected).max()) for model in (narrow, sharp)]
    assert sharp(TOKENS).dtype == mx.float16
    assert errors[1] < errors[0] / 3


@pytest.mark.parametrize("tied", [True, False])
def test_quantised_layers_stay(tied: bool) -> None:
    model = Chatty(tied, quantised=True)
    before = {name: array.dtype for name, array in tree_flatten(model.parameters())}
    sharpen_head(model)
    assert {name: array.dtype for name, array in tree_flatten(model.parameters())} == before
    assert model(TOKENS).dtype == mx.bfloat16
