"""The memory of seats: claims beside what the arrays come to, on a network of random weights, and what is refused."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support.small_whisper import HEADS, network

from speechmlx.config import Config
from speechmlx.engines import Claiming
from speechmlx.engines.whisper.decoding import quality
from speechmlx.engines.whisper.engine import MAX_BATCH, Whisper
from speechmlx.engines.whisper.model.network import GPU, Dims, Network, Pair
from speechmlx.engines.whisper.offline import window as window_module
from speechmlx.engines.whisper.seat_memory import SeatSizes
from speechmlx.engines.whisper.streaming import alignatt
from speechmlx.errors import BadRequest, Busy
from speechmlx.machine import GIB, GPU_SHARE, default_memory
from speechmlx.models.catalog import CATALOG, needed_together
from speechmlx.runtime.worker.memory import Resident
from speechmlx.runtime.worker.room import ModelRoom
from speechmlx.types import Audio, End, Event, Feed, Listen, Segment, Transcribe

RATE = 16_000
BEAMS = 3


@pytest.fixture(autouse=True)
def few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random words are no silence, and are decoded again; random attention is no reason to stop."""
    monkeypatch.setattr(quality, "NO_SPEECH_LIMIT", 1.0)
    monkeypatch.setattr(window_module, "TOKENS", 5)
    monkeypatch.setattr(window_module, "TOKENS_PER_SECOND", 0)
    monkeypatch.setattr(alignatt, "BACKWARDS", 1 << 30)


class Others:
    """The models in memory: Whisper, and others that do not leave."""

    def __init__(self, engine: Whisper, budget: int, others: int = 0) -> None:
        self.budget = budget
        self._engine, self._others = engine, others

    def residents(self) -> Sequence[Resident]:
        own = Resident("whisper", self._engine.nbytes + self._engine.held, 0.0, running=True)
        return [own, Resident("other", self._others, 0.0, pinned=True)]

    def drop(self, name: str) -> None:
        raise AssertionError(f"{name} cannot leave")


@cache
def small() -> Network:
    """The network on the path of a GPU; nothing is compiled, which takes a CPU long."""
    net = Network(network().dims, replace(GPU, compiles=False))
    net.update(network().parameters())
    return net


def whisper(seats: int | None = None) -> Whisper:
    """An engine with memory for so many bytes beside its weights."""
    engine = Whisper(small(), HEADS, "gpu")
    if seats is not None:
        engine.room = ModelRoom("whisper", engine.nbytes, Others(engine, engine.nbytes + seats))
    return engine


def talk(seconds: float, seed: int = 1) -> np.ndarray:
    """Noise that pauses as speech does."""
    time = np.arange(round(seconds * RATE)) / RATE
    loud = np.where(time % 5 < 4, (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)) ** 3, 0.0)
    return (0.1 * np.random.default_rng(seed).standard_normal(len(time)) * loud).astype(np.float32)


def recording(seconds: float = 2.0, **options: Any) -> Transcribe:
    options = {"temperatures": (0.0, 0.4), "vad": False, **options}
    return Transcribe(audio=Audio(talk(seconds), RATE), **options)


def arrays(engine: Whisper) -> int:
    """Bytes of the keys and values that there are, each once."""
    offline, live = engine.offline, engine.live
    caches = [offline._greedy._cache, live._cache]
    caches += [cache for search in offline._searches.values() for cache in (search._rows, search._audio)]
    pairs: list[Pair] = [pair for cache in caches for pair in (*cache._own, *cache._cross)]  # type: ignore[misc]
    found = [array for cache in caches for array, _ in cache._spare.values()]
    for window in (window for state in offline._states for window in state.windows):
        pairs += [*(window.cross or ()), *((window.sequence and window.sequence.cross) or ())]
    pairs += [pair for one in offline._passes for pair in one._cross]
    found += [array for pair in pairs for array in pair]
    return sum({id(array): array.nbytes for array in found}.values())


def apart(stream: Any) -> Sequence[Pair]:
    """The audio of a live stream without a seat."""
    return (stream.sequence and stream.sequence.cross) or stream._cross


