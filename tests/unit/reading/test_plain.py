"""Texts for voices that read plain words: pauses, SSML and lexicons, also while the text is being written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.errors import BadRequest
from speechmlx.reading.lexicon import user_lexicon
from speechmlx.reading.plain import PlainText, WordsOrSilence
from speechmlx.types import Pronunciation

ENTRIES = (
    Pronunciation("nguyen", sounds_like="win"),
    Pronunciation("new york", sounds_like="the big apple"),
    Pronunciation("SQL", sounds_like="sequel"),
    Pronunciation("cache", phonemes="kæʃ"),
    Pronunciation("chat", sounds_like="sha", language="fr"),
)


def joined(found: list[WordsOrSilence]) -> list[WordsOrSilence]:
    """Neighbouring texts as one."""
    together = list[WordsOrSilence]()
    for one in found:
        if isinstance(one, str) and together and isinstance(together[-1], str):
            together[-1] += one
        else:
            together.append(one)
    return together


def fed(text: str, size: int, entries: tuple[Pronunciation, ...] = ENTRIES) -> list[WordsOrSilence]:
    plain = PlainText(entries)
    pieces = (text[at : at + size] for at in range(0, len(text), size))
    return joined([*(one for piece in pieces for one in plain.feed(piece)), *plain.end()])


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hi there.", ["Hi there."]),
        ("[pause:1s]Hi [pause:500ms] there[pause:2s]", [1.0, "Hi ", 0.5, " there", 2.0]),
        ("It is [1] and [so] on", ["It is [1] and [so] on"]),
        ("Ask Nguyen's and the Nguyens in New  York, NY.", ["Ask win's and the wins in the big apple, NY."]),
        ("A new\nyorker; my SQL cache", ["A new\nyorker; my sequel cache"]),
        ("3 < 5, <b>so</b> it is", ["3 < 5, <b>so</b> it is"]),
        ("New [pause:1s] York", ["New ", 1.0, " York"]),
        (
            '<speak>Hi <break time="1s"/>Nguyen &amp; <sub alias="doctor">Dr.</sub> Who</speak>',
            ["Hi ", 1.0, "win & doctor Who"],
        ),
        (
            '<?xml version="1.0"?>\n'
            '<speak><p>One</p><break strength="weak"/><s>Two <emphasis>now</emphasis></s></speak>',
            ["One", 0.25, "Two now"],
        ),
        (
            '<speak>I say <phoneme ph="ˈkæʃ">cache</phoneme> <say-as interpret-as="characters">ab1</say-as>.</speak>',
            ["I say cache A B one."],
        ),
    ],
)
def test_what_is_said(text: str, said: list[WordsOrSilence], size: int) -> None:
    assert [one.strip() if isinstance(one, str) and "<speak" in text else one for one in fed(text, size)] == [
        one.strip() if isinstance(one, str) and "<speak" in text else one for one in said
    ]
    assert joined(PlainText(ENTRIES).end(text)) == fed(text, size)


def test_text_comes_as_soon_as_it_is_certain() -> None:
    assert PlainText().feed("Hello the") == ["Hello the"]
    plain = PlainText(ENTRIES)
    assert plain.feed("So we all went to New") == ["So "]
    assert joined([*plain.feed(" York and on"), *plain.end()]) == ["we all went to the big apple and on"]


def test_another_text_may_follow() -> None:
    plain = PlainText()
    assert plain.feed("<speak>One") == []
    assert plain.end("</speak>") == ["One"]
    assert [*plain.feed("Two"), *plain.end()] == ["Two"]
    assert plain.feed("<speak>Two.") == [] and plain.flush() == ["<speak>Two."]
    assert plain.feed("<speak>") == [] and plain.end("Three</speak>") == ["Three"]


def test_the_language_of_entries() -> None:
    assert PlainText(ENTRIES, "fr").end("Le chat") == ["Le sha"]
    assert PlainText(ENTRIES).end("The chat") == ["The chat"]
    entry = (Pronunciation("长", sounds_like="掌", language="zh"),)
    assert PlainText(entry).end("3 长大") == ["3 掌大"]
    assert PlainText(entry).end("A 长大") == ["A 长大"]


@pytest.mark.parametrize(
    ("text", "says"), [("Hi [pause:11s]", "10 s at most"), ("<speak>Hi", "before the last element is closed")]
)
def test_what_is_wrong_is_told(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        PlainText().end(text)
    plain = PlainText()
    with pytest.raises(BadRequest, match=says):
        _ = [*plain.feed(text), *plain.end()]


@given(st.text(st.sampled_from("nguyework NYSQL's[pause:1]  .,"), max_size=60), st.integers(1, 7))
def test_pieces_are_as_the_whole(text: str, size: int) -> None:
    assert fed(text, size) == joined(PlainText(ENTRIES).end(text))


def test_a_lexicon_without_entries_changes_nothing() -> None:
    lexicon = user_lexicon((), "en")
    assert (lexicon.respelt("a b"), lexicon.settled("a b")) == ("a b", 3)
