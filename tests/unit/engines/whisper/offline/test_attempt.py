"""What is kept of a decoded window, and which attempt is chosen."""

from __future__ import annotations

import pytest

from speechmlx.engines.whisper.decoding.greedy import TokenSequence
from speechmlx.engines.whisper.decoding.sampling import SamplingRules
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.offline.attempt import Attempt, choose_attempt, judge_attempt

VOCABULARY = Vocabulary(51864)
FIRST = VOCABULARY.timestamps


def row(text: str, times: int, logprob: float, first: float | None = None) -> TokenSequence:
    """A finished row that says `text` so many times; its tokens' log-probability, the first time perhaps another."""
    one = VOCABULARY.encode(text)
    found = TokenSequence([VOCABULARY.sot], SamplingRules(()), None, 224)
    found.tokens = [FIRST, *one * times, FIRST + 500]
    found.logprobs = [
        -0.1,
        *[logprob if first is None else first] * len(one),
        *[logprob] * len(one) * (times - 1),
        -0.1,
    ]
    found.finished = True
    return found


def places(finished: TokenSequence, one: int, apart: int, again: int) -> list[int]:
    """Where the text's tokens were heard: `one` place after the other, each time `apart` from the time before.

    From the time `again` on, all of them where that was heard.
    """
    count = len([token for token in finished.tokens if token < VOCABULARY.eot])
    size = len(VOCABULARY.encode(PHRASE))
    return [10 + min(index // size, again) * apart + index % size * one for index in range(count)]


PHRASE = " Please call me back tomorrow."


def test_a_sure_text_that_follows_the_audio_is_no_loop_however_often_it_repeats() -> None:
    finished = row(PHRASE, 6, -0.15)
    found = judge_attempt(finished, VOCABULARY, places(finished, 15, 150, 6))
    assert found.compression > 2.4
    assert not found.unsure and not found.looped
    assert VOCABULARY.decode(found.tokens) == PHRASE * 6 and found.logprob == pytest.approx(-0.15, abs=0.02)
    assert found.last_place == 10 + 5 * 150 + 4 * 15  # the last word: where a mark is heard tells nothing


def test_a_loop_is_said_as_often_as_it_was_heard() -> None:
    finished = row(PHRASE, 6, -0.15)
    found = judge_attempt(finished, VOCABULARY, places(finished, 15, 150, 1))
    assert VOCABULARY.decode(found.tokens) == PHRASE * 2
    assert len(found.tokens) == len(found.logprobs) and not found.unsure


def test_a_loop_is_as_likely_as_what_it_said_first() -> None:
    finished = row(PHRASE, 6, -0.05, first=-1.8)
    found = judge_attempt(finished, VOCABULARY, places(finished, 15, 150, 0))
    assert VOCABULARY.decode(found.tokens) == PHRASE
    assert found.logprob == pytest.approx(-1.8) and found.unsure


def attempt(logprob: float, looped: bool = False, unsure: bool = True) -> Attempt:
    return Attempt(0.0, (), (), 0, logprob, 3.0, 0.1, looped, unsure)


@pytest.mark.parametrize(
    ("attempts", "index"),
    [
        ([attempt(-0.2, unsure=False)], 0),
        ([attempt(-0.2, looped=True), attempt(-0.7, unsure=False)], 1),
        # A likely loop before what is not likely, and what is no loop before it.
        ([attempt(-0.2, looped=True), attempt(-4.2), attempt(-1.1)], 0),
        ([attempt(-0.2, looped=True), attempt(-0.9), attempt(-4.2)], 1),
        ([attempt(-2.0), attempt(-1.5, looped=True), attempt(-1.8), attempt(-4.2)], 2),
    ],
)
def test_an_attempt_under_the_limit_is_never_chosen_over_one_above(attempts: list[Attempt], index: int) -> None:
    assert choose_attempt(attempts) is attempts[index]