def transcribed(engine: Whisper, states: Sequence[Any]) -> Iterator[list[Event | Exception]]:
    """Step the recordings to their end, each ended as soon as it is finished."""
    open_ = list(states)
    while open_:
        for state, events in zip(list(open_), engine.offline.step(open_), strict=True):
            if state.finished:
                engine.end(state)
                open_.remove(state)
            yield list(events)


@pytest.mark.parametrize(
    ("requests", "options"),
    [
        (1, {}),
        (3, {}),
        (12, {}),
        (1, {"beam_size": BEAMS}),
        (3, {"beam_size": BEAMS, "words": True}),
        (2, {"seconds": 60.0, "vad": True, "condition_on_previous_text": False}),
    ],
    ids=["one", "three", "more than seats", "a beam", "three beams", "many windows"],
)
def test_recordings_hold_what_they_claimed_and_little_less(requests: int, options: dict[str, Any]) -> None:
    engine = whisper()
    assert isinstance(engine, Claiming) and engine.held == 0
    states = [engine.begin(recording(**options)) for _ in range(requests)]
    claimed, most, held = engine.held, 0, 0
    assert arrays(engine) == 0 < claimed, "before the first step"
    for _ in transcribed(engine, states):
        assert arrays(engine) <= engine.held or not engine.offline._states
        most, held = max(most, arrays(engine)), max(held, engine.held)
    assert engine.held == arrays(engine) == 0
    assert most <= held <= 2.5 * most
    assert held == claimed or requests == 2 or options.get("beam_size"), "only further windows take more"


@pytest.mark.parametrize("count", [1, 3, 11])
def test_live_streams_hold_what_they_claimed_and_little_less(count: int) -> None:
    engine = whisper()
    streams = [engine.begin(Listen()) for _ in range(count)]
    claimed, most = engine.held, 0
    assert arrays(engine) == 0 < claimed
    for seed, stream in enumerate(streams):
        engine.feed(stream, Feed(talk(14.0 if count < 9 else 6.0, seed)))  # type: ignore[arg-type]
    turns = list(streams)
    for _ in range((80 if count < 9 else 30) * count):
        turns = [*turns[1:], *turns[:1]]
        engine.step(turns)
        waiting = [pair for stream in streams for pair in apart(stream)]
        most = max(most, arrays(engine) + sum(array.nbytes for pair in waiting for array in pair))
        assert engine.held == claimed
    for stream in streams:
        engine.end(stream)
    assert engine.held == arrays(engine) == 0
    assert most <= claimed <= 3 * most


def test_the_audio_of_a_stream_is_there_once_while_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pairs(list[Pair]):
        """A list that says when nobody has it any more."""

    made: list[weakref.ref[Pairs]] = []
    cross = Network.cross

    def watched(self: Network, *given: Any) -> Pairs:
        pairs = Pairs(cross(self, *given))
        made.append(weakref.ref(pairs))
        return pairs

    monkeypatch.setattr(Network, "cross", watched)
    engine = whisper()
    stream = engine.begin(Listen())
    engine.feed(stream, Feed(talk(1.0)))  # type: ignore[arg-type]
    while not engine.live._rows:
        engine.step([stream])
    gc.collect()
    assert made and made[-1]() is None
    engine.end(stream)


@pytest.mark.parametrize("request_", [recording(), Listen()], ids=["a recording", "a live stream"])
def test_the_first_request_of_a_model_in_memory_is_always_possible(request_: Any) -> None:
    engine = whisper(0)
    state = engine.begin(request_)
    held = engine.held
    for another in (recording(), Listen()):
        with pytest.raises(Busy, match="for one more request to the model whisper: the keys and values") as refused:
            engine.begin(another)
        wanted, weights, budget, others = (int(count) for count in re.findall(r"(\d+) MB", str(refused.value)))
        assert weights == budget == round(engine.nbytes / 1e6) and wanted >= round(held / 1e6) and others == 0
        assert engine.held == held, "what was refused holds nothing"
    engine.end(state)
    assert engine.held == 0
    engine.end(engine.begin(request_))


