"""espeak-ng's clauses: parted at marks, in linear time."""

from __future__ import annotations

import time

import pytest

from speechmlx.reading.pronunciation import espeak


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Bonjour ! Ça va ?", ["Bonjour ", "!", " ", "Ça va ", "?"]),
        ("3.5 km, 2.000,50.", ["3.5 km", ",", " ", "2.000,50", "."]),
        ("« Oui »", ["«", " ", "Oui ", "»"]),
        ("¿Qué?", ["¿", "Qué", "?"]),
        ("a,b", ["a,b"]),
        ("", []),
    ],
)
def test_clauses(text: str, parts: list[str]) -> None:
    clauses = espeak._clauses(text)
    assert [part for part, _ in clauses] == parts
    assert all(is_mark == (not any(c.isalnum() for c in part)) for part, is_mark in clauses)


@pytest.mark.parametrize("unit", [",", "—", "a,", " ", "«", "1.", ", "])
def test_clauses_take_linear_time(unit: str) -> None:
    def spent(count: int) -> float:
        started = time.process_time()
        espeak._clauses(unit * count + "x")
        return time.process_time() - started

    assert spent(100_000) < 12 * spent(25_000) + 0.3
