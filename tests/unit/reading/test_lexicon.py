"""A lexicon's entries in a text: what they match, what is said for them, and which places their words keep."""

from __future__ import annotations

import re
import time

import pytest

from speechmlx.reading import Pause, SpokenWord, Token
from speechmlx.reading.entries import read_entries
from speechmlx.reading.lexicon import UserLexicon, ended
from speechmlx.types import Pronunciation

ENTRIES = read_entries(
    {
        "Nguyen": "win",
        "Siobhan": {"phonemes": "/ʃəv'ɔn/"},
        "Rio Grande": "ree oh grand",
        "Rio": "ree oh",
        "C++": "see plus plus",
        "sudo": "soo doo",
        "SQL": "S Q L",
        "US": "you ess",
        "O'Reilly": "oh rye lee",
        "box": "bocks",
        "a " * 48 + "b": "long",
    }
)
LEXICON = UserLexicon(ENTRIES, "en-us")
WORD = re.compile(r"\w+(?:['’-]\w+)*|[.,!?;:+]")


def tokens(text: str) -> list[Token]:
    """Words as they are written, and pauses."""
    return [
        SpokenWord(found[0].lower(), found.start(), found.end())
        if found[0][0].isalnum()
        else Pause(found[0], found.start(), found.end())
        for found in WORD.finditer(text)
    ]


def said(text: str, lexicon: UserLexicon = LEXICON) -> str:
    """The words of `text`, with phonemes in slashes."""
    words = [token for token in lexicon.apply(tokens(text), text) if isinstance(token, SpokenWord)]
    return " ".join(f"/{word.phonemes}/" if word.phonemes else word.text for word in words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ask Nguyen.", "ask win"),
        ("Nguyen's house, the Nguyens, the Nguyens' car", "win's house the wins the wins car"),
        ("Nguyen’s", "win's"),
        ("Nguyen'll go, Nguyen'd gone", "win'll go win'd gone"),
        ("NGUYEN and NGUYENS", "win and wins"),
        ("nguyen is no name", "nguyen is no name"),
        ("Nguyenville, 2Nguyen", "nguyenville 2nguyen"),
        ("'Nguyen'", "win"),
        ("Siobhan, Siobhan's, Siobhans, Siobhan'll", "/ʃəvˈɔn/ /ʃəvˈɔnz/ /ʃəvˈɔnz/ /ʃəvˈɔnᵊl/"),
        ("the Rio  Grande's bank in Rio", "the ree oh grand's bank in ree oh"),
        ("Rio\nGrande", "ree oh grand"),
        ("I write C++.", "i write see plus plus"),
        ("SUDO, Sudo, sudo", "soo doo soo doo soo doo"),
        ("one box, two boxes", "one bocks two bockses"),
        ("help us in the US", "help us in the you ess"),
        ("O’Reilly's", "oh rye lee's"),
        ("Nguyen-Smith, Ng-Nguyen, Ng-Nguyen-Smith", "win Smith Ng win Ng win Smith"),
        ("", ""),
    ],
)
def test_what_is_said(text: str, words: str) -> None:
    assert said(text) == words


def test_a_single_capital_is_a_letter() -> None:
    words = LEXICON.apply(tokens("SQL"), "SQL")
    assert words == [SpokenWord(letter, 0, 3, is_letter=True) for letter in "sql"]


def test_words_have_the_places_of_what_they_stand_for() -> None:
    text = "In Rio Grande's heat, Ng-Nguyen."
    read = LEXICON.apply(tokens(text), text)
    assert [(token.start, token.end) for token in read] == [
        (0, 2), (3, 15), (3, 15), (3, 15), (16, 20), (20, 21), (22, 24), (25, 31), (31, 32),
    ]  # fmt: skip


def test_a_part_of_what_is_read_as_one_stays() -> None:
    """An address is read as several words that share a place; nobody's name is looked for in it."""
    text = "mail Nguyen@sql.com"
    mail, *address = [SpokenWord("mail", 0, 4)] + [
        SpokenWord(word, 5, 19) for word in ("nguyen", "at", "sql", "dot", "com")
    ]
    assert LEXICON.apply([mail, *address], text) == [mail, *address]


