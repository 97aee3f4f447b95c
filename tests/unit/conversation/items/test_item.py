"""Items: their words, their audio, and what is still unknown of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from speechmlx.conversation.items.item import (
    RETRIEVED_RATE,
    Item,
    Part,
    at_retrieved_rate,
    new_id,
    recording,
    truncated,
    untranscribed_audio,
    untranscribed_part,
    with_transcript,
)
from speechmlx.conversation.items.playout import PlayoutTimeline

SOUND = np.full(1600, 1000, "<i2").tobytes()
HEARD, UNHEARD = Part("audio", "one", SOUND, 16000, 0.1), Part("audio", None, SOUND, 16000, 0.1)
TYPED = Part("text", "two")


def test_ids_are_new_and_say_of_what() -> None:
    assert re.fullmatch(r"item_[0-9a-f]{21}", new_id("item")) and new_id("item") != new_id("item")


@pytest.mark.parametrize(
    ("parts", "text", "silent"),
    [
        ((), "", True),
        ((HEARD, TYPED), "one two", False),
        ((UNHEARD,), "", False),
        ((Part("audio", ""),), "", True),
        ((Part("audio", ""), TYPED), "two", False),
    ],
)
def test_words(parts: tuple[Part, ...], text: str, silent: bool) -> None:
    found = Item(id="a", parts=parts)
    assert (found.text, found.silent) == (text, silent)


@pytest.mark.parametrize(
    ("item", "seconds", "untranscribed", "part"),
    [
        (Item(id="a", parts=(TYPED,)), None, None, 0),
        (Item(id="a", parts=(TYPED, HEARD)), 0.1, None, 0),
        (Item(id="a", parts=(TYPED, UNHEARD)), 0.1, 0.1, 1),
        (Item(id="a", parts=(HEARD, UNHEARD, UNHEARD)), 0.3, 0.2, 1),
        (Item(id="a", role="assistant", parts=(UNHEARD,)), None, None, 0),
        (Item(id="a", kind="output", parts=(HEARD,)), None, None, 0),
    ],
)
def test_audio(item: Item, seconds: float | None, untranscribed: float | None, part: int) -> None:
    found = [recording(item), untranscribed_audio(item)]
    assert [None if audio is None else pytest.approx(audio.duration) for audio in found] == [seconds, untranscribed]
    assert untranscribed_part(item) == part


def test_a_transcript_is_that_of_the_first_unknown_part() -> None:
    found = with_transcript(Item(id="a", parts=(TYPED, HEARD, UNHEARD, UNHEARD)), "three four")
    assert [part.text for part in found.parts] == ["two", "one", "three four", ""]
    assert untranscribed_audio(found) is None


def test_audio_is_read_back_at_one_rate() -> None:
    found = at_retrieved_rate(Item(id="a", parts=(TYPED, HEARD, Part("audio", "x"))))
    text, audio, dropped = found.parts
    assert text == TYPED and dropped == Part("audio", "x")
    assert audio.rate == RETRIEVED_RATE and len(audio.pcm16 or b"") == 2 * 2400
    same = Item(id="a", parts=(Part("audio", "x", SOUND, RETRIEVED_RATE),))
    assert at_retrieved_rate(same) == same


def test_truncation_keeps_the_words_that_were_heard() -> None:
    playout = PlayoutTimeline().begin_clause("one two").add_audio(1.0).end_clause()
    found = truncated(Item(id="a", parts=(Part("audio", "one two", seconds=1.0), TYPED), playout=playout), 0.6)
    assert [(part.text, part.seconds) for part in found.parts] == [("one", 0.6), ("two", 0.0)]
