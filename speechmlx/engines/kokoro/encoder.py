"""Predicts text features, durations, pitch and energy from phoneme tokens.

ALBERT, and what becomes pitch and energy, are float32 also where the weights are float16, because rounding in them is
heard. Nine sentences of 2 to 3 s in eight voices against float32, float16 values with float32 sums as Metal has them,
computed with MLX's CPU backend on Linux (Metal itself is unmeasured): with ALBERT in float16 one sentence came out a
frame shorter, and magnitudes of the others had a signal-to-noise ratio of 28 to 36 dB; with ALBERT in float32 all had
their length and 30 to 37 dB, and with the rhythm in float32 too 31 to 37 dB. In bfloat16 one of six sentences had
another length even with the whole encoder in float32, and the others 23 to 32 dB.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx

from speechmlx.engines.kokoro.layers import Layer, Recurrence, Styled, Weights, conv, leaky, linear, lstm, styled_block


@dataclass(frozen=True)
class TextEncoder:
    """The parts of the network in the order they run. Styles are [1, 128]. n tokens become t frames of 25 ms.

    Parts with a recurrence take several texts at once; each comes out as it does alone.
    """

    context: Callable[[mx.array], mx.array]
    """Token ids [n] → output of ALBERT [n, 512]."""
    rhythm: Callable[[Sequence[mx.array], Sequence[mx.array]], list[mx.array]]
    """(context [n, 512], style) of each text → features concatenated with the style [n, 640]."""
    durations: Recurrence
    """Rhythm [n, 640] of each text → duration of each token at speed 1, in frames, float [n]."""
    melody: Recurrence
    """Rhythm per frame [t, 640] of each text → features of pitch and energy [t, 512], float32."""
    curves: Callable[[mx.array, mx.array], tuple[mx.array, mx.array]]
    """(melody [t, 512], style) → F0 in Hz [2t] and energy [2t], float32: rounded pitch is audible."""
    text: Recurrence
    """Token ids [n] of each text → text features [n, 512]."""


def build(weights: Weights, config: Mapping[str, Any]) -> TextEncoder:
    hidden = int(config["hidden_dim"])
    return TextEncoder(
        context=_exact_albert(weights, config["plbert"]),
        rhythm=_rhythm(weights, int(config["n_layer"])),
        durations=_durations(weights),
        melody=_melody(weights.exact()),
        curves=_curves(weights.exact(), hidden),
        text=_text(weights, hidden, int(config["n_layer"])),
    )


def _layer_norm(weights: Weights, name: str, eps: float) -> Layer:
    scale = "gamma" if f"{name}.gamma" in weights.tensors else "weight"
    shift = "beta" if f"{name}.beta" in weights.tensors else "bias"
    gamma, beta = weights[f"{name}.{scale}"], weights[f"{name}.{shift}"]
    return lambda x: mx.fast.layer_norm(x, gamma, beta, eps)


def _gelu(x: mx.array) -> mx.array:
    return x * (1 + mx.erf(x * math.sqrt(0.5))) * 0.5


def _gelu_of(weights: Weights) -> Callable[[mx.array], mx.array]:
    if not weights.cpu:
        return _gelu
    from speechmlx.engines import cpu  # imported late: unused on a GPU

    return cpu.gelu


def _exact_albert(weights: Weights, config: Mapping[str, Any]) -> Callable[[mx.array], mx.array]:
    albert, dtype = _albert(weights.exact(), config), weights.dtype  # the weights as they were read are let go
    return lambda tokens: albert(tokens).astype(dtype)


def _albert(weights: Weights, config: Mapping[str, Any]) -> Callable[[mx.array], mx.array]:
    """ALBERT: one transformer layer applied `num_hidden_layers` times."""
    eps, heads = 1e-12, int(config["num_attention_heads"])
    words = weights["bert.embeddings.word_embeddings.weight"]
    places = weights["bert.embeddings.position_embeddings.weight"]
    kind = weights["bert.embeddings.token_type_embeddings.weight"][0]
    norm = _layer_norm(weights, "bert.embeddings.LayerNorm", eps)
    widen = linear(weights, "bert.encoder.embedding_hidden_mapping_in")
    layer = _albert_layer(weights, "bert.encoder.albert_layer_groups.0.albert_layers.0", heads, eps)
    out = linear(weights, "bert_encoder")

    def run(tokens: mx.array) -> mx.array:
        x = widen(norm(words[tokens] + places[: tokens.shape[0]] + kind))
        for _ in range(int(config["num_hidden_layers"])):
            x = layer(x)
        return out(x)

    return run


def _albert_layer(weights: Weights, name: str, heads: int, eps: float) -> Layer:
    query, key, value, dense = (linear(weights, f"{name}.attention.{p}") for p in ("query", "key", "value", "dense"))
    norm, last_norm = (
        _layer_norm(weights, f"{name}.{p}", eps) for p in ("attention.LayerNorm", "full_layer_layer_norm")
    )
    activate = _gelu_of(weights)
    grow, shrink = linear(weights, f"{name}.ffn"), linear(weights, f"{name}.ffn_output")

    def split(x: mx.array) -> mx.array:
        return x.reshape(1, x.shape[0], heads, -1).transpose(0, 2, 1, 3)

    def run(x: mx.array) -> mx.array:
        scale = math.sqrt(heads / x.shape[1])
        y = mx.fast.scaled_dot_product_attention(split(query(x)), split(key(x)), split(value(x)), scale=scale)
        y = norm(dense(y[0].swapaxes(0, 1).reshape(x.shape)) + x)
        return last_norm(shrink(activate(grow(y))) + y)

    return run


def _rhythm(weights: Weights, depth: int) -> Callable[[Sequence[mx.array], Sequence[mx.array]], list[mx.array]]:
    name = "predictor.text_encoder.lstms"
    lstms = [lstm(weights, f"{name}.{2 * i}") for i in range(depth)]
    styles_fc = [linear(weights, f"{name}.{2 * i + 1}.fc") for i in range(depth)]

    def styled(x: mx.array, style: mx.array) -> mx.array:
        return mx.concatenate([x, mx.broadcast_to(style, (x.shape[0], style.shape[1]))], axis=1)

    def normed(x: mx.array, style: mx.array, style_fc: Layer) -> mx.array:
        gamma, beta = mx.split(style_fc(style), 2, axis=1)
        return mx.fast.layer_norm(x, None, None, 1e-5) * (1 + gamma) + beta

    def run(contexts: Sequence[mx.array], styles: Sequence[mx.array]) -> list[mx.array]:
        texts = list(map(styled, contexts, styles))
        for recur, style_fc in zip(lstms, styles_fc, strict=True):
            pairs = zip(recur(texts), styles, strict=True)
            texts = [styled(normed(x, style, style_fc), style) for x, style in pairs]
        return texts

    return run


def _durations(weights: Weights) -> Recurrence:
    recur, project = lstm(weights, "predictor.lstm"), linear(weights, "predictor.duration_proj.linear_layer")
    return lambda texts: [mx.sigmoid(project(x).astype(mx.float32)).sum(axis=-1) for x in recur(texts)]


def _melody(weights: Weights) -> Recurrence:
    recur = lstm(weights, "predictor.shared")
    return lambda texts: recur([x.astype(mx.float32) for x in texts])


def _curves(weights: Weights, hidden: int) -> Callable[[mx.array, mx.array], tuple[mx.array, mx.array]]:
    half = hidden // 2

    def curve(name: str) -> Styled:
        blocks = (
            styled_block(weights, f"predictor.{name}.0", hidden, hidden),
            styled_block(weights, f"predictor.{name}.1", hidden, half, double=True),
            styled_block(weights, f"predictor.{name}.2", half, half),
        )
        project = conv(weights, f"predictor.{name}_proj", half)

        def run(x: mx.array, style: mx.array) -> mx.array:
            for block in blocks:
                x = block(x, style)
            return project(x)[:, 0]

        return run

    pitch, energy = curve("F0"), curve("N")

    def run(x: mx.array, style: mx.array) -> tuple[mx.array, mx.array]:
        style = style.astype(mx.float32)
        return pitch(x, style), energy(x, style)

    return run


def _text(weights: Weights, hidden: int, depth: int) -> Recurrence:
    embedding = weights["text_encoder.embedding.weight"]
    convs = [conv(weights, f"text_encoder.cnn.{i}.0", hidden) for i in range(depth)]
    norms = [_layer_norm(weights, f"text_encoder.cnn.{i}.1", 1e-5) for i in range(depth)]
    recur = lstm(weights, "text_encoder.lstm")

    def features(tokens: mx.array) -> mx.array:
        x = embedding[tokens]
        for convolve, norm in zip(convs, norms, strict=True):
            x = leaky(norm(convolve(x)), 0.2)
        return x

    return lambda texts: recur([features(tokens) for tokens in texts])
