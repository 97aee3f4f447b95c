"""Captions: what is written to a terminal, and what the terminal shows then."""

from __future__ import annotations

import pytest

from speechmlx.cli.terminal.captions import CLEAR, GREY, PLAIN, Captions
from speechmlx.types import Hypothesis, Word


def words(text: str, start: float = 0.0, speaker: str | None = None) -> tuple[Word, ...]:
    """The words of a text, a tenth of a second each."""
    return tuple(
        Word(f" {word}", start + n / 10, start + n / 10 + 0.1, 0.9, speaker) for n, word in enumerate(text.split())
    )


def shown(written: str) -> list[str]:
    """The lines of a terminal; grey text in parentheses."""
    lines, column, grey = [""], 0, False
    rest = written
    while rest:
        if rest.startswith(GREY):
            rest, grey = rest[len(GREY) :], True
        elif rest.startswith(PLAIN):
            rest, grey = rest[len(PLAIN) :], False
        elif rest.startswith(CLEAR):
            rest, lines[-1] = rest[len(CLEAR) :], lines[-1][:column]
        elif rest.startswith("\x1b["):
            count, _, rest = rest[2:].partition("C")
            column += int(count)
        elif rest.startswith("\r"):
            rest, column = rest[1:], 0
        elif rest.startswith("\n"):
            rest, column = rest[1:], 0
            lines.append("")
        else:
            lines[-1] = lines[-1][:column] + (rest[0].upper() if grey else rest[0])
            rest, column = rest[1:], column + 1
    return lines


@pytest.mark.parametrize(
    ("width", "given", "lines"),
    [
        (40, [Hypothesis(words("one two"), ())], ["one two"]),
        (40, [Hypothesis((), words("won")), Hypothesis(words("one"), words("too"))], ["one TOO"]),
        (40, [Hypothesis(words("one"), words("too three")), Hypothesis(words("two"), ())], ["one two"]),
        (12, [Hypothesis(words("one two three"), ())], ["one two", "three"]),
        (12, [Hypothesis(words("one"), words("two three four"))], ["one TWO THR"]),
        (12, [Hypothesis(words("one two"), words("three")), Hypothesis(words("tree"), ())], ["one two", "tree"]),
        (40, [Hypothesis(words("one"), ()), Hypothesis(words("two", 1.2), ())], ["one", "two"]),
        (
            40,
            [Hypothesis(words("one", 0, "0") + words("two", 0.1, "1") + words("three", 0.2, "1"), ())],
            ["[SPEAKER_00] one", "[SPEAKER_01] two three"],
        ),
        (None, [Hypothesis(words("one"), words("too")), Hypothesis(words("two"), ())], ["one two"]),
    ],
)
def test_lines(width: int | None, given: list[Hypothesis], lines: list[str]) -> None:
    captions = Captions(width)
    assert shown("".join(captions.update(hypothesis) for hypothesis in given)) == lines


def test_the_end_takes_the_unsure_words_back_and_ends_the_line() -> None:
    captions = Captions(40)
    written = captions.update(Hypothesis(words("one"), words("too"))) + "^C" + captions.end()
    assert shown(written) == ["one", ""]
    assert shown(Captions(40).end()) == [""] and Captions(None).end() == ""


def test_wide_characters_take_two_cells() -> None:
    captions = Captions(8)
    assert captions.update(Hypothesis((), words("日本語日本語"))).endswith(f"{GREY}日本語{PLAIN}")
