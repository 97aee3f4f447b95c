"""Entries of a lexicon from a file or a request, and what is wrong with one: its line, and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speechmlx.errors import BadRequest
from speechmlx.reading.entries import MOST, read_entries, read_lexicon
from speechmlx.types import Pronunciation


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "lexicon.toml"
    file.write_text(
        "\ufeff# names\n"
        '[any]\n"C++" = "see plus plus"\n'
        '[en]\nNguyen = " win "\nSiobhan = {phonemes = "/ʃəv\'ɔn/"}\n"Rio Grande" = {sounds_like = "ree  oh grand"}\n'
        '[en_GB]\nschedule = "shed-yool"\n'
        '[French]\nNantes = "nante"\n'
    )
    assert read_lexicon(file) == (
        Pronunciation("schedule", "shed-yool", language="en-gb"),
        Pronunciation("Nguyen", "win", language="en"),
        Pronunciation("Siobhan", phonemes="/ʃəv'ɔn/", language="en"),
        Pronunciation("Rio Grande", "ree oh grand", language="en"),
        Pronunciation("Nantes", "nante", language="fr"),
        Pronunciation("C++", "see plus plus"),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('Nguyen = "win"', "line 1: 'Nguyen' is in no table; begin with one for its language, like \\[en\\]"),
        ('\n[xx]\na = "b"', "line 2: 'xx' is no language; write a code like en, en-gb or fr, or any"),
        ("[en]\nRio Grande = 1", r"is not TOML: .*line 2.*; names with blanks or signs need quotes"),
        (
            '[fr]\nx = "y"\n[en]\n\nx = {phonems = "y"}',
            "line 5: 'x' is {'phonems': 'y'}; allowed is text, {sounds_like",
        ),
        (
            '[en]\na = "b"\nNguyen = "w1n"',
            r"line 3: sounds_like of 'Nguyen' has '1'; allowed are letters, .*numbers as",
        ),
        ('[en]\nNguyen = {phonemes = "w1n"}', "line 2: phonemes of 'Nguyen': .* cannot say: 1 .*Use IPA"),
        ('[en]\nNguyen = ""', "line 2: sounds_like of 'Nguyen' is '', which has no letters; write it like"),
        ("[en]\nNguyen = 3", "line 2: 'Nguyen' is 3; allowed is text"),
        ('[en]\nNguyen = {sounds_like = "win", phonemes = "wˈɪn"}', "line 2: 'Nguyen' is .*; allowed is"),
        ('[en]\n"..." = "dots"', "line 2: '...' is no spelling of a word or a phrase; write it like"),
        (f'[en]\n{"a" * 101} = "b"', "line 2: .* has 101 characters; the limit is 100"),
        (f'[en]\nb = "{"a" * 201}"', "line 2: sounds_like of 'b' has 201 characters; the limit is 200"),
        ("[en]\n" + "".join(f'a{number} = "b"\n' for number in range(MOST + 1)), "2001 entries; the limit is 2000"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "lexicon.toml"
    file.write_text(text)
    with pytest.raises(BadRequest, match=words) as error:
        read_lexicon(file)
    assert str(file) in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read: No such file"):
        read_lexicon(tmp_path / "none.toml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\0")
    with pytest.raises(BadRequest, match="is not TOML"):
        read_lexicon(tmp_path / "binary")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({}, ()),
        ({"Nguyen": "win"}, (Pronunciation("Nguyen", "win"),)),
        (
            {"a": {"phonemes": "ˈA"}, "b": {"sounds_like": "bee"}},
            (Pronunciation("a", "", "ˈA"), Pronunciation("b", "bee")),
        ),
        ([{"spelling": "a", "sounds_like": "ay", "language": "en-US"}], (Pronunciation("a", "ay", "", "en-us"),)),
        ([{"spelling": "a", "phonemes": "ˈA", "language": "any"}], (Pronunciation("a", "", "ˈA"),)),
    ],
)
def test_entries_of_a_request(value: Any, found: tuple[Pronunciation, ...]) -> None:
    assert read_entries(value) == found


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("win", "must be an object or a list of objects, not 'win'; write it like {\"Nguyen\""),
        ([["Nguyen", "win"]], "must be an object or a list of objects"),
        ([{"word": "Nguyen", "sounds_like": "win"}], "entry 1: None is no spelling"),
        ({"a": "b", "c": None}, "entry 2: 'c' is None; allowed is"),
        ({"a": {"sounds_like": "b", "language": "klingon"}}, "entry 1: 'klingon' is no language"),
        ({"a": {"sounds_like": "b", "language": 3}}, "entry 1: 3 is no language"),
        ({"": "b"}, "entry 1: '' is no spelling"),
        ({str(number): "a" for number in range(101)}, "has 101 entries; the limit is 100"),
    ],
)
def test_what_is_wrong_in_a_request_is_named(value: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read_entries(value)
