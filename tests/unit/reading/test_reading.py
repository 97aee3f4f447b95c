"""The whole way of a text: its words, its pauses and their places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile_text import LONGEST, NAMED, PARTS, seconds

from speechmlx.errors import BadRequest
from speechmlx.reading import Pause, SpokenWord, read, spoken
from speechmlx.reading.lexicon import UserLexicon
from speechmlx.types import Pronunciation


def said(text: str, language: str = "en-us") -> str:
    """Words and marks."""
    return " ".join(
        token.text if isinstance(token, SpokenWord) else token.mark or str(token.seconds)
        for token in read(text, language)
    )


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("# Title\n\nSome text", "Title . Some text ."),
        ("- one\n- two!\n- three,", "one . two ! three ,"),
        ("We need:\n\n- milk", "We need : milk ."),
        ("| a | b |\n|---|---|\n| c | d |", "a , b . c , d ."),
        ("Title\nSome text follows here", "Title , Some text follows here ."),
        ("Go. He said “stop.” Then (he left)", "Go . He said “ stop . ” Then ( he left ) ."),
        ("“Well…”", "“ Well … ”"),
        ("a) Milk", "a , Milk ."),
        ("[Kokoro](/kˈOkəɹO/)'s voice", "Kokoro s voice ."),
    ],
)
def test_each_block_ends_with_a_pause(text: str, tokens: str) -> None:
    assert said(text) == tokens


@pytest.mark.parametrize(
    "text", ["", " \n", ".", "...", "—", "👍", "***", "``", "()", "<br>", "<speak/>", "\u200b", "|"]
)
def test_nothing_to_say_gives_no_word(text: str) -> None:
    assert not any(isinstance(token, SpokenWord) for token in read(text))
    assert spoken(read(text)) == ""


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("**Hola**, son las 3:00.", "es", "hola son las tres"),
        ("# Titre\n\n20 %", "fr-fr", "titre vingt pour cent"),
        ("Am 3. Mai", "de", "am dritten mai"),
        ("Привет, 5", "ru", "привет пять"),
        ("It is 3/4.", "en-gb", "it is three quarters"),
    ],
)
def test_each_language_has_its_verbaliser(text: str, language: str, words: str) -> None:
    assert spoken(read(text, language)) == words


def test_a_word_with_phonemes_and_a_letter() -> None:
    kokoro, *_ = read("[Kokoro](/kˈOkəɹO/) reads")
    assert kokoro == SpokenWord("Kokoro", 1, 7, phonemes="kˈOkəɹO")
    assert read("b) Eggs")[0] == SpokenWord("b", 0, 1, is_letter=True)


def test_places_are_those_of_the_input() -> None:
    text = "**Tom** &amp; ﬁne [Ann](https://x.y): e\u0301t"
    found = [(token.text, text[token.start : token.end]) for token in read(text) if isinstance(token, SpokenWord)]
    pairs = [pair for pair in found if pair[0] != "and"]
    assert pairs == [("Tom", "Tom"), ("fine", "ﬁne"), ("Ann", "Ann"), ("ét", "e\u0301t")]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([("Wi-Fi", False), ("Should've", False)], "wi fi should've"),
        ([("f", True), ("b", True), ("I's", True)], "f b i's"),
        ([("O’Neill", False), ("नमस्ते", False), ("", False), ("a_b", False)], "o'neill नमस्ते a b"),
    ],
)
def test_spoken(words: list[tuple[str, bool]], text: str) -> None:
    assert spoken([*(SpokenWord(word, 0, 1, is_letter) for word, is_letter in words), Pause(".", 1, 1)]) == text


def test_a_lexicon_sees_the_tokens_of_a_sentence_and_its_text() -> None:
    lexicon = UserLexicon([Pronunciation("Nguyen", sounds_like="win"), Pronunciation("Wi-Fi", phonemes="wˈIfˌI")], "en")
    text = "# Mr. **Nguyen**\n\nHi. Nguyen's Wi-Fi [Nguyen](/nˈuən/)."
    words = [token for token in read(text, "en", lexicon) if isinstance(token, SpokenWord)]
    assert spoken(words) == "mister win hi win's wi fi nguyen"
    assert [word.phonemes for word in words[-2:]] == ["wˈIfˌI", "nˈuən"]
    assert [text[word.start : word.end] for word in words[-3:]] == ["Nguyen's", "Wi-Fi", "Nguyen"]


@given(
    st.text(st.characters() | st.sampled_from("aB1. ,\n#*_`[]()<>|&$-\"'"))
    | st.lists(st.sampled_from(PARTS)).map("".join)
)
def test_any_text_is_read_with_places_in_order_and_inside(text: str) -> None:
    try:
        tokens = read(text)
    except BadRequest:
        assert text.lstrip().startswith("<")
        return
    starts = [token.start for token in tokens]
    assert starts == sorted(starts)
    assert all(0 <= token.start <= token.end <= len(text) for token in tokens)
    assert not any(isinstance(token, SpokenWord) for token in tokens) or isinstance(tokens[-1], Pause)


@pytest.mark.parametrize("part", [*NAMED, "A\n", "👍"])
def test_time_is_linear(part: str) -> None:
    assert seconds(read, part) < LONGEST
