"""Members of a batch keep their own keys and values, whoever comes and goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmlx.engines.lm.batch import Batch
from speechmlx.engines.lm.library import load_module


@dataclass(eq=False)
class Row:
    """A sequence whose keys are all its number."""

    number: int
    cache: list[Any] | None


def row(number: int, length: int) -> Row:
    layers = [load_module("models.cache").KVCache() for _ in range(2)]
    for layer in layers:
        layer.update_and_fetch(*[mx.full((1, 1, length, 4), float(number))] * 2)
    return Row(number, layers)


def step(batch: Batch[Row]) -> list[list[float]]:
    """Append one key to each member. Returns the numbers in each member's keys."""
    new = mx.array([float(member.number) for member in batch.members]).reshape(-1, 1, 1, 1)
    keys = [
        layer.update_and_fetch(*[mx.broadcast_to(new, (len(batch.members), 1, 1, 4))] * 2)[0] for layer in batch.cache
    ]
    return [sorted(set(keys[0][place].flatten().tolist()) - {0.0}) for place in range(len(batch.members))]


def lengths(member: Row) -> list[int]:
    assert member.cache is not None
    return [layer.offset for layer in member.cache]


def test_members_leave_with_what_they_brought_and_got() -> None:
    batch, (one, two) = Batch[Row](), (row(1, 3), row(2, 5))
    batch.select([one])
    assert (step(batch), one.cache) == ([[1.0]], None)
    batch.select([two, one])
    assert batch.members == [one, two], "the one that stayed keeps its row"
    assert step(batch) == [[1.0], [2.0]]
    batch.select([two])
    assert lengths(one) == [5, 5] and step(batch) == [[2.0]]
    batch.remove([one, two])
    assert lengths(two) == [7, 7] and (batch.members, batch.cache) == ([], [])


def test_one_alone_keeps_its_own_cache() -> None:
    batch, (one, two) = Batch[Row](), (row(1, 3), row(2, 5))
    own = one.cache
    batch.select([one])
    assert batch.cache is own and step(batch) == [[1.0]]
    batch.remove([one])
    assert one.cache is own and lengths(one) == [4, 4]
    batch.select([one, two])
    batch.select([two])
    assert [type(layer).__name__ for layer in batch.cache] == ["KVCache"] * 2, "as before, without padding or a mask"
    assert step(batch) == [[2.0]]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sets(st.integers(0, 3)), max_size=8))
def test_any_order_of_members(chosen: list[set[int]]) -> None:
    batch, rows = Batch[Row](), [row(number + 1, number + 2) for number in range(4)]
    steps = [0] * 4
    for numbers in chosen:
        batch.select([rows[number] for number in sorted(numbers)])
        assert {member.number - 1 for member in batch.members} == numbers
        if numbers:
            assert step(batch) == [[float(member.number)] for member in batch.members]
        for number in numbers:
            steps[number] += 1
    batch.remove(rows)
    assert [lengths(member) for member in rows] == [[n + 2 + steps[n]] * 2 for n in range(4)]
