"""Single quotes: quotation marks in pairs, apostrophes else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.reading.quotes import quotation_marks


def marked(text: str) -> str:
    marks = quotation_marks(text)
    return "".join(marks.get(at, character) for at, character in enumerate(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("'Fine,' he said.", "“Fine,” he said."),
        ("He said ‘no’.", "He said “no”."),
        ("('yes')", "(“yes”)"),
        ("'It's Tom's,' I said", "“It's Tom's,” I said"),
        ("'One.' 'Two.'", "“One.” “Two.”"),
        ("the letter 's'", "the letter “s”"),
    ],
)
def test_quotations(text: str, said: str) -> None:
    assert marked(text) == said


@pytest.mark.parametrize(
    "text",
    [
        *("don't", "the dogs' bowls", "James' and Tom's", "'tis so", "in the '90s", "rock 'n' roll", "give 'em that"),
        *(
            "5' 10\"",
            "'open alone",
            "closed' alone",
            "l'eau d'or",
            "po' di",
            "''",
            "' '",
            "'s avonds",
            "'" + "x" * 500 + "'",
        ),
    ],
)
def test_apostrophes(text: str) -> None:
    assert marked(text) == text


@given(st.text("'‘’ ab.,s1\"", max_size=40))
def test_quotation_marks_come_in_pairs(text: str) -> None:
    marks = quotation_marks(text)
    assert "".join(mark for _, mark in sorted(marks.items())) == "“”" * (len(marks) // 2)
