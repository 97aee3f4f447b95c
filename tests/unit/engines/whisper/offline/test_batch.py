"""The life of windows in the batch, on a network of random weights: which stage is worked on, and what is freed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support.small_whisper import HEADS, VOCABULARY, network

from speechmlx.engines import AIM, LONG_AIM
from speechmlx.engines.step_size import StepSize
from speechmlx.engines.whisper.decoding import quality
from speechmlx.engines.whisper.model import mel
from speechmlx.engines.whisper.offline import encoder_pass
from speechmlx.engines.whisper.offline import window as window_module
from speechmlx.engines.whisper.offline.batch import WindowBatch
from speechmlx.engines.whisper.offline.encoder_pass import PIECE
from speechmlx.engines.whisper.offline.transcription import TranscriptionState
from speechmlx.engines.whisper.offline.window import ClipQueue, Stage
from speechmlx.engines.whisper.seat_memory import SeatClaims, SeatSizes
from speechmlx.types import Audio, Event, Segment, Transcribe, Usage

RATE = 16_000


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a second, a few tokens, and never silent."""
    monkeypatch.setattr(mel, "WINDOW_FRAMES", 100)
    monkeypatch.setattr(quality, "NO_SPEECH_LIMIT", 1.0)
    monkeypatch.setattr(window_module, "TOKENS", 5)
    monkeypatch.setattr(window_module, "TOKENS_PER_SECOND", 0)


def noise(seconds: float, seed: int = 1) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def request(seconds: float = 0.8, **options: Any) -> Transcribe:
    """Decoded once, without loudness: a random network's words are likely to nobody."""
    options = {"vad": False, "temperatures": (0.0,), **options}
    return Transcribe(audio=Audio(noise(seconds, round(10 * seconds)), RATE), **options)


def batch(device: str = "cpu") -> WindowBatch:
    return WindowBatch(network(), VOCABULARY, HEADS, device, SeatClaims(SeatSizes.of(network(), 4)))


def sized(units: int, aim: float) -> WindowBatch:
    """On the path of a GPU, with steps of one size."""
    engine = batch("gpu")
    engine._size, engine.aim = StepSize(units, units, units), aim
    return engine


def run(engine: WindowBatch, states: Sequence[TranscriptionState]) -> list[list[Event | Exception]]:
    found: list[list[Event | Exception]] = [[] for _ in states]
    while live := [state for state in states if not state.finished]:
        for state, events in zip(live, engine.step(live), strict=True):
            found[states.index(state)] += events
    for state in states:
        engine.end(state)
    return found


def tokens(events: Sequence[Event | Exception]) -> list[int]:
    return [token for event in events if isinstance(event, Segment) for token in event.tokens]


def is_empty(engine: WindowBatch) -> bool:
    return not engine._states and not engine._passes and not engine._greedy.rows


def fresh(engine: WindowBatch) -> bool:
    """Whether a window has just entered the encoder."""
    return bool(engine._passes) and engine._passes[0].is_fresh