def test_phonemes_that_were_given_stay_and_emphasis_is_kept() -> None:
    given = SpokenWord("Nguyen", 0, 6, phonemes="ŋwˈiən")
    strong = SpokenWord("Rio", 7, 10, emphasis=1)
    assert LEXICON.apply([given, strong], "Nguyen Rio") == [
        given, SpokenWord("ree", 7, 10, emphasis=1), SpokenWord("oh", 7, 10, emphasis=1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "language", "text", "words"),
    [
        ({"Angela": "andschela"}, "de", "Angelas Hut, Angela's", "angelas hut andschela's"),
        ({"Nantes": "nante"}, "fr", "à Nantes", "à nante"),
        ({"हिन्दी": "हिंदी"}, "hi", "हिन्दी", "हिंदी"),
    ],
)
def test_other_languages(entries: dict[str, str], language: str, text: str, words: str) -> None:
    lexicon = UserLexicon(read_entries(entries), language)
    spoken = [SpokenWord(found[0].lower(), found.start(), found.end()) for found in re.finditer(r"[^\s,]+", text)]
    read = lexicon.apply(spoken, text)
    assert " ".join(token.text for token in read if isinstance(token, SpokenWord)) == words


@pytest.mark.parametrize("spelling", ["Ｗｉ‑Ｆｉ", "Wi‐Fi", "Wi-Fi "])
def test_spellings_are_folded_as_texts_are(spelling: str) -> None:
    assert said("Wi-Fi", UserLexicon([Pronunciation(spelling, "why fie")], "en")) == "why fie"


def test_chinese_needs_no_blanks() -> None:
    lexicon = UserLexicon(read_entries({"重庆": "虫庆"}), "zh")
    text = "我在重庆住"
    words = [token.text for token in lexicon.apply([SpokenWord(text, 0, 5)], text) if isinstance(token, SpokenWord)]
    assert words == ["我在", "虫庆", "住"]


@pytest.mark.parametrize(
    ("language", "word"),
    [("en-us", "general"), ("en", "general"), ("en-gb", "british"), ("fr", "everywhere"), ("en-au", "general")],
)
def test_an_entry_of_the_region_counts_before_that_of_the_language(language: str, word: str) -> None:
    entries = [
        Pronunciation("data", "british", language="en-gb"),
        Pronunciation("data", "general", language="en"),
        Pronunciation("data", "everywhere"),
    ]
    assert said("data", UserLexicon(entries, language)) == word


def test_the_first_entry_of_a_spelling_counts_and_the_exact_one_before_lower_case() -> None:
    lexicon = UserLexicon([*read_entries({"it": "eet", "IT": "I T"}), Pronunciation("it", "other")], "en")
    assert said("it It IT", lexicon) == "eet eet i t"
    assert not UserLexicon([Pronunciation("x", "y", language="fr")], "en") and lexicon


@pytest.mark.parametrize(
    ("phonemes", "ending", "british", "found"),
    [
        ("kˈæt", "s", False, "kˈæts"),
        ("dˈɔɡ", "'s", False, "dˈɔɡz"),
        ("bˈɑks", "es", False, "bˈɑksᵻz"),
        ("bˈɒks", "'s", True, "bˈɒksɪz"),
        ("kˈæt", "'d", False, "kˈætᵻd"),
        ("dˈɔɡ", "'d", False, "dˈɔɡd"),
        ("kˈæt", "'ve", False, "kˈætəv"),
        ("kˈæt", "'re", False, "kˈætəɹ"),
        ("kˈæt", "'re", True, "kˈætə"),
        ("kˈæt", "'m", False, "kˈætəm"),
        ("kˈæt", "s'", False, "kˈæts"),
        ("kˈæt", "", False, "kˈæt"),
    ],
)
def test_phonemes_take_endings(phonemes: str, ending: str, british: bool, found: str) -> None:
    assert ended(phonemes, ending, british) == found


@pytest.mark.parametrize("piece", ["a ", "Nguyen ", "Rio ", "C+", "Rio Grande Nguyens' ", "'", "s", "重"])
def test_the_time_is_linear_in_the_length(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        spoken, began = tokens(text), time.process_time()
        LEXICON.apply(spoken, text)
        return time.process_time() - began

    assert seconds(40_000) < 15.0  # a second pass over all that went before takes minutes
