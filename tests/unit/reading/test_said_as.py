"""What a text becomes whose class its writer named: a form that has one meaning."""

from __future__ import annotations

import pytest

from speechmlx.reading import Pause, SpokenWord, Token
from speechmlx.reading.said_as import said_as


def whole(text: str) -> list[Token]:
    """A verbaliser that leaves every text as it is."""
    return [SpokenWord(text, 0, len(text))] if text.strip() else []


@pytest.mark.parametrize(
    ("interpret", "form", "text", "language", "written"),
    [
        ("cardinal", "", "1984", "en-us", "1,984"),
        ("cardinal", "", " 12,345 ", "en", "12,345"),
        ("cardinal", "", "-1984", "de", "-1984"),
        ("cardinal", "", "12.5", "en", "12.5"),
        ("cardinal", "", "many", "en", "many"),
        ("cardinal", "", "9" * 5000, "en", "9" * 5000),
        *(
            ("ordinal", "", str(n), "en", f"{n}{e}")
            for n, e in [(1, "st"), (2, "nd"), (3, "rd"), (11, "th"), (112, "th")]
        ),
        ("ordinal", "", "1", "fr", "1er"),
        ("ordinal", "", "3", "es", "3º"),
        ("ordinal", "", "3", "de", "3."),
        ("date", "mdy", "3/4/2024", "en-us", "2024-03-04"),
        ("date", "dmy", "3/4/24", "en-gb", "2024-04-03"),
        ("date", "yyyymmdd", "20240304", "fr", "2024-03-04"),
        ("date", "ddmmyyyy", "03.04.2024", "de", "2024-04-03"),
        ("date", "md", "3/4", "en", "March 4"),
        ("date", "my", "3/2024", "en", "March 2024"),
        ("date", "y", "2024", "en", "2024"),
        ("date", "d", "4", "en", "4th"),
        ("date", "md", "3/4", "fr", "3/4"),
        ("date", "mdy", "31/4/2024", "en", "31/4/2024"),
        ("date", "mdy", "March 4, 2024", "en", "March 4, 2024"),
        ("date", "", "3/4/2024", "en", "3/4/2024"),
        ("fraction", "", "3/20", "en", "3 20ths"),
        ("fraction", "", "1/2", "en", "1 half"),
        ("fraction", "", "2 3/4", "en", "2 and 3 quarters"),
        ("fraction", "", "1/0", "fr", "1/0"),
        ("time", "hms12", "2:30pm", "en", "2:30pm"),
        ("unit", "", "6'2\"", "en", "6'2\""),
    ],
)
def test_one_meaning(interpret: str, form: str, text: str, language: str, written: str) -> None:
    (word,) = said_as(text, interpret, form, whole, language)
    assert isinstance(word, SpokenWord)
    assert word.text == written
    assert text[word.start : word.end].strip() == text.strip()


def test_characters_one_by_one() -> None:
    tokens = said_as("aB 1-", "characters", "", whole, "en")
    assert tokens == [
        SpokenWord("a", 0, 1, is_letter=True),
        SpokenWord("b", 1, 2, is_letter=True),
        Pause(",", 2, 3),
        SpokenWord("1", 3, 4),
        SpokenWord("dash", 4, 5),
    ]
    assert [token.start for token in said_as("a-é", "characters", "", whole, "fr")] == [0, 2]


def test_digits_in_groups() -> None:
    tokens = said_as("+4 (15) ext 7 ", "telephone", "", whole, "en")
    said = [token.text if isinstance(token, SpokenWord) else token.mark for token in tokens]
    assert said == ["plus", "4", ",", "1", "5", ",", "ext", ",", "7"]
