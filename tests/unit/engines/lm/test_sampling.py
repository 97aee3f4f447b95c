"""Tokens drawn from logits."""

from __future__ import annotations

from collections import Counter
from typing import Any

import mlx.core as mx
import pytest

from speechmlx.engines.lm.sampling import NOT_FINITE, Sampler, new_sampler, sample
from speechmlx.errors import BadRequest

LOGITS = mx.array([0.0, 3.0, 2.0, 1.0])


def sampler(temperature: float = 0.0, top_p: float = 1.0, penalty: float | None = None, seed: int = 0) -> Sampler:
    return new_sampler(temperature, top_p, penalty, seed)


def drawn(sampler: Sampler, count: int = 60) -> list[int]:
    return [int(sampler.sample(LOGITS, [])) for _ in range(count)]


def test_greedy_takes_the_likeliest() -> None:
    rows = mx.stack([LOGITS, LOGITS[::-1]])
    assert sample(rows, [sampler(), sampler()], [[], []]).tolist() == [1, 2]


def test_a_penalty_lowers_the_tokens_that_were_seen() -> None:
    assert int(sampler(penalty=2.0).sample(LOGITS, [1, 1])) == 2
    assert int(sampler(penalty=2.0).sample(-LOGITS, [0])) == 0  # zero stays zero
    assert int(sampler(penalty=2.0).sample(mx.array([-1.0, -1.5]), [0])) == 1
    assert LOGITS.tolist() == [0.0, 3.0, 2.0, 1.0]


def test_temperature_and_top_p_narrow_the_choice() -> None:
    assert set(drawn(sampler(temperature=5.0))) == {0, 1, 2, 3}
    assert set(drawn(sampler(temperature=0.01))) == {1}
    assert set(drawn(sampler(temperature=5.0, top_p=0.5))) == {1, 2}
    assert set(drawn(sampler(temperature=5.0, top_p=0.01))) == {1}
    counts = Counter(drawn(sampler(temperature=1.0)))
    assert counts[1] > counts[2] > counts[0]


def test_a_seed_repeats_in_any_batch() -> None:
    alone = drawn(sampler(temperature=2.0, seed=7))
    one, other = sampler(temperature=2.0, seed=7), sampler()
    rows = mx.stack([LOGITS, LOGITS])
    assert [sample(rows, [one, other], [[], []]).tolist() for _ in alone] == [[token, 1] for token in alone]
    assert alone == drawn(sampler(temperature=2.0, seed=7)) != drawn(sampler(temperature=2.0, seed=8))
    assert drawn(sampler(temperature=2.0, seed=-1)) == drawn(sampler(temperature=2.0, seed=2**64 - 1))


def test_without_a_seed_each_draws_differently() -> None:
    assert len({tuple(drawn(new_sampler(2.0, 1.0, None, None), 30)) for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"temperature": 5.1}, "temperature is 5.1; allowed is 0 to 5"),
        ({"top_p": 1.5}, "top_p is 1.5; allowed is above 0 and up to 1"),
        ({"penalty": 0.0}, "repetition_penalty is 0; allowed is above 0 and up to 10"),
        ({"temperature": float("nan")}, "temperature is nan"),
    ],
)
def test_settings_outside_their_ranges(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        sampler(**wrong)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_row_that_is_not_finite_has_no_token_and_the_others_have_theirs(temperature: float) -> None:
    nan, inf = LOGITS * 1, LOGITS * 1
    nan[3], inf[0] = mx.nan, mx.inf
    hidden = mx.array([0.0, -mx.inf, 9.0, -mx.inf]) * mx.array([1.0, 1.0, 100.0, 1.0])
    drawn = sample(mx.stack([nan, LOGITS * 100, inf, hidden]), [sampler(temperature)] * 4, [[]] * 4).tolist()
    assert drawn == [NOT_FINITE, 1, NOT_FINITE, 2]
