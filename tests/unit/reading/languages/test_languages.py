"""What is said in each language: rows of a text and the ways that a person reads it; places; linear time."""

from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmlx.reading import Pause, SpokenWord
from speechmlx.reading.languages import words

CODES = ("es", "fr", "it", "pt", "de", "hi", "zh", "ja")
UNSPACED = ("zh", "ja")
ROWS = [
    (code, *line.split("\t"))
    for code in CODES
    for line in Path(__file__).with_name(f"{code}.tsv").read_text(encoding="utf-8").splitlines()
]
MIXED = st.text(
    st.sampled_from("aB1é0 9.,;:/-–%€$°'’@&+=()ºªhIVX年月日二三カ本क२\n\u0301\u200d") | st.characters(), max_size=60
)
HOSTILE: tuple[str, ...] = (
    ",",
    "—",
    "111,",
    "1.",
    "a-",
    "a.a",
    "a+.@a",
    " ",
    "\n",
    "1",
    "1 ",
    "1-",
    "1/",
    "12:",
    "+1",
    "I",
    "a'",
    "(",
    "€1",
)
HOSTILE += ("www.", "é", "1.000.", "年", "क्", "'")


def plain(text: str) -> str:
    """Lower case, without marks; hyphens are blanks."""
    text = unicodedata.normalize("NFC", text.lower()).replace("-", " ")
    kept = (c if c.isalnum() or unicodedata.category(c)[0] == "M" or c == "'" else " " for c in text)
    return " ".join("".join(kept).split())


def same(text: str, language: str) -> str:
    """What two readings that are the same have in common. Chinese and Japanese have no blanks."""
    return plain(text).replace(" ", "") if language in UNSPACED else plain(text)


def said(text: str, language: str) -> str:
    return plain(" ".join(token.text for token in words(text, language) if isinstance(token, SpokenWord)))


@pytest.mark.parametrize(("code", "text", "readings"), ROWS, ids=[f"{code}: {text}" for code, text, _ in ROWS])
def test_a_row_is_read_as_a_person_reads_it(code: str, text: str, readings: str) -> None:
    assert same(said(text, code), code) in [same(reading, code) for reading in readings.split(" | ")]


def test_there_are_rows_enough() -> None:
    counts = {code: sum(row[0] == code for row in ROWS) for code in CODES}
    assert all(count >= (25 if code == "hi" else 40) for code, count in counts.items()), counts


def test_words_know_their_places() -> None:
    text = "El 5 % de 21 libras, ¿no?"
    found = [
        (token.text, text[token.start : token.end]) for token in words(text, "es") if isinstance(token, SpokenWord)
    ]
    assert found[:4] == [("El", "El"), ("cinco", "5 %"), ("por", "5 %"), ("ciento", "5 %")]
    assert found[4:] == [("de", "de"), ("veintiuna", "21"), ("libras", "libras"), ("no", "no")]


def test_letters_are_letters() -> None:
    tokens = words("El FBI y la ONU", "es")
    assert [(t.text, t.is_letter) for t in tokens if isinstance(t, SpokenWord)] == [
        ("El", False), ("f", True), ("b", True), ("i", True), ("y", False), ("la", False), ("ONU", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("Hola, ¿qué tal?", [",", "?"]),
        ("Bueno... sí — no; «claro»", ["…", "—", ";", "“", "”"]),
        ('Dijo "sí" (dos veces): ya!!', ["“", "”", "(", ")", ":", "!"]),
        ("Vino el Sr. Ruiz, etc.", [",", "."]),
        ("1.234,5 y 3:05", []),
    ],
)
def test_marks_are_pauses(text: str, marks: list[str]) -> None:
    assert [token.mark for token in words(text, "es") if isinstance(token, Pause)] == marks


@pytest.mark.parametrize(
    ("language", "text", "words_said"),
    [
        ("sv", "Jag har 21 äpplen", "jag har tjugoett äpplen"),
        ("nl", "Het is 3,5", "het is drie komma vijf"),
        ("pl", "Mam 1 234 zł", "mam tysiąc dwieście trzydzieści cztery zł"),
        ("ko", "사과 21", "사과 이십일"),
        ("tlh", "Qapla' 42", "qapla' 4 2"),
        ("es-MX", "21", "veintiuno"),
        ("pt_BR", "2", "dois"),
        ("", "7", "7"),
        ("ru", "007", "ноль ноль семь"),
    ],
)
def test_any_other_language_reads_digits(language: str, text: str, words_said: str) -> None:
    assert said(text, language) == words_said


@pytest.mark.parametrize("language", [*CODES, "sv", "tlh"])
@given(text=MIXED)
@settings(max_examples=40)
def test_any_text_is_read_in_order(language: str, text: str) -> None:
    tokens = words(text, language)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)


@pytest.mark.parametrize("language", ["es", "de", "hi", "zh", "ja", "sv"])
def test_time_is_linear(language: str) -> None:
    """Hostile text of four times the length takes four times as long, and not sixteen times."""

    def seconds(length: int) -> float:
        begin = time.process_time()
        for unit in HOSTILE:
            words((unit * length)[:length], language)
        return time.process_time() - begin

    words("1", language)
    assert seconds(4000) < 8 * seconds(1000) + 0.5


def test_a_very_long_number_is_read_digit_by_digit() -> None:
    tokens = words("9" * 5000, "es")
    assert len(tokens) == 5000
    assert {token.text for token in tokens if isinstance(token, SpokenWord)} == {"nueve"}
