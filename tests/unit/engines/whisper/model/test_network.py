"""The network in pieces and as a whole."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from support.graph import kernels
from support.plain_mlx import plain_mlx
from support.small_whisper import network

from speechmlx.engines.whisper.decoding.prefill import PromptCache, causal
from speechmlx.engines.whisper.model.network import sinusoids

NET = network()


def test_the_encoder_in_pieces_is_the_whole() -> None:
    mel = mx.array(np.random.default_rng(1).normal(0, 1, (2, 60, 80)).astype(np.float32))
    x = NET.encoder.start(mel)
    for index in range(len(NET.encoder.blocks)):
        x = NET.encoder.block(index, x)
    whole = NET.encoder(mel)
    assert whole.shape == (2, 30, 16)
    np.testing.assert_allclose(np.array(NET.encoder.ln_post(x)), np.array(whole), atol=1e-5)


def test_keys_and_values_are_there_per_layer_and_head() -> None:
    cross = NET.cross(mx.zeros((3, 30, 16)))
    assert [(k.shape, v.shape) for k, v in cross] == [((3, 2, 30, 8),) * 2] * 2


def test_rows_may_share_their_audio() -> None:
    cross = NET.cross(mx.array(np.random.default_rng(1).normal(0, 1, (2, 30, 16)).astype(np.float32)))
    tokens, positions = mx.array([[1], [2], [3], [4]]), mx.zeros((4, 1), mx.int32)
    shared, _ = NET.decoder(tokens, positions, PromptCache(), cross, None)
    apart = [(mx.repeat(k, 2, axis=0), mx.repeat(v, 2, axis=0)) for k, v in cross]
    own, _ = NET.decoder(tokens, positions, PromptCache(), apart, None)
    np.testing.assert_allclose(np.array(shared), np.array(own), atol=1e-4)


def test_attention_scores_come_for_the_heads_asked_for() -> None:
    cross, tokens = NET.cross(mx.zeros((1, 30, 16))), mx.array([[1, 2, 3]])
    _, looked = NET.decoder(
        tokens, mx.arange(3)[None], PromptCache(), cross, causal(3, mx.float32), look={0: [1], 1: [0, 1]}
    )
    assert [scores.shape for scores in looked] == [(1, 1, 3, 30), (1, 2, 3, 30)]


def test_attention_scores_are_those_of_all_heads_and_cost_one_product_a_layer() -> None:
    draw = np.random.default_rng(4)
    cross = NET.cross(mx.array(draw.normal(0, 1, (2, 30, 16)).astype(np.float32)))

    def call(look: dict[int, list[int]] | None) -> tuple[mx.array, list[mx.array]]:
        tokens, positions = mx.array([[1, 2], [3, 4]]), mx.arange(2)[None]
        return NET.decoder(tokens, positions, PromptCache(), cross, causal(2, mx.float32), look=look)

    with plain_mlx():
        hidden, looked = call({0: [1], 1: [0]})
        with_scores, without = kernels(hidden, *looked), kernels(call(None)[0])
    assert with_scores["Matmul"] - without["Matmul"] == 2
    assert with_scores["AddMM"] == without["AddMM"], "the queries are those of the attention itself"
    all_heads = call({0: [0, 1], 1: [0, 1]})[1]
    for found, whole, head in zip(looked, all_heads, (1, 0), strict=True):
        np.testing.assert_allclose(np.array(found)[:, 0], np.array(whole)[:, head], rtol=1e-4, atol=1e-5)


def test_sinusoids() -> None:
    table = np.array(sinusoids(50, 16))
    assert table.shape == (50, 16)
    assert table[0].tolist() == [0.0] * 8 + [1.0] * 8
    np.testing.assert_allclose(table[:, 0], np.sin(np.arange(50)), atol=1e-5)
