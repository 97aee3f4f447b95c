"""A text while it is written, for a voice that takes it so: what waits, where sentences end, and pauses."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation.response.clauses import LONGEST
from speechmlx.conversation.response.sentences import SentencePiece, SentenceSplitter


def split(*texts: str) -> list[SentencePiece]:
    splitter = SentenceSplitter()
    found = [piece for text in texts for piece in splitter.push(text, 0.0)]
    last = splitter.flush()
    return [*found, last] if last else found


def sentences(pieces: list[SentencePiece]) -> list[str]:
    """The text of each sentence."""
    found = [""]
    for piece in pieces:
        found[-1] += piece.text + piece.mark
        if piece.ends:
            found.append("")
    assert not found.pop()
    return found


def given_by(*texts: str) -> list[str]:
    """What was given out after each of the texts, and where sentences ended ("|")."""
    splitter = SentenceSplitter()
    return ["".join(one.text + "|" * one.ends for one in splitter.push(text, 0.0)) for text in texts]


def test_text_is_given_out_as_it_comes() -> None:
    assert given_by("Hel", "lo the", "re, my ", "friend") == ["", "", "Hello there, my ", "friend"]


def test_a_sentence_that_comes_slowly_waits_for_its_end_or_for_enough_of_it() -> None:
    splitter = SentenceSplitter()
    words = [*["word "] * 9, "end. ", *["More "] * 16]
    found = [[(one.text, one.ends) for one in splitter.push(text, number)] for number, text in enumerate(words)]
    assert found[:10] == [[]] * 10
    assert found[10] == [("word " * 9 + "end. ", True)]
    assert found[11:21] == [[]] * 10
    assert found[21:] == [[("More " * 12, False)], *[[("More ", False)]] * 4]


@pytest.mark.parametrize(("text", "waits"), [("你好我们今天去公园玩", False), ("hello my f", True)])
def test_its_pace_is_counted_in_tokens_about(text: str, waits: bool) -> None:
    splitter = SentenceSplitter()
    splitter.push(text[0], 0.0)
    assert (not splitter.push(text[1:], 0.4)) == waits


@pytest.mark.parametrize(
    ("texts", "given_out"),
    [
        (("It is late now.", " ", "Go", " home"), ["It is late now.", "", " |Go", " home"]),
        (("It costs 3.", "5", " dollars"), ["It costs 3.", "", "5 dollars"]),
        (("I asked Dr.", " Le", "e. An", "d"), ["I asked Dr.", "", " Lee. |An", "d"]),
        (("Yes. ", "I can. ", "Go"), ["", "Yes. I can.", " |Go"]),
        (("今天天气很好我们去公园。", "好"), ["今天天气很好我们去公园。|", "好"]),
        (("Wait for it [pau", "se:1s] now"), ["Wait for it ", "| now"]),
        (("See [1] right now",), ["See [1] right now"]),
    ],
)
def test_what_may_begin_another_sentence_waits(texts: tuple[str, ...], given_out: list[str]) -> None:
    assert given_by(*texts) == given_out


def test_a_pause_ends_a_sentence_and_has_its_length() -> None:
    pieces = split("Wait a moment. [pause:1.5s] Now [pause:500ms][pause:99s]go.")
    assert sentences(pieces) == ["Wait a moment. [pause:1.5s]", " Now [pause:500ms]", "[pause:99s]", "go."]
    assert [piece.pause for piece in pieces if piece.ends] == [1.5, 0.5, 10.0, 0.0]


def test_the_last_sentence_is_said_as_far_as_it_goes() -> None:
    assert sentences(split("It is late now. Go")) == ["It is late now. ", "Go"]
    assert split("") == [] and not any(piece.ends for piece in split(" \n"))


def test_what_comes_behind_a_pause_is_another_sentence() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("Hello there, my friend", 0.0) == [SentencePiece("Hello there, my friend")]
    assert splitter.is_open and splitter.flush() == SentencePiece("", True)
    assert splitter.flush() is None and not splitter.is_open
    assert splitter.push(" and then", 10.0) == [] and splitter.flush() == SentencePiece(" and then", True)
    assert splitter.push("Hello there", 20.0) == [SentencePiece("Hello there")], "its pace is that of what goes on"


@pytest.mark.parametrize(
    ("piece", "is_mute"),
    [
        (SentencePiece("", True), True),
        (SentencePiece(" ?! ", True), True),
        (SentencePiece("...", True, 1.0, "[pause:1s]"), True),
        (SentencePiece("..."), False),
        (SentencePiece(" 3.", True), False),
    ],
)
def test_signs_alone_are_not_said(piece: SentencePiece, is_mute: bool) -> None:
    assert piece.is_mute == is_mute


def test_text_without_an_end_is_cut_between_words() -> None:
    found = sentences(split(*["word "] * 300))
    assert "".join(found) == "word " * 300
    assert all(len(sentence) <= LONGEST and sentence.endswith(" ") for sentence in found)
    assert max(map(len, sentences(split("x" * 5000)))) <= LONGEST


TEXTS = st.text(st.sampled_from("ab A.!?…。,[]:pause1s \n\"'"), max_size=120)


@given(TEXTS, st.lists(st.integers(1, 9), max_size=40))
def test_nothing_is_lost(text: str, sizes: list[int]) -> None:
    pieces, at = list[str](), 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    found = split(*pieces, text[at:])
    assert "".join(piece.text + piece.mark for piece in found).rstrip() == text.rstrip()


def test_its_work_is_bounded() -> None:
    splitter, began = SentenceSplitter(), time.process_time()
    for _ in range(20_000):
        splitter.push("word", 0.0)
    assert time.process_time() - began < 5.0
