"""Where text that is still being written is cut: soon, whole, and without losing a character."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation.response.clauses import LONGEST, PATIENCE, ClauseSplitter, cut_early, cut_long

LONG = "The people of the town went down to the harbour in the morning"


@pytest.mark.parametrize(
    ("text", "whole", "rest"),
    [
        ("Well,", [], "Well,"),
        ("The capital of France is Paris,", ["The capital of France is Paris,"], ""),
        ("There are about 300,", [], "There are about 300,"),
        ("It is on the left", [], "It is on the left"),
        (f"{LONG} and", ["The people of the town went down "], "to the harbour in the morning and"),
        ("ka " * 24, ["ka " * 20], "ka " * 4),
        ("x" * 90, [], "x" * 90),
        (f"{LONG}.", [], f"{LONG}."),
    ],
)
def test_the_first_clause_comes_early_and_whole(text: str, whole: list[str], rest: str) -> None:
    assert cut_early(text, first=True, slow=False) == (whole, rest)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("text", "whole", "rest"),
    [
        ("Boiling eggs is a simple yet effective way to ", ["Boiling eggs is a simple yet effective way "], "to "),
        ("Boiling eggs is a simple yet effective way to", [], "Boiling eggs is a simple yet effective way to"),
        ("We went to the harbour ", [], "We went to the harbour "),
        ("Der Hafen liegt im Norden der Stadt ", [], "Der Hafen liegt im Norden der Stadt "),
    ],
)
def test_what_is_slowly_written_is_said_by_phrases(first: bool, text: str, whole: list[str], rest: str) -> None:
    assert cut_early(text, first, slow=True) == (whole, rest)


def test_later_clauses_that_come_fast_are_whole() -> None:
    assert cut_early(f"{LONG} and then home,", first=False, slow=False) == ([], f"{LONG} and then home,")


@pytest.mark.parametrize(
    ("pieces", "cut_off", "clauses"),
    [
        ((), False, []),
        (("  ",), False, []),
        (("Yes.",), False, ["Yes."]),
        (("Yes. ", "It is", " so. And", " more"), False, ["Yes. It is so. ", "And more"]),
        (("Well, it is late now, ", "so go home."), False, ["Well, it is late now, ", "so go home."]),
        (("It costs 3.", "50 dollars. ", "That is all."), False, ["It costs 3.50 dollars. ", "That is all."]),
        (("This is one sentence. ", "And of this"), True, ["This is one sentence. "]),
        (("And of this",), True, ["And of this"]),
    ],
)
def test_a_text_that_is_written_fast(pieces: tuple[str, ...], cut_off: bool, clauses: list[str]) -> None:
    splitter = ClauseSplitter()
    found = [clause for piece in pieces for clause in splitter.push(piece, 0.0)]
    last = splitter.flush(cut_off)
    assert found + ([last] if last else []) == clauses
    assert splitter.flush(False) is None


def test_a_clause_is_slow_from_its_own_beginning() -> None:
    splitter, phrase = ClauseSplitter(), "eggs are a simple yet effective way "
    assert splitter.push("Here is what we do. ", 5.0) == []
    assert splitter.push("B", 5.1) == ["Here is what we do. "]
    assert splitter.push(f"oiled {phrase}", 5.1 + PATIENCE) == []
    assert splitter.push("to do it ", 5.2 + PATIENCE) == [f"Boiled {phrase}"]


def test_blank_text_starts_no_clause() -> None:
    splitter = ClauseSplitter()
    assert splitter.push(" \n", 0.0) == []
    assert splitter.push("Boiling eggs is a simple yet effective way ", 9.0) == []
    assert splitter.push("to do it ", 9.0 + PATIENCE / 2) == []
    assert splitter.push("now", 9.1 + PATIENCE) == [" \nBoiling eggs is a simple yet effective way "]


@given(st.lists(st.tuples(st.text("ab .,;\n1", min_size=1, max_size=12), st.floats(0, 1)), max_size=30))
def test_no_character_is_lost(pieces: list[tuple[str, float]]) -> None:
    splitter, now, found = ClauseSplitter(), 0.0, list[str]()
    for text, seconds in pieces:
        now += seconds
        found += splitter.push(text, now)
    whole, last = "".join(text for text, _ in pieces), splitter.flush(False)
    joined = "".join(found) + (last or "")
    assert whole.startswith(joined) and not whole[len(joined) :].strip()
    assert all(clause.strip() for clause in found)


@pytest.mark.parametrize("part", [",", "—", " — ", "x", "1.", "a.a ", " ", "\n", "[", "`"])
def test_an_answer_of_20000_characters_a_token_at_a_time(part: str) -> None:
    """37 s where every token looked at all that waited; and what waits is bounded."""
    text = part * (20_000 // len(part))
    splitter, found, began = ClauseSplitter(), list[str](), time.process_time()
    for at in range(0, len(text), 2):
        found += splitter.push(text[at : at + 2], 0.0)
    last = splitter.flush(False) or ""
    assert time.process_time() - began < 10
    assert text.rstrip() in ("".join(found) + last).rstrip()
    assert len(last) <= LONGEST


def test_a_long_text_without_an_end_is_cut_between_words() -> None:
    pieces, rest = cut_long("word " * 200)
    assert "".join(pieces) + rest == "word " * 200
    assert all(piece.endswith(" ") and len(piece) <= LONGEST for piece in pieces)
    assert [len(piece) for piece in cut_long("x" * 1000)[0]] == [LONGEST, LONGEST]
