"""Whisper's requests in one batch: each gets what it gets alone, and may come and leave at any time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from support.clips import CLIPS
from support.engine_runs import run, segments
from support.whisper_runs import RATE, empty, sampled, text, timings

from speechmlx.engines import Batched
from speechmlx.engines.whisper.decoding import quality
from speechmlx.engines.whisper.decoding.greedy import TokenSequence
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.types import Audio, Event, LanguageDetected, Transcribe


def test_batched_equals_alone(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    mixed = np.concatenate([speech(name).samples for name in ("beckett", "librispeech", "jfk", "beckett")])
    requests = [
        Transcribe(audio=speech("jfk"), language="en"),
        Transcribe(audio=speech("librispeech"), language="en", prompt="A story about a journey."),
        Transcribe(audio=speech("beckett"), language="en", words=True),
        Transcribe(audio=Audio(speech("jfk").samples[: 5 * RATE], RATE), language="en"),
        Transcribe(audio=Audio(mixed, RATE), language="en", words=True, temperatures=(0.0,)),
        Transcribe(audio=speech("librispeech"), language="en", words=True, beam_size=3),
    ]
    alone = [run(tiny, request)[0] for request in requests]
    together = run(tiny, *requests)
    for one, other in zip(alone, together, strict=True):
        assert sampled(one) == sampled(other)
        assert timings(one) == timings(other)
        for mine, its in zip(segments(one), segments(other), strict=True):
            assert mine.confidence == pytest.approx(its.confidence, abs=1e-4)
    assert empty(tiny)


def test_beams_of_several_windows_equal_each_alone(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    sizes = {"jfk": 3, "beckett": 3, "librispeech": 2}
    requests = [Transcribe(audio=speech(name), language="en", beam_size=size) for name, size in sizes.items()]
    requests.append(Transcribe(audio=Audio(speech("jfk").samples[: 5 * RATE], RATE), language="en", beam_size=3))
    alone = [run(tiny, request)[0] for request in requests]
    for one, other in zip(alone, run(tiny, *requests), strict=True):
        assert sampled(one) == sampled(other) != []
        for mine, its in zip(segments(one), segments(other), strict=True):
            assert mine.confidence == pytest.approx(its.confidence, abs=1e-4)
    assert empty(tiny)


def test_languages_are_found_for_each_of_a_batch(
    load: Callable[[str], Whisper], speech: Callable[[str], Audio]
) -> None:
    requests = [Transcribe(audio=speech(name)) for name in CLIPS]
    alone = [run(load("base"), request)[0] for request in requests]
    together = run(load("base"), *requests)
    for one, other in zip(alone, together, strict=True):
        found = [event for event in other if isinstance(event, LanguageDetected)]
        assert [event.language for event in found] == ["en"]
        assert found[0].probability == pytest.approx(one[0].probability, abs=1e-4)
        assert sampled(one) == sampled(other)


def test_a_language_is_found_among_those_asked_for(
    load: Callable[[str], Whisper], speech: Callable[[str], Audio]
) -> None:
    asked = [("fr", "en"), ("de", "fr"), ("fr",)]
    engine, found = load("base"), dict[int, LanguageDetected]()
    states = [engine.begin(Transcribe(audio=speech("jfk"), languages=languages)) for languages in asked]
    while len(found) < len(asked):
        live = [place for place, state in enumerate(states) if not state.finished]
        for place, events in zip(live, engine.step([states[place] for place in live]), strict=True):
            for event in events:
                if isinstance(event, LanguageDetected):
                    found[place] = event
    for state in states:
        engine.end(state)
    both, neither, one = (found[place] for place in range(3))
    assert both.language == "en" and both.probability > 0.99
    assert neither.language in ("de", "fr") and 0.5 <= neither.probability <= 1
    assert (one.language, one.probability) == ("fr", 1.0)


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The temperatures at which unsure windows are sampled; speech backwards is unsure."""
    again: list[float] = []
    take_anew = TokenSequence.restart
    monkeypatch.setattr(
        TokenSequence, "restart", lambda row, rules: again.append(rules.temperature) or take_anew(row, rules)
    )
    monkeypatch.setattr(quality, "LOGPROB_LIMIT", -0.5)
    return again


def test_two_unsure_windows_are_sampled_beside_a_sure_one(
    tiny: Whisper, speech: Callable[[str], Audio], again: list[float]
) -> None:
    backwards = np.ascontiguousarray(speech("jfk").samples[::-1])
    unsure = [
        Transcribe(audio=Audio(samples, RATE), vad=False, temperatures=(0.0, 0.8))
        for samples in (backwards, backwards[: 8 * RATE])
    ]
    sure = Transcribe(audio=speech("beckett"), language="en")
    first, middle, last = run(tiny, unsure[0], sure, unsure[1])
    assert sampled(middle) == sampled(run(tiny, sure)[0])
    assert all(text(found) for found in (first, last)) and again == [0.8, 0.8]
    assert empty(tiny)


def test_a_search_that_was_unsure_is_sampled(tiny: Whisper, speech: Callable[[str], Audio], again: list[float]) -> None:
    """Speech backwards: the fallback leaves the search for the batch, and nothing stays behind."""
    backwards = np.ascontiguousarray(speech("jfk").samples[::-1])
    request = Transcribe(audio=Audio(backwards, RATE), vad=False, beam_size=2, temperatures=(0.0, 0.8), words=True)
    assert text(run(tiny, request)[0]) and again == [0.8]
    assert empty(tiny)


def test_requests_may_come_pause_and_leave(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    """One joins while another is half done, one is not stepped for a while, one is ended early: nobody else notices."""
    expected = sampled(run(tiny, Transcribe(audio=speech("jfk")))[0])
    first, gone = (tiny.begin(Transcribe(audio=speech("jfk"))) for _ in range(2))
    found: dict[int, list[Event]] = {id(first): []}
    for _ in range(25):
        found[id(first)] += tiny.step([first, gone])[0]
    assert tiny.offline._greedy.rows
    late = tiny.begin(Transcribe(audio=speech("jfk")))
    found[id(late)] = []
    tiny.end(gone)
    there = [first, late]
    for turn in range(1000):
        live = [state for state in there if state is late or turn > 20]
        for state, events in zip(live, tiny.step(live) if live else [], strict=True):
            found[id(state)] += events
            if state.finished:  # perhaps while it was not stepped
                tiny.end(state)
                there.remove(state)
        if not there:
            break
    assert sampled(found[id(first)]) == sampled(found[id(late)]) == expected
    assert empty(tiny)


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("steps", [0, 1, 3, 5, 7, 12, 30])
def test_ending_in_the_middle_frees(tiny: Whisper, speech: Callable[[str], Audio], steps: int, beams: int) -> None:
    state = tiny.begin(Transcribe(audio=speech("jfk"), words=True, beam_size=beams))
    for _ in range(steps):
        tiny.step([state])
    tiny.end(state)
    assert empty(tiny)
    assert not tiny.offline._greedy._cache._arrays()


def test_engine_is_batched(tiny: Whisper) -> None:
    assert isinstance(tiny, Batched)
