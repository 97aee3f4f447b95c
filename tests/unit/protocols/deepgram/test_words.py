"""Words as Deepgram spells them: plain and punctuated, filtered and replaced, with speakers."""

from __future__ import annotations

import pytest

from speechmlx.protocols.deepgram.words import WordSpelling, alternative, confidence, plain, speaker_number
from speechmlx.types import Word


def said(*texts: str, speaker: str | None = None) -> list[Word]:
    return [Word(text, float(n), n + 0.5, 0.8, speaker) for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Hello,", "hello"),
        (" don't", "don't"),
        (' "Yes!"', "yes"),
        (" 3.5", "3.5"),
        (" Mr.", "mr"),
        ("你好。", "你好"),
    ],
)
def test_plain(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_transcripts_have_punctuation_only_where_it_is_asked_for() -> None:
    words = said(" Hello,", " World.", " -", " Bye")
    assert WordSpelling(punctuate=True).transcript(words) == "Hello, World. - Bye"
    assert WordSpelling().transcript(words).split() == ["hello", "world", "bye"]


def test_words_keep_both_spellings_and_their_times() -> None:
    found = alternative(said(" Hello,", " World."), WordSpelling(), None)
    assert found["words"] == [
        {"word": "hello", "start": 0.0, "end": 0.5, "confidence": 0.8, "punctuated_word": "Hello,"},
        {"word": "world", "start": 1.0, "end": 1.5, "confidence": 0.8, "punctuated_word": "World."},
    ]
    assert (found["transcript"], found["confidence"]) == ("hello world", 0.8)


def test_a_detected_language_is_named() -> None:
    found = alternative(said(" Bonjour"), WordSpelling(), "fr")
    assert (found["languages"], found["words"][0]["language"]) == (["fr"], "fr")


def test_text_without_spaces_stays_so() -> None:
    assert WordSpelling().transcript(said("你", "好。")) == "你好"


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        (WordSpelling(), "so shit monica here"),
        (WordSpelling(filler_words=True), "so uh shit monica here"),
        (WordSpelling(profanity_filter=True), "so monica here"),
        (WordSpelling(replace=(("monica", "Monika"),), punctuate=True), "So shit Monika, here"),
        (WordSpelling(replace=(("Monica here", "x y"),)), "so shit x y"),
        (WordSpelling(replace=(("monica", ""), ("so", ""))), "shit here"),
        (WordSpelling(replace=(("", "x"), ("absent words", "y"))), "so shit monica here"),
    ],
)
def test_words_are_filtered_and_replaced(spelling: WordSpelling, expected: str) -> None:
    words = spelling.words(said(" So", " uh,", " shit", " Monica,", " here"))
    assert spelling.transcript(words) == expected


def test_a_replacement_takes_the_time_of_all_its_words() -> None:
    (word,) = WordSpelling(replace=(("a b", "c"),)).words(said(" a", " b."))
    assert (word.text, word.start, word.end) == (" c.", 0.0, 1.5)


@pytest.mark.parametrize(("speaker", "number"), [("0", 0), ("7", 7), ("speaker_3", 3), ("Ada", None), (None, None)])
def test_speakers_are_numbers(speaker: str | None, number: int | None) -> None:
    assert speaker_number(speaker) == number
    found = alternative(said(" a", speaker=speaker), WordSpelling())["words"][0]
    assert found.get("speaker") == number


def test_no_words_have_no_confidence() -> None:
    assert confidence([]) == 0.0
    assert alternative([], WordSpelling()) == {"transcript": "", "confidence": 0.0, "words": []}
