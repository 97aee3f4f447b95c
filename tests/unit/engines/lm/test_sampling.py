"""Tokens drawn from logits."""

from __future__ import annotations

from collections import Counter
from typing import Any

import mlx.core as mx
import pytest
from support.graph import kernels

from speechmlx.engines.lm import sampling
from speechmlx.engines.lm.sampling import NOT_FINITE, Sampler, new_sampler, sample
from speechmlx.errors import BadRequest

LOGITS = mx.array([0.0, 3.0, 2.0, 1.0])


def sampler(temperature: float = 0.0, top_p: float = 1.0, penalty: float | None = None, seed: int = 0) -> Sampler:
    return new_sampler(temperature, top_p, penalty, seed)


def drawn(sampler: Sampler, count: int = 60) -> list[int]:
    return [int(sampler.sample(LOGITS, [])) for _ in range(count)]


SETTINGS = [(0.0, 1.0, 1.5), (2.0, 1.0, None), (2.0, 0.9, None), (2.0, 0.9, 1.5), (2.0, 1.0, 1.5)]


@pytest.mark.parametrize(("temperature", "top_p", "penalty"), SETTINGS)
def test_compiled_it_draws_the_same_in_fewer_kernels(temperature: float, top_p: float, penalty: float | None) -> None:
    logits = mx.random.normal((500,), key=mx.random.key(4)) * 4
    mx.eval(logits)
    plain, compiled = (new_sampler(temperature, top_p, penalty, 5, compiled=flag) for flag in (False, True))
    counts = [kernels(sampler.sample(logits, [1, 2])).total() for sampler in (plain, compiled)]
    assert counts[1] <= counts[0] / 2
    assert [int(compiled.sample(logits, [])) for _ in range(40)] == [int(plain.sample(logits, [])) for _ in range(40)]


def test_it_is_compiled_once_for_all_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[int] = []
    draw = sampling._draw

    def counted(logits: mx.array, *rest: Any) -> mx.array:
        traced.append(len(logits))
        return draw(logits, *rest)

    monkeypatch.setattr(sampling, "_draw", counted)
    sampling._drawing.cache_clear()
    for seed in range(3):
        for temperature in (0.5, 0.7):
            one = new_sampler(temperature, 0.9, None, seed, compiled=True)
            assert all(0 <= int(one.sample(LOGITS, [])) < 4 for _ in range(3))
    assert traced == [4]


def test_what_was_drawn_is_seen_though_nobody_has_read_it() -> None:
    penalised = new_sampler(0.0, 1.0, 3.0, 0)
    launched = [penalised.sample(LOGITS, []) for _ in range(3)]  # 3, then 2, as 3 is lowered to 1, then 1 as 2 to 2/3
    assert [int(token) for token in launched] == [1, 2, 1]


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