def _taking_a_second(now: list[float], function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        now[0] += 1
        return function(*args)

    return run


def stages(state: TranscriptionState) -> list[Stage]:
    return [window.stage for window in state.windows]


@pytest.mark.parametrize("words", [True, False])
def test_a_window_goes_through_its_stages(words: bool) -> None:
    engine = batch()
    state = engine.begin(request(words=words))
    seen: list[Stage] = []
    while not state.finished:
        seen += [stage for stage in stages(state) if stage not in seen]
        (events,) = engine.step([state])
    assert seen == [stage for stage in Stage if words or stage is not Stage.ALIGNING]
    assert isinstance(events[-1], Usage) and events[-1].tokens_out > 0
    engine.end(state)
    assert is_empty(engine)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("options", [{}, {"words": True}, {"beam_size": 2}, {"temperatures": (0.0, 0.4)}])
def test_together_as_alone(device: str, options: dict[str, Any]) -> None:
    requests = [request(seconds, **options) for seconds in (0.5, 0.8, 2.5)]
    engine = batch(device)
    expected = [tokens(run(engine, [engine.begin(one)])[0]) for one in requests]
    assert list(map(tokens, run(engine, [engine.begin(one) for one in requests]))) == expected and any(expected)
    assert is_empty(engine)


@pytest.mark.parametrize("aim", [AIM, LONG_AIM])
def test_the_size_of_steps_changes_no_token(aim: float) -> None:
    requests = [request(seconds, words=True) for seconds in (0.5, 0.8, 2.5)]
    expected = [tokens(run(engine, [engine.begin(one)])[0]) for one in requests if (engine := sized(1, aim))]
    assert any(expected)
    for units in (1, 2, 4, 8, 256):
        engine = sized(units, aim)
        assert list(map(tokens, run(engine, [engine.begin(one) for one in requests]))) == expected
        assert is_empty(engine)


@pytest.mark.parametrize(
    ("units", "aim", "together"), [(1, LONG_AIM, 1), (2, LONG_AIM, 2), (64, LONG_AIM, 4), (64, AIM, 1)]
)
def test_windows_that_are_encoded_together(units: int, aim: float, together: int) -> None:
    engine = sized(units, aim)
    states = [engine.begin(request(0.5)) for _ in range(4)]
    while not engine._passes:
        engine.step(states)
    assert len(engine._passes[0].windows) == together


@pytest.mark.parametrize("slices", range(3))
def test_windows_are_encoded_one_by_one_as_soon_as_somebody_waits(slices: int) -> None:
    requests = [request(seconds) for seconds in (0.5, 0.7, 0.8)]
    expected = [tokens(run(engine, [engine.begin(one)])[0]) for one in requests if (engine := sized(1, AIM))]
    engine = sized(4, LONG_AIM)
    states = [engine.begin(one) for one in requests]
    while not engine._passes:
        engine.step(states)
    for _ in range(slices):
        engine.step(states)
    assert len(engine._passes[0].windows) == 3, "3 windows, a block a slice, then the keys and values"
    engine.aim, rows = AIM, list[int]()
    while engine._passes:
        engine.step(states)
        rows += [len(one.windows) for one in engine._passes]
    assert set(rows) == {1}
    assert list(map(tokens, run(engine, states))) == expected and is_empty(engine)


@pytest.mark.parametrize("part", ["start", "block", "cross"])
def test_all_work_of_the_encoder_makes_its_steps_shorter(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """On a clock that one kind of work moves, a second a time."""
    now, small = [0.0], network()
    where = small if part == "cross" else small.encoder
    monkeypatch.setattr(where, part, _taking_a_second(now, getattr(where, part)), raising=False)
    engine = sized(8, AIM)
    engine._size = StepSize(8, 1, 8, clock=lambda: now[0])
    for _ in range(2):
        state = engine.begin(request(0.5))
        while stages(state) != [Stage.ENCODED]:
            engine.step([state])
        engine.end(state)
    assert engine._size.units(AIM) < 8


def test_a_slice_of_the_encoder_follows_the_time_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mel, "WINDOW_FRAMES", 4 * PIECE)
    engine = sized(1, aim=10.0)
    engine._size = StepSize(4, 1, 8, clock=iter(range(100)).__next__)  # a second a slice
    slices = []
    for _ in range(2):
        state = engine.begin(request(0.5))
        while stages(state) != [Stage.ENCODED]:
            engine.step([state])
            slices += [stages(state)]
        engine.end(state)
    first, second = 1 + 2, 1 + 1  # the start, and two blocks one by one; then both in one
    assert slices.count([Stage.ENCODING]) == first + second


def test_the_encoder_goes_before_the_decoder_as_long_as_there_are_seats() -> None:
    engine = batch()
    states = [engine.begin(request(0.5)) for _ in range(6)]
    while not any(Stage.DECODING in stages(state) for state in states):
        engine.step(states)
    assert sorted(stage.name for state in states for stage in stages(state)) == ["DECODING"] * 4 + ["WAITING"] * 2


def test_a_beam_takes_two_seats() -> None:
    engine = batch()
    states = [engine.begin(request(0.5, beam_size=2)) for _ in range(4)]
    most = 0
    while not all(state.finished for state in states):
        engine.step(states)
        seated = [window for state in states for window in state.windows if window.stage is Stage.DECODING]
        if sum(window.search is not None for window in seated) > 2:
            most = max(most, len(seated))
    assert most <= 4
    for state in states:
        engine.end(state)
    assert is_empty(engine)


def test_the_request_with_fewest_windows_under_way_goes_first() -> None:
    engine = batch()
    many, other = engine.begin(request(0.9)), engine.begin(request(0.5))
    while not (many.prepared and other.prepared):
        engine.step([many, other])
    many.queues = [ClipQueue(many, [(30 * index, 30 * index + 30)]) for index in range(3)]
    order: list[Any] = []
    while len(order) < 4:
        engine.step([many, other])
        encoding = [state for state in (many, other) if Stage.ENCODING in stages(state)]
        order += encoding if fresh(engine) else []
    assert order == [many, other, many, many]


@pytest.mark.parametrize("beam_size", [1, 2])
@pytest.mark.parametrize("stage", list(Stage))
def test_ending_at_any_stage_frees_and_leaves_the_others_alone(stage: Stage, beam_size: int) -> None:
    engine = batch()
    (expected,) = run(engine, [engine.begin(request(0.8, words=True))])
    state = engine.begin(request(0.5, words=True, beam_size=beam_size))
    while stages(state) != [stage]:
        engine.step([state])
    other = engine.begin(request(0.8, words=True))
    engine.end(state)
    assert tokens(run(engine, [other])[0]) == tokens(expected)
    assert is_empty(engine)


def test_a_request_that_ends_in_the_encoder_beside_another_is_dropped_there() -> None:
    engine = batch("gpu")
    engine._size = StepSize(2, 2, 2)
    states = [engine.begin(request(seconds)) for seconds in (0.5, 0.8)]
    while stages(states[0]) != [Stage.ENCODING]:
        engine.step(states)
    assert stages(states[1]) == [Stage.ENCODING]
    engine.end(states[0])
    (events,) = run(engine, states[1:])
    assert isinstance(events[-1], Usage) and is_empty(engine)


def test_a_pass_that_is_split_leaves_out_requests_that_have_ended() -> None:
    engine = sized(4, LONG_AIM)
    states = [engine.begin(request(0.5)) for _ in range(4)]
    while not engine._passes:
        engine.step(states)
    assert len(engine._passes[0].windows) == 4
    for state in (states[0], states[2]):
        engine.end(state)
    engine.aim = AIM
    engine.step(states[1::2])
    assert [one.windows[0].state for one in engine._passes] == states[1::2]


@pytest.mark.parametrize("is_split", [False, True])
def test_a_search_keeps_the_audio_of_its_own_window_alone(monkeypatch: pytest.MonkeyPatch, is_split: bool) -> None:
    """Also where a pass is split between two layers of the decoder."""
    monkeypatch.setattr(encoder_pass, "CROSS", 1)
    engine = sized(2, LONG_AIM)  # a block of both windows, or a layer
    states = [engine.begin(request(0.5, beam_size=2)) for _ in range(2)]
    while not (engine._passes and engine._passes[0]._cross):
        engine.step(states)
    assert [len(one.windows) for one in engine._passes] == [2]
    engine.aim = AIM if is_split else LONG_AIM
    while len(windows := engine._at(Stage.ENCODED)) < 2:
        engine.step(states)
    own = sum(array.nbytes for pair in windows[0].cross or () for array in pair)
    gc.collect()
    before = mx.get_active_memory()
    windows[0].cross = None
    assert before - mx.get_active_memory() >= own > 0
