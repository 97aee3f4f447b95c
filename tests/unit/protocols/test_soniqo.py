"""soniqo's answers: text in a header."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from speechmlx.protocols.soniqo import HEADER_LIMIT, header_text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_header_text_is_ascii_short_and_reads_back(text: str) -> None:
    encoded = header_text(text)
    assert encoded.isascii() and encoded.isprintable() and len(encoded) <= HEADER_LIMIT
    assert unquote(encoded) == text.strip()


def test_a_long_header_text_is_cut_between_characters() -> None:
    encoded = header_text("é" * 3000)
    assert HEADER_LIMIT - 6 < len(encoded) <= HEADER_LIMIT
    assert set(unquote(encoded, errors="strict")) == {"é"}


def test_half_a_character_is_a_sign_in_a_header() -> None:
    assert header_text("a\ud800b") == "a%3Fb"
