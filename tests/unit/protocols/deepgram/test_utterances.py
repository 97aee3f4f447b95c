"""Utterances and paragraphs of words, by tables and for all words."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from speechmlx.protocols.deepgram.utterances import MAX_SENTENCES, paragraphs, sentence_words, utterances, with_speakers
from speechmlx.protocols.deepgram.words import WordSpelling
from speechmlx.types import Word

WRITTEN = WordSpelling(punctuate=True, filler_words=True)


def spoken(text: str, start: float = 0.0, speaker: str | None = None, step: float = 0.5) -> list[Word]:
    """The words of `text`, one each `step` seconds, without silence between them."""
    return [
        Word(f" {word}", start + n * step, start + (n + 1) * step, 0.5, speaker) for n, word in enumerate(text.split())
    ]


def texts(found: list[dict[str, Any]]) -> list[str]:
    return [utterance["transcript"] for utterance in found]


def test_a_pause_ends_an_utterance() -> None:
    words = [*spoken("Hello there."), *spoken("General", 1.79), *spoken("Kenobi.", 3.2)]
    found = utterances(words, WRITTEN, 1, 0.8)
    assert texts(found) == ["Hello there. General", "Kenobi."]
    first = {name: value for name, value in found[0].items() if name not in ("id", "words")}
    assert first == {"start": 0.0, "end": 2.29, "confidence": 0.5, "channel": 1, "transcript": "Hello there. General"}
    assert [word["punctuated_word"] for word in found[0]["words"]] == ["Hello", "there.", "General"]
    assert found[0]["id"] != found[1]["id"]
    assert texts(utterances(words, WRITTEN, 0, 2.0)) == ["Hello there. General Kenobi."]
    assert utterances([], WRITTEN, 0, 0.8) == []


def test_another_speaker_ends_an_utterance() -> None:
    words = [*spoken("One two", 0.0, "0"), *spoken("three", 1.0), *spoken("four", 1.5, "1")]
    found = utterances(with_speakers(words), WRITTEN, 0, 0.8)
    assert [(one["transcript"], one["speaker"]) for one in found] == [("One two three", 0), ("four", 1)]


def test_a_word_without_a_speaker_has_that_of_its_neighbour() -> None:
    words = [*spoken("a"), *spoken("b", 1.0, "1"), *spoken("c", 2.0), *spoken("d", 3.0, "0")]
    assert [word.speaker for word in with_speakers(words)] == ["1", "1", "1", "0"]
    assert with_speakers(spoken("a b")) == spoken("a b")


def test_paragraphs_hold_sentences() -> None:
    words = [*spoken("Dr. Lee paid. He left."), *spoken("Then it rained.", 6.0)]
    found = paragraphs(words, WRITTEN)
    assert found["transcript"] == "\nDr. Lee paid. He left.\n\nThen it rained."
    first, second = found["paragraphs"]
    assert first == {
        "sentences": [
            {"text": "Dr. Lee paid.", "start": 0.0, "end": 1.5},
            {"text": "He left.", "start": 1.5, "end": 2.5},
        ],
        "num_words": 5,
        "start": 0.0,
        "end": 2.5,
    }
    assert (second["num_words"], second["start"], second["end"]) == (3, 6.0, 7.5)
    assert paragraphs([], WRITTEN) == {"transcript": "", "paragraphs": []}


def test_paragraphs_name_their_speaker() -> None:
    words = [*spoken("How are", 0.0, "0"), *spoken("Fine. Thanks.", 1.0, "1")]
    found = paragraphs(words, WRITTEN)
    assert found["transcript"] == "\nSpeaker 0: How are\n\nSpeaker 1: Fine. Thanks."
    assert [one["speaker"] for one in found["paragraphs"]] == [0, 1]


def test_a_paragraph_is_not_endless() -> None:
    found = paragraphs(spoken("Yes. " * (2 * MAX_SENTENCES + 1)), WRITTEN)["paragraphs"]
    assert [one["num_words"] for one in found] == [MAX_SENTENCES, MAX_SENTENCES, 1]


def timed(entries: list[tuple[str, int, str | None]]) -> list[Word]:
    """Words of a second each, after pauses in seconds."""
    starts = [n + sum(pause for _, pause, _ in entries[: n + 1]) for n in range(len(entries))]
    return [
        Word(f" {text}", start, start + 1.0, 0.5, who) for (text, _, who), start in zip(entries, starts, strict=True)
    ]


WORDS = st.lists(
    st.tuples(
        st.sampled_from(["Yes.", "and", "Dr.", "3.5", "No!", "a", "Über", "…", "U.S."]),
        st.integers(0, 3),
        st.sampled_from([None, "0", "1"]),
    ),
    max_size=40,
).map(timed)


@given(WORDS)
def test_each_word_is_in_one_utterance_and_in_one_sentence(words: list[Word]) -> None:
    words = with_speakers(words)
    found = utterances(words, WRITTEN, 0, 0.8)
    assert [word["start"] for one in found for word in one["words"]] == [word.start for word in words]
    assert [word for part in sentence_words(words) for word in part] == words
    assert sum(one["num_words"] for one in paragraphs(words, WRITTEN)["paragraphs"]) == len(words)
    for before, after in pairwise(found):
        assert after["start"] - before["end"] >= 0.8 or before["speaker"] != after["speaker"]
    assert all(len({word.get("speaker") for word in one["words"]}) == 1 for one in found)
