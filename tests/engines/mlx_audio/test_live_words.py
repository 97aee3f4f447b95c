from __future__ import annotations

from itertools import pairwise

import pytest

from speechmlx.engines.mlx_audio.live.blocks import SampleBlocks
from speechmlx.engines.mlx_audio.live.words import LONGEST, StreamWords, TimedToken
from speechmlx.types import Hypothesis, Word


def heard(words: StreamWords, text: str, until: float, *, every: float = 0.1, first: float = 0.0) -> list[str]:
    """What is committed with tokens, divided by bars, one after another."""
    tokens = [
        TimedToken(token, first + place * every, first + (place + 1) * every, 0.5)
        for place, token in enumerate(text.split("|"))
    ]
    told = words.add(tokens, until)
    return [] if told is None else [word.text for word in told.committed]


@pytest.mark.parametrize(
    ("text", "committed", "tail"),
    [
        (" hel|lo| you|.", [" hello"], " you."),
        ("hel|lo", [], "hello"),
        (" |a|b| c", [" ab"], " c"),
        (" 你|好|。| yes", [" 你", "好。"], " yes"),
        ("コ|ー|ヒ|abc", ["コ", "ー", "ヒ"], "abc"),
    ],
)
def test_tokens_become_words(text: str, committed: list[str], tail: str) -> None:
    words = StreamWords()
    assert heard(words, text, 0.5) == committed
    told = words.finish()
    assert told == Hypothesis((told.committed[0],) if told else (), ()) and told.committed[0].text == tail


def test_a_word_is_complete_where_nothing_follows() -> None:
    words = StreamWords()
    assert heard(words, " one", 0.1) == [] and words.add([], 0.5) is None
    assert words.add([], 0.95) == Hypothesis((Word(" one", 0.0, 0.1, 0.5),), ())
    assert words.add([], 2.0) is None and words.finish() is None


def test_the_tail_is_told_when_it_changes() -> None:
    words = StreamWords()
    first = words.add([TimedToken(" on", 0.0, 0.1)], 0.1)
    assert first is not None and first.tail == (Word(" on", 0.0, 0.1, 1.0),)
    assert words.add([], 0.2) is None
    second = words.add([TimedToken("e", 0.2, 0.3)], 0.3)
    assert second is not None and second.tail == (Word(" one", 0.0, 0.3, 1.0),) and not second.committed


def test_a_new_text_does_not_stick_to_the_one_before() -> None:
    words = StreamWords()
    heard(words, " one", 0.1)
    words.finish()
    heard(words, "two", 1.0, first=0.9)
    told = words.finish()
    assert told is not None and [word.text for word in told.committed] == [" two"]


def test_times_never_go_back() -> None:
    words = StreamWords()
    told = words.add([TimedToken(" a", 1.0, 2.0), TimedToken(" b", 1.5, 1.6), TimedToken(" c", 0.0, 0.1)], 2.0)
    assert told is not None
    spans = [(word.start, word.end) for word in (*told.committed, *told.tail)]
    assert spans == [(1.0, 2.0), (2.0, 2.0), (2.0, 2.0)]


def test_text_without_blanks_is_bounded() -> None:
    words = StreamWords()
    found = heard(words, "|".join(["abcd"] * 100), 10.0)
    told = words.finish()
    assert told is not None
    assert "".join([*found, *(word.text for word in told.committed)]) == "abcd" * 100
    assert max(map(len, found)) <= LONGEST + 4


def test_blocks() -> None:
    import numpy as np

    samples = np.arange(50, dtype=np.float32)
    blocks, found = SampleBlocks(8, 11), []
    for first, last in pairwise((0, 1, 5, 30, 31, 50)):
        found += list(blocks.push(samples[first:last]))
    assert [len(block) for block in found] == [11, 8, 8, 8, 8]
    assert np.concatenate([*found, blocks.rest()]).tolist() == samples.tolist() and blocks.given == 50
