"""A frame that is launched before the last one is read changes nothing of what is drawn, whoever comes and goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import numpy as np
import pytest
from support import graph
from support.engine_runs import run, told, work
from support.tiny_chattts import endless, write_folder

from speechmlx.engines import LoadOptions, chattts
from speechmlx.engines.chattts.engine import ChatTts
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.step_size import StepSize
from speechmlx.types import Event, Speak

PLAIN = {"skip_refine_text": True}
SENTENCES = "The first one is said here, and it is long enough. The second one is said after it, as long as that."
REQUESTS = [
    Speak(text=SENTENCES, options={"seed": 3, **PLAIN}),
    Speak(text="I. [pause:0.1s] You laugh", options={"seed": 4}),
    Speak(text="It repeats", options={"seed": 5, "repetition_penalty": 2.0, "temperature": 1.5, **PLAIN}),
]


@pytest.fixture(scope="module", params=["ending", "endless"])
def engine(
    tmp_path_factory: pytest.TempPathFactory,
    loaded: Callable[..., Any],
    cold: LoadOptions,
    request: pytest.FixtureRequest,
) -> ChatTts:
    weights = endless() if request.param == "endless" else None
    engine: ChatTts = loaded(chattts.load(write_folder(tmp_path_factory.mktemp("pipelined"), weights), cold))
    engine._piece = StepSize(64, 64, 64)
    return engine


@pytest.fixture(autouse=True)
def waiting(engine: ChatTts) -> Iterator[None]:
    """Speech that does not end is cut off after 30 frames and one for each letter."""
    with patch.multiple("speechmlx.engines.chattts.manner", FRAMES_EACH=1, FRAMES_LEAST=30):
        yield
    engine._loop._pipelined = False


def alone(engine: ChatTts, request: Speak) -> list[Event]:
    """Its events where each frame is read before the next one is launched."""
    engine._loop._pipelined = False
    return run(engine, request)[0]


def test_it_is_the_same_bit_for_bit(engine: ChatTts) -> None:
    for request in REQUESTS:
        expected = alone(engine, request)
        engine._loop._pipelined = True
        assert run(engine, request)[0] == expected


def test_together_as_alone_whoever_comes_and_is_cancelled(engine: ChatTts) -> None:
    expected = [alone(engine, request) for request in REQUESTS]
    engine._loop._pipelined = True
    first, cancelled = engine.begin(REQUESTS[0]), engine.begin(Speak(text="Cancelled.", options=PLAIN))
    found = list[Event | Exception]()
    for _ in range(9):
        found += engine.step([first, cancelled])[0]
    engine.end(cancelled)
    events = work(engine, [first, *map(engine.begin, REQUESTS[1:])])
    assert [[*found, *events[0]], *events[1:]] == expected
    assert engine.held == 0 and not engine._loop._batch.members and engine._loop._pending is None


def test_a_request_that_is_left_out_of_steps_keeps_its_frame(engine: ChatTts) -> None:
    expected = [alone(engine, request) for request in REQUESTS[:2]]
    engine._loop._pipelined = True
    one, other = map(engine.begin, REQUESTS[:2])
    found: list[list[Event | Exception]] = [[], []]
    turn = 0
    while live := [state for state in ((one, other), (one,), (other,), (other,))[turn % 4] if not state.finished]:
        for state, events in zip(live, engine.step(live), strict=True):
            found[state is other] += events
        turn += 1
    rest = [state for state in (one, other) if not state.finished]
    for state, events in zip(rest, work(engine, rest), strict=True):
        found[state is other] += events
    for state in (one, other):
        if state not in rest:
            engine.end(state)
    assert found == expected


def test_as_many_frames_are_launched_as_are_drawn_and_none_is_left_to_compute(engine: ChatTts) -> None:
    """But for one behind a speech that ends by itself."""
    engine._loop._pipelined, launched = True, list[str]()
    with patch.object(engine._loop, "_launch", told(launched, "frame", engine._loop._launch)):
        state = engine.begin(REQUESTS[2])
        while not state.pieces or not state.pieces[0].sequence.is_over:
            engine.step([state])
            if state.pieces and (states := state.pieces[0].sequence.states):
                assert not graph.kernels(*states)
    sequence = state.pieces[0].sequence
    engine.end(state)
    assert len(launched) == len(sequence.states) == len(sequence.drawn) + (0 if sequence.is_cut_off else 2)


def test_numbers_that_are_none_end_their_request_alone(engine: ChatTts) -> None:
    (mark,) = engine._tokens.encode("z")
    embeddings = engine._model.model.embed_tokens
    whole = embeddings.weight
    broken = np.array(whole)
    broken[mark] = np.nan
    expected = alone(engine, REQUESTS[2])
    try:
        embeddings.weight, engine._loop._pipelined = mx.array(broken), True
        good, bad = engine.begin(REQUESTS[2]), engine.begin(Speak(text="Zz", options=PLAIN))
        found: list[list[Event | Exception]] = [[], []]
        while not bad.finished:
            for one, events in zip(found, engine.step([good, bad]), strict=True):
                one += events
        engine.end(bad)
        assert isinstance(found[1][-1], NotFinite)
        assert [*found[0], *work(engine, [good])[0]] == expected
    finally:
        embeddings.weight = whole
