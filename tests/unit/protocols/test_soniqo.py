"""soniqo's answers: overall confidence, and text in a header."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.protocols.http.uploads import confidence
from speechmlx.protocols.soniqo import HEADER_LIMIT, header_text
from speechmlx.types import Segment


@pytest.mark.parametrize(
    ("segments", "expected"),
    [([], 0.0), ([(0, 2, 0.5)], 0.5), ([(0, 3, 1.0), (3, 4, 0.2)], 0.8), ([(1, 1, 0.9)], 0.0)],
)
def test_confidence_is_weighted_by_length(segments: list[tuple[float, float, float]], expected: float) -> None:
    made = [Segment(" x", start, end, value) for start, end, value in segments]
    assert confidence(made) == pytest.approx(expected)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_header_text_is_ascii_short_and_reads_back(text: str) -> None:
    encoded = header_text(text)
    assert encoded.isascii() and encoded.isprintable() and len(encoded) <= HEADER_LIMIT
    assert unquote(encoded) == text.strip()


def test_a_long_header_text_is_cut_between_characters() -> None:
    encoded = header_text("é" * 3000)
    assert HEADER_LIMIT - 6 < len(encoded) <= HEADER_LIMIT
    assert set(unquote(encoded, errors="strict")) == {"é"}
