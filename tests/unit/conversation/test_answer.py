"""How soon an answer begins to be spoken."""

from __future__ import annotations

import pytest

from speechmlx.conversation.answer import early

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
    assert early(text, first=True, slow=False) == (whole, rest)


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
    assert early(text, first, slow=True) == (whole, rest)


def test_later_clauses_that_come_fast_are_whole() -> None:
    assert early(f"{LONG} and then home,", first=False, slow=False) == ([], f"{LONG} and then home,")
