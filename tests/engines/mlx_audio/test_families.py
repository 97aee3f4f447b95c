"""Every family with a tiny model: two interleaved jobs equal two lone ones, exactly; a cancelled one leaves none."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from support import heap, tiny_bridge

from speechmlx.engines import Batched, Steps
from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.alignment import ForcedAligner
from speechmlx.engines.mlx_audio.enhancement import FAMILIES
from speechmlx.models.bridge import families
from speechmlx.types import (
    Align,
    Audio,
    Chunk,
    DetectLanguage,
    Diarize,
    Enhance,
    Event,
    LanguageDetected,
    Request,
    Segment,
    Speak,
    SpeakerTurn,
    Transcribe,
    Usage,
)


def noise(seconds: float, seed: int, rate: int = 16000) -> Audio:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return Audio(samples.astype(np.float32), rate)


def request(engine: Any, seed: int) -> Request:
    """One of two requests that the engine answers."""
    if engine.checkpoint.part == "tts":
        texts = ("Hello world. Another test!", "Another world. Hello test? Hello!")
        short = tiny_bridge.OPTIONS.get(f"tts/{engine.checkpoint.family}", {})
        return Speak(text=texts[seed], options={"seed": seed + 3, **short})
    if engine.checkpoint.part == "vad":
        return Diarize(audio=noise(3 + seed, seed))
    if engine.checkpoint.part == "lid":
        return DetectLanguage(audio=noise(1.5 + seed / 2, seed), vad=False)
    if isinstance(engine, ForcedAligner):
        return Align(audio=noise(1.5 + seed / 2, seed), text="one two three four"[: 13 + 5 * seed])
    language = "en" if engine.accepted.first("language", "source_lang") else None
    return Transcribe(audio=noise(1.5 + seed / 2, seed), language=language, words=True, vad=False)


def job(engine: Any, seed: int) -> Steps:
    """One of two jobs of the engine."""
    if engine.checkpoint.part == "sts":
        return enhanced(engine, seed)
    return batched(engine, seed) if isinstance(engine, Batched) else engine.run(request(engine, seed))


def batched(engine: Any, seed: int) -> Steps:
    """Steps of a job alone, whoever else is in the batch."""
    state = engine.begin(request(engine, seed))
    try:
        while not state.finished:
            (events,) = engine.step([state])
            yield from events or [None]
    finally:
        engine.end(state)


def enhanced(engine: Any, seed: int) -> Steps:
    """A window and a rest."""
    stream, rate = engine.open(Enhance()), engine.checkpoint.rate
    try:
        yield from stream.feed(noise(FAMILIES[engine.checkpoint.family].seconds + 1 + seed, seed, rate).samples)
        yield from stream.finish()
    finally:
        stream.close()


def interleaved(jobs: Sequence[Steps]) -> list[list[Event]]:
    """The events of jobs that take turns, step by step."""
    events: list[list[Event]] = [[] for _ in jobs]
    live = dict(enumerate(jobs))
    while live:
        for place, job in list(live.items()):
            try:
                if (event := next(job)) is not None:
                    events[place].append(event)
            except StopIteration:
                del live[place]
    return events


def alone(steps: Steps) -> list[Any]:
    return [event for event in steps if event is not None]


def made(events: Sequence[Event]) -> Iterator[Any]:
    return (event for event in events if isinstance(event, Chunk | Segment | SpeakerTurn | LanguageDetected))


@pytest.mark.parametrize("name", list(tiny_bridge.BUILDERS))
def test_interleaved_jobs_equal_lone_ones(bridged: Load, every_layer: None, name: str) -> None:
    engine = bridged(name)
    lone = [alone(job(engine, seed)) for seed in (0, 1)]
    assert interleaved([job(engine, seed) for seed in (0, 1)]) == lone
    assert alone(job(engine, 0)) == lone[0], "a job leaves nothing behind"
    assert lone[0] != lone[1]
    assert list(made(lone[0])) and isinstance(lone[0][-1], Usage)
    assert all(not isinstance(event, Chunk) or event.pcm16.strip(b"\0") for event in lone[0]), "it is not silent"


@pytest.mark.parametrize("name", list(tiny_bridge.BUILDERS))
def test_a_cancelled_job_leaves_nothing(bridged: Load, every_layer: None, name: str) -> None:
    engine = bridged(name)
    whole = alone(job(engine, 0))

    def begun_and_closed() -> None:
        one = job(engine, 0)
        for _ in range(5):
            next(one)
        one.close()  # type: ignore[attr-defined]

    begun_and_closed()
    before = heap.settle()
    for _ in range(3):
        begun_and_closed()
    made = heap.made_since()
    assert not any(isinstance(found, cooperative._Job) for found in made)
    assert len(made) + gc.get_freeze_count() <= before + 100
    assert alone(job(engine, 0)) == whole


def test_what_the_table_calls_tried_is_tried_here() -> None:
    assert {f"{family.part}/{family.name}" for family in families.FAMILIES if family.proof} == set(tiny_bridge.BUILDERS)
