"""How ChatTTS cuts and reads a text: pieces, marks, silences, numbers as words."""

from __future__ import annotations

import pytest
from support.tiny_chattts import write_tokenizer

from speechmlx.engines.chattts.text import MOST, pieces
from speechmlx.engines.chattts.tokens import ChatTokens
from speechmlx.types import Pronunciation


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> ChatTokens:
    folder = tmp_path_factory.mktemp("tokens")
    write_tokenizer(folder / "tokenizer.json")
    return ChatTokens(folder)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello you.", ["Hello you."]),
        ("Hello you", ["Hello you."]),
        ("It costs 3 euros!", ["It costs three euros."]),
        ("Well, (so) – then?", ["Well, so, then."]),
        ("你好，我很好！", ["你好，我很好。"]),
        ("我有3个", ["我有三个。"]),
        ("You [laugh] I", ["You [laugh] I."]),
        ("You.[uv_break]I know[lbreak]", ["You. [uv_break] I know [lbreak]"]),
        ("Use [it] now", ["Use, it, now."]),
        ("[Ptts] you", ["Ptts, you."]),
        ("a [pause:250ms] b [pause:1s]", ["a.", 0.25, "b.", 1.0]),
        ('<speak>One<break time="300ms"/>two</speak>', ["One", 0.3, "two."]),
        ("...", []),
        ("", []),
    ],
)
def test_what_is_said(tokens: ChatTokens, text: str, found: list[str | float]) -> None:
    assert list(pieces(text, None, (), tokens)) == found


def test_short_sentences_are_said_together_and_long_ones_are_cut(tokens: ChatTokens) -> None:
    short = list(
        pieces("I go. You go. We all go there. They stay at home now, all of them. It is so.", "en", (), tokens)
    )
    assert len(short) == 2 and all(isinstance(piece, str) and tokens.count(piece) <= MOST for piece in short)
    long = list(pieces("word and " * 40, "en", (), tokens))
    assert len(long) > 4 and all(isinstance(piece, str) and tokens.count(piece) <= MOST for piece in long)


def test_pronunciations_count(tokens: ChatTokens) -> None:
    known = (Pronunciation("nguyen", sounds_like="win"),)
    assert list(pieces("Nguyen is here.", "en", known, tokens)) == ["win is here."]


def test_the_tokenizer_neither_cuts_nor_fills_up(tokens: ChatTokens) -> None:
    assert tokens.count("a" * 60) == 60 and tokens.count("a") == 1


def test_marks(tokens: ChatTokens) -> None:
    assert tokens.knows("[laugh]") and tokens.knows("[oral_9]") and tokens.has_marks("a [uv_break] b")
    assert not any(tokens.knows(mark) for mark in ("[Ptts]", "[oral_99]", "[v_break]", "laugh", ""))
