"""Prompts read in one pass."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from support.small_whisper import HEADS, VOCABULARY, audio, network

from speechmlx.engines.whisper.decoding.prefill import PromptCache, causal, prefill


def test_a_token_sees_itself_and_those_before() -> None:
    assert causal(1, mx.float32) is None
    mask = causal(3, mx.float32)
    assert mask is not None and mask.shape == (1, 1, 3, 3)
    assert (np.array(mask)[0, 0] == 0).tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_logits_keys_and_scores_of_a_prompt() -> None:
    net, cross = network(), audio(network(), 1)
    prompt = [VOCABULARY.sot_prev, 11, 12, VOCABULARY.sot]
    read = prefill(net, VOCABULARY, [prompt], cross, look=HEADS)
    hidden, _ = net.decoder(mx.array([prompt]), mx.arange(4)[None], PromptCache(), cross, causal(4, mx.float32))
    logits = net.decoder.logits(hidden[:, -1])
    np.testing.assert_allclose(np.array(read.logits), np.array(logits), rtol=1e-4, atol=1e-4)
    chance = mx.softmax(logits, axis=-1)[0, VOCABULARY.no_speech]
    np.testing.assert_allclose(np.array(read.no_speech), [float(chance)], rtol=1e-3)
    assert [pair[0].shape for pair in read.pairs] == [(1, 2, 4, 8)] * 2
    assert [scores.shape for scores in read.looked] == [(1, 2, 4, 40)]
