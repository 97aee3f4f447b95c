"""What is remembered of the last keys."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from support.engine_runs import result

from speechmlx.engines.parts.remembered import Remembered


def test_the_last_ones_are_kept() -> None:
    made: list[str] = []
    known: Remembered[str] = Remembered(2)

    def get(key: str) -> str:
        return known.get(key, lambda: made.append(key) or key.upper())  # type: ignore[func-returns-value]

    assert [get(key) for key in "abaacab"] == list("ABAACAB")
    assert made == ["a", "b", "c", "b"] and len(known) == 2


def test_what_fails_is_not_kept() -> None:
    known: Remembered[int] = Remembered(2)
    with pytest.raises(ZeroDivisionError):
        known.get("a", lambda: 1 // 0)
    assert len(known) == 0 and known.get("a", lambda: 1) == 1


def test_what_is_made_in_steps_is_kept_at_their_end() -> None:
    known: Remembered[str] = Remembered(2)

    def made(value: str) -> Generator[None, None, str]:
        yield
        return value

    assert result(known.get_in_steps("a", lambda: made("first"))) == "first"
    assert list(known.get_in_steps("a", lambda: made("again"))) == [] and list(known.values()) == ["first"]
    assert result(known.get_in_steps("b", lambda: made("second"))) == "second" and len(known) == 2
    known.clear()
    assert len(known) == 0
