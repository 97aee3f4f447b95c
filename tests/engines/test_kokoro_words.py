"""When words are said: as a listener hears them, each written word once, in its order, within the sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.engine_runs import pcm

from speechmlx.audio.pcm import from_pcm16
from speechmlx.types import Chunk, Event, Segment, Speak, SpeakStream, Word, WordTime, WordTimes

if TYPE_CHECKING:
    from speechmlx.engines.kokoro.engine import Kokoro

RATE = 24000
HEARD = (
    "The quick brown fox jumps over the lazy dog.",
    "Yesterday my brother walked to the market; he bought apples, oranges and bread.",
    "Please open the window. It is rather warm in here today.",
)


def words_of(events: list[Event | None]) -> list[WordTime]:
    return [word for event in events if isinstance(event, WordTimes) for word in event.words]


@pytest.mark.parametrize("speed", [1.0, 1.4])
def test_words_are_heard_when_they_are_said(
    kokoro_engine: Kokoro, heard: Callable[..., list[Segment]], speed: float
) -> None:
    """The listener's own times are off by up to 0.2 s, and its first word begins with the sound."""
    late: list[float] = []
    for text in HEARD:
        events = list(kokoro_engine.run(Speak(text=text, speed=speed)))
        pcm16 = pcm(events)
        lead = int(np.flatnonzero(np.abs(from_pcm16(pcm16)) > 0.005)[0])
        listened = [word for segment in heard(pcm16[2 * lead :], True) for word in segment.words]
        said = words_of(events)
        assert [word.text for word in said] == text.split()
        own, other = (_letters(words) for words in (said, listened))
        for same in SequenceMatcher(None, own, other, autojunk=False).get_matching_blocks():
            begun = ((said[same.a + i], listened[same.b + i]) for i in range(same.size))
            late += [b.start + lead / RATE - a.start for a, b in begun]
    assert len(late) > 25
    assert abs(np.median(late)) < 0.04 and np.median(np.abs(late)) < 0.12 and np.max(np.abs(late)) < 0.3


def _letters(words: Iterable[Word | WordTime]) -> list[str]:
    return ["".join(filter(str.isalpha, word.text.lower())) for word in words]


def test_each_written_word_has_its_time_once(kokoro_engine: Kokoro) -> None:
    text = (
        "It costs $5-$10, Dr. Lee's. \U0001f389 See example.org/a-b — “or” [the docs](http://b.example)…\n\n"
        "- well-known (R&D)\n- at 9:30 \u4e16\u754c"
    )
    events = list(kokoro_engine.run(Speak(text=text)))
    said = words_of(events)
    assert [word.text for word in said] == (
        "It|costs|$5-$10,|Dr.|Lee's. \U0001f389|See|example.org/a-b —|“or”|the|docs…"
        "|well-known|(R&D)|at|9:30|\u4e16\u754c"
    ).split("|")
    assert [word.first for word in said] == sorted({word.first for word in said})
    times = [time for word in said for time in (word.start, word.end)]
    assert times == sorted(times) and all(word.end > word.start for word in said)
    ends = 0.0
    for event in events:
        if isinstance(event, WordTimes):
            assert all(ends < word.start for word in event.words)
            latest = event.words[-1].end
        elif isinstance(event, Chunk):
            ends += event.duration
            assert latest < ends


def test_words_keep_their_places_where_text_comes_in_pieces_and_breaks_count(kokoro_engine: Kokoro) -> None:
    stream = kokoro_engine.open(SpeakStream())
    events = [event for part in ("Hi, Bo. ", "Go", " on.\n ") for event in stream.feed_text(part)]
    said = words_of([*events, *stream.finish()])
    assert [(word.text, word.first, word.last) for word in said] == [
        ("Hi,", 0, 3), ("Bo.", 4, 7), ("Go", 8, 10), ("on.", 11, 14)
    ]  # fmt: skip
    plain, broken = (
        words_of(list(kokoro_engine.run(Speak(text=f"<speak>Hi.{between} Go on.</speak>"))))
        for between in ("", '<break time="2s"/>')
    )
    assert broken[1].start - plain[1].start == pytest.approx(2.0, abs=0.1)
    assert [word.text for word in broken] == ["Hi.", "Go", "on."]
