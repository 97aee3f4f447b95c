"""Pieces of a text: none is long, each comes before the next is read, and together they say each word once."""

from __future__ import annotations

import string
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.engines.kokoro.pieces import COMFORT, SpeechPiece, pieces
from speechmlx.engines.parts.spoken_parts import WINDOW
from speechmlx.reading import Pause, SpokenWord, Token, read
from speechmlx.reading.mapped import MappedText
from speechmlx.reading.pronunciation import Said, english, joined
from speechmlx.reading.reading import LONGEST, Passage, passages

MOST = 510
VOCABULARY = frozenset(string.ascii_lowercase + string.digits + " .,!?…;:—()“”'-")
LONG = {
    "no stop": "zorp blick " * 2000,
    "one word": "x" * 20000,
    "stops that end nothing": "e.g. " * 4000,
    "short sentences": "Hi there. " * 5000,
    "white space": " " * 20000,
    "nothing that can be said": "\N{SNOWMAN}" * 20000,
    "marks": ", — ; " * 5000,
}


class Reader:
    """Reads plain English, and says each word `loud` times as it is written. It keeps what was read in a step."""

    def __init__(self, loud: int = 1) -> None:
        self.loud = loud
        self.read: list[str] = []
        self.words: list[str] = []

    def passages(self, text: str) -> Iterator[Passage]:
        for passage in passages(text):
            self.read.append(text[passage.tokens[0].start : passage.tokens[-1].end])
            yield passage

    def steps(self, tokens: list[Token]) -> Generator[None, None, Said]:
        self.words += [token.text for token in tokens if isinstance(token, SpokenWord)]
        return [(t.text.lower() * self.loud if isinstance(t, SpokenWord) else t.mark, t) for t in tokens]
        yield

    def pieces(self, text: str) -> Iterator[SpeechPiece | None]:
        return pieces(text, self.passages, self.steps, VOCABULARY, MOST)


@pytest.mark.parametrize("loud", [1, 5])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_a_step_reads_little(text: str, loud: int) -> None:
    reader = Reader(loud)
    for piece in reader.pieces(text):
        assert sum(map(len, reader.read)) <= LONGEST + 1
        reader.read.clear()
        assert piece is None or 1 <= len(piece.phonemes) <= MOST


@given(
    st.lists(st.sampled_from(["word ", "Dr. Lee ", "e.g. this ", "Yes! ", "a, ", "\n\n", " ", "x" * 99]), max_size=500)
)
def test_every_word_is_said_once_and_in_order(parts: list[str]) -> None:
    reader = Reader()
    said = [piece.phonemes for piece in reader.pieces("".join(parts)) if piece]
    letters = "".join(c for c in "".join(said) if c.isalnum())
    assert letters == "".join(c for c in "".join(reader.words).lower() if c.isalnum())


@given(
    st.lists(
        st.sampled_from(
            ["word ", "$5-$10 ", "Dr. Lee ", "\u4e16\u754c", "Yes! ", "\n\n", " ", "x" * 700, "— ", "a" * 99 + " "]
        ),
        max_size=60,
    ),
    st.booleans(),
)
def test_every_written_word_comes_once_with_its_phonemes(parts: list[str], in_runs: bool) -> None:
    text = "".join(parts)
    reader, places, ended = Reader(), list[tuple[int, int]](), True
    for piece in pieces(text, reader.passages, reader.steps, VOCABULARY, MOST, in_runs):
        if piece is None:
            continue
        bounds = [bound for word in piece.words for bound in (word.start, word.end)]
        assert bounds == sorted(bounds) and all(0 <= bound <= len(piece.phonemes) for bound in bounds)
        for word in piece.words:
            if ended:
                places.append((word.word.start, word.word.end))
            assert places[-1] == (word.word.start, word.word.end)
            ended = not word.goes_on
    assert ended
    assert places == [(word.start, word.end) for passage in passages(text) for word in passage.words()]


def test_words_of_a_later_window_have_their_places_in_the_text() -> None:
    text = "One two.\n\n" * (WINDOW // 8)
    said = [word.word for piece in Reader().pieces(text) if piece for word in piece.words]
    assert [text[word.start : word.end] for word in said] == ["One", "two."] * (WINDOW // 8)


def test_words_have_their_phonemes() -> None:
    text = "It costs $5 – not \u4e16\u754c."
    (piece,) = [piece for piece in Reader().pieces(text) if piece]
    said = [(word.word.text, piece.phonemes[word.start : word.end]) for word in piece.words]
    assert said == [
        ("It", "it"),
        ("costs", "costs"),
        ("$5 –", "five dollars"),
        ("not", "not"),
        ("\u4e16\u754c.", "chinese text"),
    ]


def test_each_sentence_is_a_piece() -> None:
    said = [piece.phonemes for piece in Reader().pieces("Yes. No! It is. ...") if piece]
    assert said == ["yes.", "no!", "it is."]


def test_headings_and_items_are_pieces() -> None:
    text = "# Tea\n\nYou need:\n\n- milk\n- **two** leaves, [dry](http://dry.example)\n"
    said = [piece.phonemes for piece in Reader().pieces(text) if piece]
    assert said == ["tea.", "you need:", "milk.", "two leaves, dry."]


def test_a_long_sentence_is_cut_at_its_marks() -> None:
    clause = "one word and another word and a third word and one more word as well, "
    said = [piece.phonemes for piece in Reader().pieces(clause * 5) if piece]
    assert len(said) > 1
    assert all(len(line) <= COMFORT and line.endswith((",", ".")) for line in said)


def test_structure_is_looked_at_in_windows() -> None:
    looked: list[int] = []

    def read(text: str) -> Iterator[Passage]:
        looked.append(len(text))
        return iter(())

    text = ("A paragraph of words. " * 50 + "\n\n") * 60
    for _ in pieces(text, read, Reader().steps, VOCABULARY, MOST):
        pass
    assert sum(looked) == len(text)
    assert max(looked) <= WINDOW


def test_breaks_and_rates_are_kept() -> None:
    text = '<speak>One <break time="1500ms"/> two. <prosody rate="200%">Three four.</prosody></speak>'
    said = [piece for piece in Reader().pieces(text) if piece]
    assert [(piece.phonemes.strip("., "), piece.rate, piece.silence) for piece in said] == [
        ("one", 1.0, 1.5),
        ("two", 1.0, 0.0),
        ("three four", 2.0, 0.0),
    ]


def test_a_break_alone_is_a_silence() -> None:
    passage: list[Token] = [Pause("", 0, 1, 0.5)]
    said = list(
        pieces("x", lambda text: iter([Passage(passage, MappedText.of(""), "x")]), Reader().steps, VOCABULARY, MOST)
    )
    assert SpeechPiece("", 1.0, 0.5) in said


def test_an_unknown_word_ends_a_step() -> None:
    spelt: list[str] = []

    def spelling(word: str) -> str:
        spelt.append(word)
        return "zˈɔɹp"

    reader = english.load(False, spelling)
    steps = 0
    long = "".join(f"gn{a}{b}rf" for a in "aeiou" for b in "bcdfgklmnp")
    for _ in reader.steps(read("The zorpel and the blickle saw " + long)):
        assert len(spelt) == 1
        assert len(spelt[0]) <= 50
        spelt.clear()
        steps += 1
    assert steps == 2 + 6
    assert joined(reader.phonemes(read("The zorpel."))) == "ðə zˈɔɹp."
