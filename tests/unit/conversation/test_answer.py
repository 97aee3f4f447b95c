"""How soon an answer begins to be spoken."""

from __future__ import annotations

import pytest

from speechmlx.conversation.answer import first_clause


@pytest.mark.parametrize(
    ("text", "whole", "rest"),
    [
        ("Well,", [], "Well,"),
        ("The capital of France is Paris,", ["The capital of France is Paris,"], ""),
        ("There are about 300,", [], "There are about 300,"),
        ("It is on the left", [], "It is on the left"),
        (
            "The people of the town went down to the harbour in the morning and",
            ["The people of the town went down to the harbour in the "],
            "morning and",
        ),
        ("x" * 90, [], "x" * 90),
        ("The people of the town went down to the harbour in the morning.", [], None),
    ],
)
def test_the_first_clause_comes_early_and_whole(text: str, whole: list[str], rest: str | None) -> None:
    assert first_clause(text) == (whole, text if rest is None else rest)
