"""Text with places: cuts, joins and rewriting keep them, by tables and by laws."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speechmlx.reading.mapped import MappedText

TEXTS = st.text(max_size=40)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, str]]]:
    """A text, and edits of it that are in order and apart."""
    text = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return text, [(start, end, draw(st.text(max_size=3))) for start, end in pairs]


def test_a_replaced_character_stands_for_all_that_it_replaced() -> None:
    text = MappedText.of("Tom &amp; I").replace(4, 9, "&")
    assert text.text == "Tom & I"
    assert text.span(4, 5) == (4, 9)
    assert text.span(0, 5) == (0, 9)
    assert text.span(6, 7) == (10, 11)


def test_many_characters_for_one_and_none() -> None:
    text = MappedText.of("chapter Ⅳ!").rewritten([(7, 8, ""), (8, 9, "IV")])
    assert text.text == "chapterIV!"
    assert text.span(7, 8) == text.span(8, 9) == (8, 9)
    assert text.span(9, 10) == (9, 10)


def test_what_is_put_between_stands_for_what_lies_there() -> None:
    whole = MappedText.of("| a | b |")
    row = MappedText.join((whole[2:3], whole[6:7]), ", ")
    assert row.text == "a, b"
    assert row.span(1, 3) == (3, 6)


def test_a_said_text_stands_for_its_place_as_a_whole() -> None:
    alias = MappedText.said("World Wide Web", 30, 33)
    assert alias.span(6, 10) == (30, 33)
    assert MappedText.of("cat", 5).span(1, 3) == (6, 8)


def test_an_empty_span_lies_between_its_neighbours() -> None:
    text = MappedText.of("abc", 4)
    assert [text.span(at, at) for at in range(4)] == [(4, 4), (5, 5), (6, 6), (7, 7)]
    assert MappedText.of("").span(0, 0) == (0, 0)


@given(edited())
def test_rewriting_is_cutting_and_joining(case: tuple[str, list[tuple[int, int, str]]]) -> None:
    text, edits = case
    mapped, pieces, done = MappedText.of(text), list[MappedText](), 0
    for start, end, new in edits:
        pieces += (mapped[done:start], MappedText.said(new, *mapped.span(start, end)))
        done = end
    assert mapped.rewritten(edits) == MappedText.join([*pieces, mapped[done:]])


@given(TEXTS, st.integers(0, 40), st.integers(0, 9))
def test_joined_pieces_are_the_text(text: str, cut: int, at: int) -> None:
    mapped = MappedText.of(text, at)
    assert mapped[:cut] + mapped[cut:] == mapped
    assert all(mapped.span(place, place + 1) == (at + place, at + place + 1) for place in range(len(text)))


@given(edited(), st.data())
def test_spans_are_in_order_and_inside(case: tuple[str, list[tuple[int, int, str]]], data: st.DataObject) -> None:
    text, edits = case
    mapped = MappedText.of(text).rewritten(edits)
    start = data.draw(st.integers(0, len(mapped)))
    end = data.draw(st.integers(start, len(mapped)))
    first, last = mapped.span(start, end)
    assert 0 <= first <= last <= len(text)
    assert list(mapped.starts) == sorted(mapped.starts)
    assert list(mapped.ends) == sorted(mapped.ends)


@given(st.text(" \n\ta", max_size=12))
def test_strip(text: str) -> None:
    stripped = MappedText.of(text).strip()
    assert stripped.text == text.strip()
    assert not stripped.text or stripped.starts[0] == len(text) - len(text.lstrip())
