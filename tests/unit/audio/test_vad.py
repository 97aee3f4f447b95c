"""Spans of speech from probabilities, by table and by property."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.audio.vad import Rules, speech_spans
from speechmlx.types import Probability

TENTH = Rules(min_silence=0.2, min_speech=0.2, pad=0.0)


def frames(values: list[float], size: float = 0.1) -> list[Probability]:
    return [Probability(value, round(i * size, 3), round((i + 1) * size, 3)) for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "rules", "spans"),
    [
        ([], TENTH, []),
        ([0.4] * 10, TENTH, []),
        ([0, 0.9, 0.9, 0, 0, 0], TENTH, [(0.1, 0.3)]),
        ([0.9, 0.9, 0.9], TENTH, [(0.0, 0.3)]),  # to the end
        ([0.9, 0.9, 0.9, 0], TENTH, [(0.0, 0.3)]),  # quiet at the end, too short to end it there
        ([0, 0.5, 0.5, 0, 0], TENTH, [(0.1, 0.3)]),  # the threshold itself is speech
        ([0, 0.9, 0, 0, 0], TENTH, []),  # too short
        ([0.9, 0.9, 0, 0.9, 0, 0, 0], TENTH, [(0.0, 0.4)]),  # a pause too short
        ([0.9, 0.9, 0, 0, 0.9, 0.9, 0, 0], TENTH, [(0.0, 0.2), (0.4, 0.6)]),
        ([0.9, 0.4, 0.4, 0.4, 0.9, 0, 0], TENTH, [(0.0, 0.5)]),  # between the two levels it goes on
        ([0.9, 0.9, 0, 0.4, 0.9, 0, 0], TENTH, [(0.0, 0.2)]),  # and the quiet that has begun, too
        ([0, 0.9, 0.9, 0, 0, 0], Rules(min_silence=0.2, min_speech=0, pad=0.05), [(0.05, 0.35)]),
        ([0.9, 0.9], Rules(pad=0.5, min_speech=0), [(0.0, 0.2)]),  # no room
        ([0.9, 0, 0.9, 0, 0], Rules(min_silence=0.1, min_speech=0, pad=0.3), [(0.0, 0.15), (0.15, 0.5)]),
    ],
)
def test_spans(values: list[float], rules: Rules, spans: list[tuple[float, float]]):
    assert [(round(start, 3), round(end, 3)) for start, end in speech_spans(frames(values), rules)] == spans


@pytest.mark.parametrize("wrong", [{"release": 0.6}, {"threshold": 1.1}, {"pad": -1.0}, {"min_silence": -0.1}])
def test_rules_that_cannot_be_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match=r"does not hold|negative"):
        Rules(**wrong)


rules = st.builds(
    Rules,
    threshold=st.floats(0.4, 1),
    release=st.floats(0, 0.4),
    min_silence=st.floats(0, 0.3),
    min_speech=st.floats(0, 0.3),
    pad=st.floats(0, 0.2),
)
probabilities = st.lists(st.floats(0, 1), max_size=60)


@given(probabilities, rules)
def test_spans_are_in_order_apart_and_inside(values: list[float], rules: Rules):
    given = frames(values, 0.032)
    spans = speech_spans(given, rules)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert not spans or (spans[0][0] >= 0 and spans[-1][1] <= given[-1].end)


@given(probabilities, rules)
def test_each_span_holds_speech_and_no_speech_is_lost(values: list[float], rules: Rules):
    given, spans = frames(values, 0.032), speech_spans(frames(values, 0.032), rules)
    for start, end in spans:
        assert any(frame.value >= rules.threshold for frame in given if start < frame.end and frame.start < end)
    if rules.min_speech <= 0.032:
        speech = [frame for frame in given if frame.value >= rules.threshold]
        assert all(any(start <= frame.start and frame.end <= end for start, end in spans) for frame in speech)
