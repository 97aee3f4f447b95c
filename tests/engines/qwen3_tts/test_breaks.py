"""Pauses, SSML and pronunciations of a text, and the ends of what was said so far, whole and while it is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.engine_runs import run, silences, sound, work
from support.talking import SHORT, same, speak, stream

from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.errors import BadRequest
from speechmlx.types import Chunk, End, FeedText, FlushText, Pronunciation, SpeakStream, TextFlushed, Usage

pytestmark = pytest.mark.usefixtures("pipelined")

RATE = 24000
ENDLESS = {"seed": 5}
NGUYEN = (Pronunciation("nguyen", sounds_like="win"),)


@pytest.mark.parametrize(
    "text",
    [
        "[pause:500ms]Hi you.[pause:1s] And you.[pause:2s]",
        '<speak><break time="0.5s"/>Hi you.<break time="1s"/> And you.<break time="2s"/></speak>',
    ],
)
def test_pauses_have_their_length(custom: Qwen3Tts, text: str) -> None:
    for events in (run(custom, speak(text, options=ENDLESS))[0], stream(custom, [text], options=ENDLESS)):
        assert silences(events) == [0.5, 1.0, 2.0]
        usage = events[-1]
        assert isinstance(usage, Usage)
        assert usage.audio_out == len(sound(events)) / RATE == pytest.approx(3.5 + usage.tokens_out * 0.08)


@pytest.mark.parametrize("size", [1, 5])
def test_a_pause_in_any_pieces(custom: Qwen3Tts, size: int) -> None:
    text = "Hi you.[pause:1s] And Nguyen too."
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    fields: dict[str, Any] = {"options": ENDLESS, "pronunciations": NGUYEN}
    assert same(stream(custom, [text], **fields), stream(custom, pieces, **fields))


def test_words_are_said_as_they_sound(custom: Qwen3Tts) -> None:
    for text in ("Ask Nguyen.", '<speak>Ask <sub alias="win">Nguyen</sub>.</speak>'):
        entries = NGUYEN if "sub" not in text else ()
        assert same(run(custom, speak(text, pronunciations=entries))[0], run(custom, speak("Ask win."))[0])
        assert same(stream(custom, [text], pronunciations=entries), stream(custom, ["Ask win."]))


@pytest.mark.parametrize(
    ("text", "says"), [("Hi [pause:11s]", "10 s at most"), ("<speak>Hi</p>", "is not well-formed")]
)
def test_a_text_that_cannot_be_read(custom: Qwen3Tts, text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        custom.begin(speak(text))
    state = custom.begin(SpeakStream(options=SHORT))
    with pytest.raises(BadRequest, match=says):  # noqa: PT012
        custom.feed(state, FeedText(text))
        custom.feed(state, End())
    custom.end(state)
    assert custom.held == 0


def test_a_flush_is_answered_behind_its_sound(custom: Qwen3Tts) -> None:
    commands = [FlushText(), FeedText("Hi you"), FlushText(), FeedText(" And you. "), FlushText(), FlushText(), End()]
    state = custom.begin(SpeakStream(options=ENDLESS))
    (events,) = work(custom, [state], [commands])
    flushed = [place for place, event in enumerate(events) if isinstance(event, TextFlushed)]
    assert flushed == [0, *flushed[1:3], flushed[2] + 1] and flushed[1] > 1 and flushed[2] > flushed[1] + 1
    assert flushed[-1] == len(events) - 2 and isinstance(events[-1], Usage)
    first = [event for event in events[: flushed[1]] if isinstance(event, Chunk)]
    assert same(first, stream(custom, ["Hi you"], options=ENDLESS))


def test_text_behind_the_last_frame_is_left_out(custom: Qwen3Tts) -> None:
    commands = [FeedText("Hi you, and more."), FlushText(), FeedText("More. "), FlushText(), End()]
    (events,) = work(custom, [custom.begin(SpeakStream(options={"max_tokens": 2}))], [commands])
    assert len(sound(events)) == 2 * 1920
    assert isinstance(events[-1], Usage) and events[-1].cut_off


def test_two_with_breaks_are_as_alone(custom: Qwen3Tts) -> None:
    commands = [
        [FeedText("Hi you.[pause:80ms]"), FlushText(), FeedText("So."), End()],
        [FeedText("[pause:1s]A"), End()],
    ]
    alone = [work(custom, [custom.begin(SpeakStream(options=ENDLESS))], [one])[0] for one in commands]
    together = work(custom, [custom.begin(SpeakStream(options=ENDLESS)) for _ in commands], commands)
    for one, other in zip(alone, together, strict=True):
        assert same(one, other)
        assert [type(event) for event in one if isinstance(event, TextFlushed)] == [
            type(event) for event in other if isinstance(event, TextFlushed)
        ]
    assert np.isfinite(sound(together[0])).all()
