"""Silences that a text asks for, as the reader and as synthesisers without one see them."""

from __future__ import annotations

import re

import pytest

from speechmlx.errors import BadRequest
from speechmlx.reading import Pause, SpokenWord, read
from speechmlx.reading.pauses import PauseOrText, check_pauses, edges, parts
from speechmlx.reading.sentences import finished

TOO_LONG = re.escape("[pause:11s] is too long: a pause has 10 s at most, like [pause:1.5s] or [pause:500ms]")


def said(text: str, language: str = "en-us") -> str:
    """Words, marks and seconds."""
    return " ".join(
        token.text if isinstance(token, SpokenWord) else f"{token.mark}{token.seconds or ''}"
        for token in read(text, language)
    )


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("One [pause:1s] two.", "One 1.0 two ."),
        ("One.[pause:500ms]Two.", "One . 0.5 Two ."),
        ("One. [PAUSE:.25S] Two.", "One . 0.25 Two ."),
        ("[pause:10s][pause:2.5s]One", "10.0 2.5 One ."),
        ("One two.[pause:1.5s]", "One two . 1.5"),
        ("One two [pause:1.5s]", "One two . 1.5"),
        ("[pause:1s]", "1.0"),
        ("- one [pause:1s]\n- two", "one . 1.0 two ."),
        ("**10[pause:1s]20**", "ten 1.0 twenty ."),
        ("a[pause:0s]b", "a b ."),
        ("[pause:1 s]", "( pause : one second ) ."),
        ("`[pause:1s]`", "( pause : one second ) ."),
        (r"\[pause:1s]", "( pause : one second ) ."),
        ("<speak>One [pause:1s]</speak>", "One ( pause : one second ) ."),
    ],
)
def test_the_reader_makes_silence_of_it(text: str, tokens: str) -> None:
    assert said(text) == tokens


@pytest.mark.parametrize(
    ("language", "tokens"), [("de", "eins 2.0 zwei ."), ("zh", "一 2.0 二 ."), ("ru", "один 2.0 два .")]
)
def test_in_every_language(language: str, tokens: str) -> None:
    assert said("1 [pause:2s] 2", language) == tokens


def test_places_are_those_of_the_input() -> None:
    text = "One [pause:1s] two."
    one, pause, two, _ = read(text)
    assert isinstance(pause, Pause) and text[pause.start : pause.end] == "[pause:1s]"
    assert (text[one.start : one.end], text[two.start : two.end]) == ("One", "two")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("One.", [PauseOrText("One.", 0)]),
        ("One[pause:1s] two", [PauseOrText("One", 0), PauseOrText("", 3, 1.0), PauseOrText(" two", 13)]),
        ("[pause:500ms][pause:0s]", [PauseOrText("", 0, 0.5)]),
        ("<speak>[pause:1s]</speak>", [PauseOrText("<speak>[pause:1s]</speak>", 0)]),
    ],
)
def test_parts(text: str, found: list[PauseOrText]) -> None:
    assert parts(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One.", (0, PauseOrText("One.", 0), 0)),
        (" [pause:1s] [pause:2s] One [pause:3s] two [pause:4s] ", (3, PauseOrText(" One [pause:3s] two ", 22), 4)),
        ("[pause:1s]", (1, PauseOrText("", 10), 0)),
        ("  ", (0, PauseOrText("", 2), 0)),
    ],
)
def test_edges(text: str, found: tuple[float, PauseOrText, float]) -> None:
    assert edges(text) == found


def test_one_that_is_too_long_is_refused_and_teaches() -> None:
    for ask in (check_pauses, parts, edges, read):
        with pytest.raises(BadRequest, match=TOO_LONG):
            ask("One. [pause:1s] Two. [pause:11s] Three.")
    check_pauses("One. [pause:10s] <speak>[pause:11")
    check_pauses("<speak>[pause:11s]</speak>")


@pytest.mark.parametrize("by_clause", [False, True])
def test_a_text_that_is_still_written_is_not_cut_inside_a_pause(by_clause: bool) -> None:
    text = "It is late. [pause:1.5s] We should go home now, [pause:.5s] they say. Or [pause:250ms] not."
    for size in (1, 2, 5):
        pending, cut = "", list[str]()
        for start in range(0, len(text), size):
            whole, pending = finished(pending + text[start : start + size], 10, by_clause)
            cut += whole
        cut.append(pending)
        assert "".join(cut) == text
        assert sum(part.seconds for piece in cut for part in parts(piece)) == 2.25
