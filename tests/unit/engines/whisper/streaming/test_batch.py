"""Live streams in one batch, on a network of random weights: turns, shared tokens, seats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support.small_whisper import HEADS, VOCABULARY, network

from speechmlx.engines.finite import NotFinite
from speechmlx.engines.step_size import StepSize
from speechmlx.engines.whisper.decoding import quality
from speechmlx.engines.whisper.seat_memory import SeatClaims, SeatSizes
from speechmlx.engines.whisper.streaming import alignatt
from speechmlx.engines.whisper.streaming import batch as batch_module
from speechmlx.engines.whisper.streaming import stream as stream_module
from speechmlx.engines.whisper.streaming.alignatt import LiveSequence
from speechmlx.engines.whisper.streaming.batch import LiveBatch
from speechmlx.engines.whisper.streaming.stream import LiveStream
from speechmlx.types import Command, End, Event, Feed, Hypothesis, Listen

RATE = 16_000


@pytest.fixture(autouse=True)
def six_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random attention is no reason to stop, and random words are no silence."""

    def sequence(*given: Any) -> LiveSequence:
        return LiveSequence(*given[:3], (*given[3], VOCABULARY.eot), 1 << 30, 1 << 30, 6)  # type: ignore[call-arg]

    monkeypatch.setattr(quality, "NO_SPEECH_LIMIT", 1.0)
    monkeypatch.setattr(alignatt, "BACKWARDS", 1 << 30)
    monkeypatch.setattr(stream_module, "LiveSequence", sequence)


def talk(seconds: float, seed: int) -> np.ndarray:
    """Noise whose loudness changes as that of speech does."""
    draw = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * draw.standard_normal(len(time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)) ** 3).astype(np.float32)


def batch(seats: int = 4) -> LiveBatch:
    return LiveBatch(network(), VOCABULARY, HEADS, SeatClaims(SeatSizes.of(network(), seats)))


def commands(seed: int) -> list[Command]:
    return [Feed(np.concatenate([np.zeros(RATE, np.float32), talk(1, seed)])), End()]


def words(events: Sequence[Event | Exception]) -> list[tuple[str, float]]:
    return [(word.text, word.start) for event in events if isinstance(event, Hypothesis) for word in event.committed]


def begin(engine: LiveBatch, count: int) -> list[LiveStream]:
    streams = [engine.begin(Listen()) for _ in range(count)]
    for seed, stream in enumerate(streams):
        engine.feed(stream, commands(seed)[0])
    return streams


def step(engine: LiveBatch, streams: Sequence[LiveStream]) -> list[list[Event | Exception]]:
    """A step, in which no sequence gets more than one token."""
    before = [len(row.tokens) for row in engine._rows]
    rows = list(engine._rows)
    events = engine.step(streams)
    assert all(len(row.tokens) - count <= 1 for row, count in zip(rows, before, strict=True))
    return events


def run(engine: LiveBatch, seeds: Sequence[int]) -> list[list[Event | Exception]]:
    """Every stream's events, the streams taking turns."""
    streams = [engine.begin(Listen()) for _ in seeds]
    waiting = [commands(seed) for seed in seeds]
    found: list[list[Event | Exception]] = [[] for _ in seeds]
    turn = 0
    while not all(stream.finished for stream in streams):
        order = [(turn + index) % len(streams) for index in range(len(streams))]
        for index in order:
            if not streams[index].busy and waiting[index]:
                engine.feed(streams[index], waiting[index].pop(0))
        order = [index for index in order if streams[index].busy]
        for index, events in zip(order, step(engine, [streams[i] for i in order]), strict=True):
            found[index] += events
        turn += 1
    for stream in streams:
        engine.end(stream)
    return found


def decoding(stream: LiveStream, engine: LiveBatch) -> bool:
    return stream.sequence in engine._rows


@pytest.mark.parametrize("seats", [1, 2, 4])
def test_together_as_alone_with_too_few_seats_too(seats: int) -> None:
    engine = batch(seats)
    expected = [words(run(engine, [seed])[0]) for seed in range(3)]
    assert any(expected)
    assert list(map(words, run(engine, range(3)))) == expected
    assert not engine._rows and not engine._cache._arrays()


