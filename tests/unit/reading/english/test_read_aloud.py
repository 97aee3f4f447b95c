"""English texts of every kind, and how a person reads them: the whole way, from structure to words."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.read_aloud import plain, rows

from speechmlx.reading.reading import read, spoken

DATA = Path(__file__).parents[1] / "data"
ROWS = [row for path in sorted(DATA.glob("read-aloud*.tsv")) for row in rows(path)]


@pytest.mark.parametrize(("text", "readings"), ROWS, ids=[text for text, _ in ROWS])
def test_read_as_a_person_reads(text: str, readings: list[str]) -> None:
    assert plain(spoken(read(text))) in readings


def test_the_rows_are_here() -> None:
    assert len(ROWS) >= 90
