"""How often a client may do something."""

from __future__ import annotations

import pytest

from speechmlx.protocols.http.rate import Allowance


def test_some_at_once_then_so_many_a_second() -> None:
    allowance = Allowance(10.0, 3.0)
    assert [allowance.take(5.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert allowance.take(5.0) == pytest.approx(0.1)
    assert allowance.take(5.2) == 0.0  # two more in 0.2 s; one was used in advance
    assert allowance.take(5.2) == pytest.approx(0.1)


def test_a_pause_gives_no_more_than_the_burst() -> None:
    allowance = Allowance(10.0, 3.0)
    allowance.take(0.0)
    assert [allowance.take(1000.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert allowance.take(1000.0) > 0.0
