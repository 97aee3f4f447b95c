"""Moshi where what is heard, said, a voice or a prompt is no finite numbers: whom that ends, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from support import tiny_moshi
from support.engine_runs import run
from support.moshi_runs import RATE, assert_same, question, sound

from speechmlx.engines import LoadOptions, moshi
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.moshi.engine import MoshiEngine
from speechmlx.engines.moshi.network import MoshiNetwork
from speechmlx.engines.parts.mimi import Mimi
from speechmlx.types import Audio, Chunk, Converse, Event, Feed, ReferenceVoice, TextDelta

SPOILT = 5.0
"""A level that only these have."""


@pytest.fixture(scope="module")
def engine(loaded: Callable[..., Any], cold: LoadOptions, tmp_path_factory: pytest.TempPathFactory) -> MoshiEngine:
    return loaded(moshi.load(tiny_moshi.folder(tmp_path_factory.mktemp("personaplex"), 16), cold))


@pytest.fixture(scope="module")
def plain(loaded: Callable[..., Any], cold: LoadOptions, tmp_path_factory: pytest.TempPathFactory) -> MoshiEngine:
    """A model without voices and roles."""
    return loaded(moshi.load(tiny_moshi.folder(tmp_path_factory.mktemp("moshi"), 8), cold))


@pytest.fixture(scope="module")
def answer() -> Callable[[MoshiEngine], list[Event]]:
    """answer(engine) → the events of question(1) alone, found once."""
    return cache(lambda engine: run(engine, question(1))[0])


@pytest.fixture(autouse=True)
def same_draws() -> Iterator[None]:
    """Every conversation draws the same numbers."""
    with patch("speechmlx.engines.moshi.engine.os.urandom", lambda count: b"\7" * count):
        yield


@pytest.fixture
def deaf() -> Iterator[None]:
    """The codec's encoder computes NaN of sound that is so loud."""
    encode = Mimi.encode

    def broken(self: Mimi, samples: mx.array, state: list[mx.array]) -> Any:
        loud = mx.max(mx.abs(samples), axis=1, keepdims=True) > SPOILT
        return encode(self, mx.where(loud, mx.nan, samples), state)

    with patch.object(Mimi, "encode", broken):
        yield


def stepped(engine: MoshiEngine, *states: Any) -> list[list[Event | Exception]]:
    """All events of `states`, which step together until there is nothing to do."""
    found: list[list[Event | Exception]] = [[] for _ in states]
    while live := [place for place, state in enumerate(states) if state.busy]:
        for place, events in zip(live, engine.step([states[place] for place in live]), strict=True):
            found[place] += events
    for state in states:
        engine.end(state)
    return found


def loud(seconds: float) -> Any:
    return np.full(int(seconds * RATE), 2 * SPOILT, np.float32)


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("model", ["engine", "plain"])
def test_what_is_heard_as_no_number_ends_its_conversation_alone(request: pytest.FixtureRequest, model: str) -> None:
    engine = request.getfixturevalue(model)
    expected = [run(engine, one)[0] for one in (question(1), question(2))]
    states = [engine.begin(question(1)), engine.begin(Converse())]
    engine.feed(states[1], Feed(np.concatenate([sound(1, 2), loud(1)])))
    good, bad = stepped(engine, *states)
    assert [type(event) for event in bad if not isinstance(event, TextDelta)] == [Chunk, Chunk, NotFinite]
    assert "the codec's encoder" in str(bad[-1])
    assert_same([good, run(engine, question(2))[0]], expected)  # type: ignore[list-item]


SPOILT_PARTS: dict[str, tuple[Callable[[MoshiNetwork], nn.Linear], str]] = {
    "text": (lambda network: network.text_linear, "the network gave"),
    "a codebook's input": (lambda network: network.depformer.slices[3].linear_in, "the network's codebooks gave"),
    "first codebook": (lambda network: network.depformer.slices[0].linear_out, "the network's codebooks gave"),
    "codebook between": (lambda network: network.depformer.slices[4].linear_out, "the network's codebooks gave"),
    "last codebook": (lambda network: network.depformer.slices[-1].linear_out, "the network's codebooks gave"),
}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", SPOILT_PARTS)
@pytest.mark.parametrize("model", ["engine", "plain"])
def test_what_is_said_as_no_number_ends_its_conversation_alone(
    request: pytest.FixtureRequest, answer: Callable[[MoshiEngine], list[Event]], model: str, part: str, value: float
) -> None:
    """Also where it is one logit, and all other parts compute numbers."""
    engine = request.getfixturevalue(model)
    chosen, stage = SPOILT_PARTS[part]
    expected, linear, call = [answer(engine)], chosen(engine._step.network), nn.Linear.__call__

    def broken(self: nn.Linear, x: mx.array) -> mx.array:
        y = call(self, x)
        if self is linear and len(y) == 2:
            y[1, ..., 5] = value
        return y

    states = [engine.begin(question(seed)) for seed in (1, 2)]
    for state in states:
        engine.step([state])  # what a model without a prompt hears first it hears alone
    with patch.object(nn.Linear, "__call__", broken):
        good, bad = stepped(engine, *states)
    assert [type(event) for event in bad] == [NotFinite] and stage in str(bad[0])
    assert_same([good], expected)  # type: ignore[list-item]


@pytest.mark.usefixtures("deaf")
def test_a_voice_that_is_no_numbers_ends_its_request_alone(engine: MoshiEngine) -> None:
    """And nothing is kept of it."""
    spoken = np.sin(np.arange(2 * RATE) * 0.05).astype(np.float32)
    voice = ReferenceVoice(Audio(0.2 * spoken, RATE), "", "hers")
    expected = [run(engine, one)[0] for one in (question(1), question(2, voice=voice))]
    engine._prompts.clear()
    with patch("speechmlx.engines.moshi.engine._imitable", lambda _: loud(2)):
        states = [engine.begin(one) for one in (question(1), question(2, voice=voice))]
    good, bad = stepped(engine, *states)
    assert [type(event) for event in bad] == [NotFinite] and "the codec's encoder" in str(bad[0])
    assert [*engine._prompts._states] == [(None, None)], "of the other conversation"
    assert_same([good, run(engine, question(2, voice=voice))[0]], expected)  # type: ignore[list-item]


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("left", ["in a prompt", "behind a prompt", "behind a frame"])
def test_who_leaves_no_numbers_behind_spoils_no_other(engine: MoshiEngine, left: str) -> None:
    """Also where it leaves in its prompt, before anybody looked at what was read."""
    good, expected = engine.begin(question(1)), [run(engine, one)[0] for one in (question(1), question(2))]
    bad = engine.begin(Converse())
    engine.feed(bad, Feed(loud(1)))
    told: list[Event | Exception] = []
    hear = MoshiNetwork.hear
    with patch.object(MoshiNetwork, "hear", lambda self, x, rings: hear(self, x + mx.nan, rings)):
        if left != "behind a frame":
            engine._prompts.clear()
            engine.step([bad])
        while left == "behind a prompt" and bad.busy:
            told += engine.step([bad])[0]
    while left == "behind a frame" and bad.busy:
        told += engine.step([good, bad])[1]
    engine.end(bad)
    assert [type(event) for event in told] == ([] if left == "in a prompt" else [NotFinite])
    late = engine.begin(question(2))
    assert_same(stepped(engine, good, late), expected)  # type: ignore[arg-type]
