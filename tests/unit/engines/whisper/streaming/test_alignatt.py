"""Where live decoding stops, by the attention of its tokens."""

from __future__ import annotations

import pytest
from support.small_whisper import VOCABULARY

from speechmlx.engines.whisper.streaming.alignatt import LiveSequence

MARK = VOCABULARY.encode(".")[0]


def sequence(late: int = 280, late_mark: int = 280, limit: int = 100) -> LiveSequence:
    return LiveSequence(VOCABULARY, [VOCABULARY.sot], (), (), late, late_mark, limit, no_speech=0.25)


def decode(found: LiveSequence, *tokens: tuple[int, int]) -> LiveSequence:
    """Take tokens, each attending to a place."""
    for token, place in tokens:
        assert not found.finished
        found.take(token, -0.5, place)
    return found


def words(*places: int) -> list[tuple[int, int]]:
    return [(1000 + index, place) for index, place in enumerate(places)]


def test_tokens_are_kept_up_to_the_end() -> None:
    found = decode(sequence(), *words(10, 60, 110), (VOCABULARY.eot, 150))
    assert found.finished
    result = found.result
    assert result.tokens == (1000, 1001, 1002) and result.logprobs == (-0.5,) * 3
    assert result.places == (10, 60, 110)
    assert result.no_speech == 0.25 and not result.looped


@pytest.mark.parametrize(
    ("late_mark", "token", "kept"),
    [(1 << 30, 1002, 2), (1 << 30, MARK, 3), (280, MARK, 2)],
)
def test_a_token_attended_too_late_ends_the_sequence(late_mark: int, token: int, kept: int) -> None:
    found = decode(sequence(late_mark=late_mark), *words(10, 60), (token, 290))
    assert found.finished is (kept == 2) and len(found.tokens) == kept


def test_a_token_far_back_ends_the_sequence() -> None:
    found = decode(sequence(), *words(10, 250, 20))
    assert found.finished and len(found.tokens) == 2


def test_the_limit_ends_the_sequence() -> None:
    found = decode(sequence(limit=2), *words(10, 60, 110))
    assert found.finished and len(found.tokens) == 2


def test_many_tokens_at_one_moment_are_dropped() -> None:
    found = decode(sequence(), *words(10, 60, *[120] * 13))
    assert found.finished
    assert found.result.looped and len(found.result.tokens) == 2


def test_of_a_loop_one_round_is_kept() -> None:
    found = sequence(limit=100)
    index = 0
    while not found.finished:
        decode(found, (1000 + index % 4, 10 + 5 * index))
        index += 1
    assert found.result.looped and found.result.tokens == (1000, 1001, 1002, 1003)


def test_a_log_probability_that_is_none_fails_the_sequence() -> None:
    found = decode(sequence(), (5, 10))
    found.take(6, float("nan"), 11)
    assert (found.finished, found.failed, found.tokens) == (True, True, [5])