def test_streams_encode_in_their_own_turn_and_decode_in_any() -> None:
    engine = batch()
    first, second = begin(engine, 2)
    while not decoding(first, engine):
        step(engine, [first, second])
    assert second.sequence is None  # it had no turn
    while not decoding(second, engine):
        step(engine, [second, first])
    tokens = [len(row.tokens) for row in engine._rows]
    step(engine, [first, second])
    assert all(len(row.tokens) == count + 1 or row.finished for row, count in zip(engine._rows, tokens, strict=False))


def test_words_come_out_in_the_step_that_ends_the_sequence() -> None:
    engine = batch()
    first, second = begin(engine, 2)
    for stream in (first, second):
        while not decoding(stream, engine):
            step(engine, [stream])
    sequence = second.sequence
    assert sequence is not None
    sequence.limit = len(sequence.tokens)
    step(engine, [first, second])
    assert sequence.finished and second.sequence is None  # in a turn of the first


def test_a_stream_without_a_seat_decodes_for_the_others() -> None:
    engine = batch(seats=1)
    first, second = begin(engine, 2)
    while not decoding(first, engine):
        step(engine, [first])
    while second.sequence is None:
        step(engine, [second])
    sequence = first.sequence
    assert sequence is not None
    count = len(sequence.tokens)
    step(engine, [second, first])
    assert not decoding(second, engine) and (sequence.finished or len(sequence.tokens) == count + 1)


def test_an_idle_stream_does_nothing() -> None:
    engine = batch()
    stream = engine.begin(Listen())
    assert engine.step([stream]) == [[]] and not stream.busy


def test_ending_in_the_middle_frees_the_seat() -> None:
    engine = batch()
    first, second = begin(engine, 2)
    for stream in (first, second):
        while not decoding(stream, engine):
            step(engine, [stream])
    engine.end(first)
    assert len(engine._rows) == 1 and not first.busy
    while second.sequence is not None:
        step(engine, [second])
    engine.end(second)
    assert not engine._rows and not engine._cache._arrays()


def test_a_token_is_one_small_read_and_the_encoder_few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = batch()
    engine._blocks = StepSize(2, 2, 2)  # both encoder blocks of this network
    reads, evaluations = list[int](), list[Any]()
    read, evaluate = batch_module._read, mx.eval

    def counted(*columns: mx.array) -> list[list[float]]:
        reads.append(sum(column.size for column in columns))
        return read(*columns)

    def evaluated(*arrays: Any) -> None:
        evaluations.append(arrays)
        evaluate(*arrays)

    monkeypatch.setattr(batch_module, "_read", counted)
    monkeypatch.setattr(mx, "eval", evaluated)
    warm = batch()
    earlier = begin(warm, 1)
    while len(reads) < 2:  # constants are evaluated once, for all batches
        step(warm, earlier)
    reads.clear()
    evaluations.clear()
    streams = begin(engine, 2)
    while any(stream.sequence is None for stream in streams):
        step(engine, [stream for stream in streams if stream.sequence is None])
    assert len(evaluations) == 2 and not reads  # one for the encoder of each
    for stream in streams:
        step(engine, [stream])
    assert reads == [4, 4]  # token, log-probability, place and silence of the prompt
    step(engine, streams)
    assert reads == [4, 4, 6] and len(evaluations) == 2


def test_a_stream_whose_numbers_are_none_ends_alone() -> None:
    engine, seeds = batch(2), [0, 1, 2]
    clean = [words(events) for events in run(engine, seeds)]
    streams = [engine.begin(Listen()) for _ in seeds]
    waiting, found = [commands(seed) for seed in seeds], [list[Event | Exception]() for _ in seeds]
    open_ = list(range(len(seeds)))
    while open_:
        for index in open_:
            if not streams[index].busy and waiting[index]:
                engine.feed(streams[index], waiting[index].pop(0))
        sequence = streams[1].sequence
        if sequence is not None and sequence.cross:
            sequence.cross = [(k * mx.nan, v) for k, v in sequence.cross]
        for index, events in zip(open_, engine.step([streams[index] for index in open_]), strict=True):
            found[index] += events
        for index in list(open_):
            if streams[index].finished or any(isinstance(event, Exception) for event in found[index]):
                engine.end(streams[index])
                open_.remove(index)
        open_ = [*open_[1:], *open_[:1]]
    assert isinstance(found[1][-1], NotFinite) and not words(found[1])
    assert [words(found[index]) for index in (0, 2)] == [clean[0], clean[2]] and clean[0]
    assert engine.held == 0
