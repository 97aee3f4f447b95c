"""A flow whose tokens are still coming: pieces give the spectrogram of the whole, and each costs its own frames."""

from __future__ import annotations

import itertools
from collections.abc import Generator

import mlx.core as mx
import numpy as np
import pytest
from support.cosyvoice_runs import tensors
from support.engine_runs import counted, result
from support.small_checkpoints import numbers
from support.tiny_cosyvoice import PROMPT, TOKENS, whole

from speechmlx.engines.parts.chunk_past import ChunkPast
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.token_flow import CHUNK, FlowPrompt, FlowStream, TokenFlow, second_flow, third_flow

STEPS = 10
PIECES = (28, 53, 60)
"""Tokens that are there with each piece; the last three of each but the last only tell how those before go on."""
UNLIMITED = 1 << 40


class Work:
    """Counts what passes through the networks of a flow."""

    def __init__(self, flow: TokenFlow, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tokens, self.frames = list[int](), list[int]()
        conditions, direction = flow.conditions, flow.direction

        def conditioned(
            prompt: FlowPrompt, tokens: tuple[int, ...], chunked: bool, first: int, end: int, past: ChunkPast
        ) -> mx.array:
            self.tokens.append(end - first)
            return conditions(prompt, tokens, chunked, first, end, past)

        def directed(
            x: mx.array, given: mx.array, time: float, chunked: bool, past: ChunkPast
        ) -> Generator[None, None, mx.array]:
            self.frames.append(x.shape[1])
            return direction(x, given, time, chunked, past)

        monkeypatch.setattr(flow, "conditions", conditioned)
        monkeypatch.setattr(flow, "direction", directed)

    def taken(self) -> tuple[int, int, int]:
        """Tokens through the encoder, frames through the estimator and its calls, since the last time."""
        found = sum(self.tokens), sum(self.frames), len(self.frames)
        self.tokens.clear()
        self.frames.clear()
        return found


@pytest.fixture(scope="module", params=["second", "third"])
def flow(request: pytest.FixtureRequest) -> TokenFlow:
    if request.param == "second":
        return second_flow(tensors("flow"), 8, 8, LayerPace())
    return third_flow(tensors("flow3"), 4, LayerPace())


@pytest.fixture(scope="module")
def at_once(flow: TokenFlow) -> np.ndarray:
    """The spectrogram of all tokens."""
    return np.array(result(flow.spectrogram(PROMPT, TOKENS)))


def pushed(stream: FlowStream, end: int) -> np.ndarray:
    return np.array(result(stream.push(TOKENS[:end], end == len(TOKENS))))


def test_pieces_are_the_whole_and_cost_their_own_frames(
    flow: TokenFlow, at_once: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, stream = Work(flow, monkeypatch), FlowStream(flow, PROMPT, UNLIMITED)
    found, costs = [], []
    for end in PIECES:
        found.append(pushed(stream, end))
        costs.append(work.taken())
    np.testing.assert_allclose(np.concatenate(found), at_once, atol=1e-5)
    # The first piece has the recording's chunk too; after it only the piece's own tokens count, not those before.
    assert costs == [(50, 10 * 100, 10), (25, 10 * 50, 10), (10, 10 * 20, 10)]


def test_what_is_kept_is_bounded(flow: TokenFlow, at_once: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond it is computed with each piece, and is the same."""
    most = CHUNK * flow.token_bytes
    work, stream = Work(flow, monkeypatch), FlowStream(flow, PROMPT, most)
    found = [pushed(stream, end) for end in PIECES]
    np.testing.assert_allclose(np.concatenate(found), at_once, atol=1e-5)
    kept = sum(array.nbytes for step in stream._steps for array in step)
    assert most <= kept <= most + 500_000  # the ends that convolutions see
    assert work.taken()[0] == 50 + 50 + 60  # 25 are kept


def test_a_long_recording_is_read_in_bounded_steps(flow: TokenFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    work, stream = Work(flow, monkeypatch), FlowStream(flow, recording := voice(125), 0)
    assert result(stream.push(TOKENS[:28], False)).shape == (50, 80)
    assert max(work.frames) == 200 and work.taken() == (150, 10 * 300, 2 * STEPS)
    assert len(recording.tokens) == 125


def test_steps_are_some_layers_and_change_nothing(
    flow: TokenFlow, at_once: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "_pace", LayerPace(clock=itertools.count(step=10).__next__))  # 10 s a step: a layer each
    layers = len(flow._estimator.layers(mx.zeros(2)))
    steps, found = counted(FlowStream(flow, PROMPT, 0).push(TOKENS, True))
    np.testing.assert_array_equal(np.array(found), at_once)
    assert steps > (STEPS - 1) * layers


def voice(count: int) -> FlowPrompt:
    return FlowPrompt(PROMPT.speaker, whole(1, 40, count), numbers(2, 2 * count, 80))
