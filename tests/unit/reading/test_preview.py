"""How a text would be read: words with their places, phonemes, and a lexicon's entries among them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from speechmlx.errors import BadRequest, Unsupported
from speechmlx.reading.entries import read_entries
from speechmlx.reading.preview import ReadWord, phonemes_of, preview, words_of

ENTRIES = read_entries({"Nguyen": "win", "Siobhan": {"phonemes": "ʃəvˈɔn"}})


def test_words_have_their_places_and_phonemes() -> None:
    text = "**Nguyen's** cat saw Siobhan's $5."
    found = preview(text, None, ENTRIES)
    assert found.text == "win's cat saw siobhan's five dollars"
    assert [(word.text, text[word.start : word.end]) for word in found.words] == [
        ("win's", "Nguyen's"), ("cat", "cat"), ("saw", "saw"), ("Siobhan's", "Siobhan's"), ("five", "$5"),
        ("dollars", "$5"),
    ]  # fmt: skip
    assert [word.phonemes for word in found.words] == ["wˈɪnz", "kˈæt", "sˈɔ", "ʃəvˈɔnz", "fˈIv", "dˈɑləɹz"]
    assert found.phonemes is not None and found.phonemes.startswith("wˈɪnz kˈæt") and found.phonemes.endswith(".")


def test_a_language_without_a_voice_has_words() -> None:
    found = preview("Siobhan sjunger.", "sv", ENTRIES)
    assert found.words[1] == ReadWord("sjunger", 8, 15, None) and found.phonemes is None
    with pytest.raises(Unsupported, match="sv"):
        phonemes_of("Hej.", "sv")


def test_the_language_decides() -> None:
    assert phonemes_of("Schedule.", "en-gb") != phonemes_of("Schedule.", None) == phonemes_of("Schedule.", "English")
    assert [words_of("12", language) for language in ("es", "fr", "en")] == ["doce", "douze", "twelve"]


def test_a_lexicon_in_other_languages() -> None:
    assert words_of("我在重庆住。", "zh", read_entries({"重庆": "虫庆"})).replace(" ", "") == "我在虫庆住"
    assert words_of("L'Angela est à Nantes.", "fr", read_entries({"Nantes": "nante"})) == "l'angela est à nante"
    assert (
        words_of("Angelas Auto kostet 5 €.", "de", read_entries({"Auto": "wagen"})) == "angelas wagen kostet fünf euro"
    )


@pytest.mark.parametrize("text", ["...", "👍", "<speak/>"])
def test_nothing_to_say_is_no_word(text: str) -> None:
    found = preview(text, None)
    assert (found.words, found.text) == ((), "")


def test_ssml_that_is_wrong_is_refused() -> None:
    with pytest.raises(BadRequest):
        words_of("<speak>Hi", None)


def test_no_model_is_loaded() -> None:
    code = "import sys; from speechmlx.reading.preview import words_of, phonemes_of; words_of('Hi 5', None)\n"
    code += "phonemes_of('Hi 5', None); print([m for m in sys.modules if m == 'mlx' or m.startswith('mlx.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
