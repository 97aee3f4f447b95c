"""A frame that is launched before the last one is read changes nothing of what is drawn, whoever comes and goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import numpy as np
import pytest
from support.engine_runs import run, stream, work
from support.frame_steps import step
from support.talker_cases import GREEDY, Speaking, TalkerCase, cases_in
from support.talking import SHORT, TEXT, same, speak

from speechmlx.engines.parts.kv_rows import STEP
from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.engines.qwen3_tts.frames import FrameLoop
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.types import Chunk, End, Event, FeedText, Speak, SpeakStream

LONG = "These are some words that go on. " * 12
REQUESTS = [
    speak(options={"max_tokens": 7, "seed": 1}),
    speak(LONG, options={"seed": 3}),
    speak("Greedy.", options={"max_tokens": 5, "temperature": 0}),
    speak("And pauses.[pause:80ms] So.[pause:80ms]And so.", options={"seed": 4, "repetition_penalty": 1.5}),
]
Case = tuple[TalkerCase, Talker]


@pytest.fixture
def engine(custom: Qwen3Tts) -> Iterator[Qwen3Tts]:
    yield custom
    custom.loop.pipelined = False


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return cases_in(tmp_path_factory.mktemp("talkers"))[0]


@contextmanager
def frames_of(engine: Qwen3Tts, launched: list[int]) -> Iterator[list[list[int]]]:
    """The codes that are taken while it is open; counts the frames that are launched."""
    taken, take, launch = list[list[int]](), engine.loop.take, engine.loop.launch

    def taking(row: Any) -> Any:
        for frame in take(row):
            taken.append(frame.codes.tolist())
            yield frame

    def launching(rows: Any, texts: Any) -> None:
        launched.append(len(rows))
        launch(rows, texts)

    with patch.object(engine.loop, "take", taking), patch.object(engine.loop, "launch", launching):
        yield taken


def codes_of(engine: Qwen3Tts, pipelined: bool, request: Speak) -> tuple[list[list[int]], list[Event], int]:
    """The codes of a request, its events, and how many frames were launched."""
    engine.loop.pipelined, launched = pipelined, list[int]()
    with frames_of(engine, launched) as taken:
        (events,) = run(engine, request)
    return taken, events, sum(launched)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: one.text[:9])
def test_alone_it_is_the_same_bit_for_bit(engine: Qwen3Tts, request_: Speak) -> None:
    codes, events, launched = codes_of(engine, False, request_)
    assert launched == len(codes)
    assert codes_of(engine, True, request_)[:2] == (codes, events)


def test_a_part_that_ends_early_forgets_one_frame_and_its_chances(engine: Qwen3Tts) -> None:
    codes, events, _ = codes_of(engine, False, REQUESTS[1])
    found, others, launched = codes_of(engine, True, REQUESTS[1])
    assert (found, others) == (codes, events)
    assert len(codes) < launched <= len(codes) + 3, "one frame too many for each part that ended by itself"


def test_no_frame_is_launched_behind_the_last_one_that_may_be(engine: Qwen3Tts) -> None:
    codes, _, launched = codes_of(engine, True, REQUESTS[0])
    assert len(codes) == launched == 7


@pytest.mark.parametrize("pipelined", [False, True])
def test_together_as_alone_whoever_comes_and_is_cancelled(engine: Qwen3Tts, pipelined: bool) -> None:
    expected = [codes_of(engine, False, one)[1] for one in REQUESTS]
    engine.loop.pipelined = pipelined
    first, cancelled = engine.begin(REQUESTS[0]), engine.begin(speak("To be cancelled.", options={"seed": 9}))
    found: list[Event | Exception] = []
    for _ in range(4):
        found += engine.step([first, cancelled])[0]
    engine.end(cancelled)
    events = work(engine, [first, *map(engine.begin, REQUESTS[1:])])
    events[0] = [*found, *events[0]]  # type: ignore[list-item]
    assert all(same(one, other) for one, other in zip(events, expected, strict=True))
    assert [one[-1] for one in events] == [one[-1] for one in expected]
    assert engine.held == engine.loop.memory.nbytes == 0


def test_a_request_that_is_left_out_of_steps_keeps_its_frame(engine: Qwen3Tts) -> None:
    expected = [codes_of(engine, False, one)[1] for one in REQUESTS[:2]]
    engine.loop.pipelined = True
    one, other = map(engine.begin, REQUESTS[:2])
    found: list[list[Event | Exception]] = [[], []]
    for turn in range(60):
        live = [state for state in ((one, other), (one,), (other,), (other,))[turn % 4] if not state.finished]
        for state, events in zip(live, engine.step(live), strict=True):
            found[state is other] += events
    for state, events, wanted in zip((one, other), found, expected, strict=True):
        engine.end(state)
        assert same(events, wanted)  # type: ignore[arg-type]
        assert events[-1] == wanted[-1]


def test_the_first_sounds_are_not_left_on_their_way(engine: Qwen3Tts) -> None:
    engine.loop.pipelined = True
    early = engine.begin(REQUESTS[1])
    for _ in range(4):
        engine.step([early])
    assert early.ahead == 1
    late = engine.begin(speak("Late."))
    for chunks in (1, 2):
        events = engine.step([early, late])[1]
        assert [len(event.pcm16) // 2 for event in events if isinstance(event, Chunk)] == [1920], chunks
    for state in (early, late):
        engine.end(state)


def test_a_row_that_waits_for_text_is_not_launched_ahead(engine: Qwen3Tts) -> None:
    whole = stream(engine, [TEXT], options=SHORT)
    engine.loop.pipelined = True
    state = engine.begin(SpeakStream(options=SHORT))
    (events,) = work(engine, [state], [[*map(FeedText, TEXT), End()]])
    assert events == whole


def test_together_and_pipelined_texts_come_in_pieces(engine: Qwen3Tts) -> None:
    commands = [[*map(FeedText, ("Hello the", "re, you", ".")), End()], [FeedText("Then"), FeedText(" this."), End()]]
    alone = [work(engine, [engine.begin(SpeakStream(options=SHORT))], [one])[0] for one in commands]
    engine.loop.pipelined = True
    together = work(engine, [engine.begin(SpeakStream(options=SHORT)) for _ in commands], commands)
    assert all(same(one, other) for one, other in zip(alone, together, strict=True))
    assert [one[-1] for one in alone] == [one[-1] for one in together]


def test_no_numbers_in_a_forgotten_frame_stay_in_its_place(case: Case) -> None:
    """Attention multiplies what a row does not see by zero."""
    told, talker = case
    loop = FrameLoop(talker, told.config, mx.float32, fused=False, pipelined=True)
    *stay, goes = (Speaking(loop, talker, told, GREEDY, 1000) for _ in range(4))  # three keep all four places
    assert step(loop, [goes.row], [goes.text]) == []
    state, length = goes.row.random.bit_generator.state, goes.row.length
    with patch.object(Talker, "text", lambda _, ids: mx.full((len(ids), talker.model.norm.weight.size), mx.nan)):
        (frame,) = step(loop, [goes.row], [goes.text])
    assert frame.good
    place, nan = goes.row.place, [bool(mx.isnan(one).any()) for one in loop.memory.values]
    loop.leave(goes.row)
    assert (goes.row.length, goes.row.random.bit_generator.state) == (length, state)
    late = Speaking(loop, talker, told, GREEDY, 1000)
    assert late.row.place == place
    late.row.at_once = stay[0].row.at_once = True
    frames = step(loop, [stay[0].row, late.row], [stay[0].text, late.text])
    assert any(nan)
    assert [frame.good for frame in frames] == [True] * 2
    assert np.array_equal(frames[1].codes, told.codes[0])


@pytest.mark.parametrize("pipelined", [False, True])
def test_what_is_on_its_way_makes_no_copy_of_a_cache(case: Case, pipelined: bool) -> None:
    """A GPU holds what an evaluation was asked for until it has ended; here it is held until the next one."""
    told, talker = case
    loop = FrameLoop(talker, told.config, mx.float32, fused=False, pipelined=pipelined)
    rows = [Speaking(loop, talker, told, GREEDY, 1000) for _ in range(4)]
    loop.memory.fit(4, 64 * STEP)
    held = list[mx.array]()

    def launch(*asked: Any, evaluate: Callable[..., None] = mx.async_eval) -> None:
        evaluate(*asked)
        held[:] = [array.flatten() for array in arrays(asked)]
        mx.eval(held)

    with patch.object(mx, "async_eval", launch):
        step(loop, [one.row for one in rows], [one.text for one in rows])
        before, reads = mx.get_active_memory(), loop.reads
        mx.reset_peak_memory()
        for _ in range(3):
            step(loop, [one.row for one in rows], [one.text for one in rows])
        assert loop.reads - reads == 3
        assert mx.get_peak_memory() - before < loop.memory.nbytes / told.config.shape.talker.layers / 4


def arrays(tree: Any) -> Iterator[mx.array]:
    if isinstance(tree, Sequence):
        for one in tree:
            yield from arrays(one)
    else:
        yield tree