def test_requests_beyond_the_memory_are_refused_and_the_others_are_done() -> None:
    sizes = whisper().seats.sizes
    engine = whisper(sizes.recordings({1: 4}) + sizes.streams(2))
    done: list[Any] = []
    refused = 0
    for request in [recording(), Listen()] * MAX_BATCH:
        try:
            done.append(engine.begin(request))
        except Busy:
            refused += 1
    assert len(done) >= 6 and refused == 2 * MAX_BATCH - len(done) > 0
    assert engine.held <= engine.room.most
    recordings = [state for state in done if hasattr(state, "queues")]
    for _ in transcribed(engine, recordings):
        assert engine.held <= engine.room.most
    for stream in done:
        if stream not in recordings:
            engine.feed(stream, End())
            engine.end(stream)
    assert engine.held == 0


def test_requests_beyond_the_largest_batch_share_its_seats() -> None:
    sizes = whisper().seats.sizes
    engine = whisper(sizes.recordings({1: MAX_BATCH}))
    states = [engine.begin(recording()) for _ in range(2 * MAX_BATCH)]
    assert engine.held == engine.room.most
    assert sum(isinstance(event, Segment) for events in transcribed(engine, states) for event in events) >= len(states)


def test_a_long_recording_takes_further_seats_only_where_memory_is_free() -> None:
    options: dict[str, Any] = {"vad": True, "condition_on_previous_text": False, "temperatures": (0.0,)}
    texts, most = [], []
    for seats in (whisper().seats.sizes.recordings({1: 1}), None):
        engine = whisper(seats)
        engine.offline.aim = 10.0  # several windows at once
        state, windows, events = engine.begin(recording(40.0, **options)), 0, list[Event | Exception]()
        while not state.finished:
            (new,) = engine.step([state])
            events += new
            windows = max(windows, len(engine.offline._greedy.rows))
        engine.end(state)
        texts.append([event.tokens for event in events if isinstance(event, Segment)])
        most.append(windows)
    assert most[0] == 1 < most[1]
    assert texts[0] == texts[1] and texts[0]


def test_a_beam_that_could_never_fit_is_the_clients() -> None:
    sizes = whisper().seats.sizes
    engine = whisper(sizes.recordings({BEAMS: 1}) - 1)
    with pytest.raises(BadRequest, match=r"a beam of 3 takes \d+ MB with this model, whose requests may have \d+ MB"):
        engine.begin(recording(beam_size=BEAMS))
    engine.end(engine.begin(recording(beam_size=BEAMS, temperatures=(0.4,))))  # no beam: it is sampled
    engine.end(engine.begin(recording()))
    assert engine.held == 0


def published(layers: int, width: int, dtype: mx.Dtype = mx.float16) -> SeatSizes:
    """The seats of a model of a published size, on a GPU."""
    dims = Dims(128, 1500, width, width // 64, 32, 51866, 448, width, width // 64, layers)
    return SeatSizes.of(SimpleNamespace(dims=dims, dtype=dtype, kernels=GPU), MAX_BATCH)  # type: ignore[arg-type]


def test_a_mac_with_16_gb_refuses_nothing_that_its_defaults_do() -> None:
    """A full batch of recordings, sixteen live streams and the longest chat, beside the default models in 16 bits."""
    config, memory = Config(profile="standard"), 16 * GIB
    rows = CATALOG.defaults(config)
    assert {"whisper-large-v3-turbo", "whisper-small"} <= {row.name for row in rows}
    seats = published(4, 1280).recordings({1: MAX_BATCH}) + published(12, 768).streams(config.max_sessions)
    needed = needed_together(rows, config, "float16") + seats
    assert seats > 1e9 and needed < default_memory(memory, int(memory * GPU_SHARE))


@pytest.mark.parametrize("dtype", [mx.float16, mx.float32])
def test_a_seat_of_the_largest_model(dtype: mx.Dtype) -> None:
    """By arithmetic: 32 layers, keys and values, 1280 numbers; 1500 places, 448 tokens and 64 columns to spare."""
    sizes, position = published(32, 1280, dtype), 32 * 2 * 1280 * dtype.size
    assert sizes.audio == 1500 * position and sizes.tokens == 512 * position
    assert sizes.recordings({1: 1}) == sizes.audio + 2 * sizes.tokens
