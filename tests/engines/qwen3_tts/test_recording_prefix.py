"""A recording and its text in a stream: what is read once for a voice, and when a part can begin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import pytest
from support.engine_runs import run
from support.talking import SHORT, TEXT, same, speak, stream
from support.tiny_qwen3_tts_sizes import recording

from speechmlx.engines.finite import NotFinite
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.qwen3_tts import prefixes
from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.types import Audio, Event, FeedText, ReferenceVoice, SpeakStream

pytestmark = pytest.mark.usefixtures("pipelined")

CLONED = ReferenceVoice(Audio(recording(), 24000), "What I said.", "voice-1")
SAID = len(CLONED.text)
"""Tokens of its text: the tiny vocabulary has a token for each letter."""
HEAD = len("Xassistant\n") + 5
"""Rows before it."""


@pytest.fixture
def fresh(base: Qwen3Tts) -> Qwen3Tts:
    base.forget_voices()
    return base


def read_by(engine: Qwen3Tts, work: Any) -> tuple[int, list[Event]]:
    """How many rows of prompts `work` reads, and its events."""
    rows = list[int]()
    read = engine.loop.read

    def counted(row: Any, piece: Any, last: bool) -> None:
        rows.append(len(piece))
        read(row, piece, last)

    with patch.object(engine.loop, "read", counted):
        events = work()
    return sum(rows), events


def test_the_second_text_reads_only_what_is_its_own(fresh: Qwen3Tts) -> None:
    request = speak(voice=CLONED)
    first, sound = read_by(fresh, lambda: run(fresh, request)[0])
    second, again = read_by(fresh, lambda: run(fresh, request)[0])
    (kept,) = fresh._shelf.prefixes._kept.values()
    assert first - second == len(kept) == HEAD + SAID
    assert same(sound, again)
    assert sound[-1] == again[-1]
    assert fresh.held == fresh._shelf.nbytes >= kept.nbytes > 0


def test_the_second_sentence_of_a_stream_reads_only_what_is_its_own(fresh: Qwen3Tts) -> None:
    options = {"seed": 3, "max_tokens": 24}
    rows, events = read_by(fresh, lambda: stream(fresh, ["Hi. ", "So."], voice=CLONED, options=options))
    alone, _ = read_by(fresh, lambda: stream(fresh, ["Hi."], voice=CLONED, options=options))
    fresh.forget_voices()
    whole, _ = read_by(fresh, lambda: stream(fresh, ["Hi."], voice=CLONED, options=options))
    assert rows == whole + alone < 2 * whole
    assert same(events, stream(fresh, ["Hi. So."], voice=CLONED, options=options))


def test_other_settings_are_other_prefixes(fresh: Qwen3Tts) -> None:
    voices = [CLONED, replace(CLONED, text="Other text."), replace(CLONED, id="voice-2")]
    for voice in voices:
        run(fresh, speak(voice=voice, options={"max_tokens": 2}))
    run(fresh, speak(voice=CLONED, language="zh", options={"max_tokens": 2}))
    assert len(fresh._shelf.prefixes._kept) == 4
    run(fresh, speak(voice=replace(CLONED, text=""), options={"max_tokens": 2}))
    assert len(fresh._shelf.prefixes._kept) == 4


@pytest.mark.parametrize("broken", ["talker", "encoder", "decoder"])
def test_nothing_is_kept_of_a_voice_that_is_no_numbers(fresh: Qwen3Tts, broken: str) -> None:
    """Every later request with it would fail, or have another voice."""
    request = speak(voice=CLONED)
    expected = run(fresh, request)[0]
    fresh.forget_voices()
    owner, name = {
        "talker": (Talker, "embed"),
        "encoder": (type(fresh._codec.encoder), "_hidden"),
        "decoder": (type(fresh._codec.decoder), "_dequantized"),
    }[broken]
    whole = getattr(owner, name)
    with patch.object(owner, name, lambda *given: whole(*given) + mx.nan):
        state, events = fresh.begin(request), list[Event | Exception]()
        while not state.finished:
            events += fresh.step([state])[0]
        fresh.end(state)
    assert [type(event) for event in events] == [NotFinite]
    assert fresh._shelf.prefixes.nbytes == 0
    assert same(run(fresh, request)[0], expected)


def test_no_more_is_kept_than_there_is_room_for(fresh: Qwen3Tts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "MOST_POSITIONS", 2 * (HEAD + SAID))
    for number in range(3):
        run(fresh, speak(voice=replace(CLONED, id=f"voice-{number}"), options={"max_tokens": 2}))
    known = fresh._shelf.prefixes
    assert [key[0] for key in known._kept] == ["voice-1", "voice-2"]  # type: ignore[index]
    fresh.forget_voices()
    assert fresh.held == known.nbytes == 0
    fresh.room = Unlimited()
    fresh.room.free = 0
    try:
        run(fresh, speak(voice=CLONED))
    finally:
        fresh.room = Unlimited()
    assert not known._kept


def test_a_text_longer_than_the_recording_begins_before_it_is_complete(fresh: Qwen3Tts) -> None:
    state = fresh.begin(SpeakStream(voice=CLONED, options=SHORT))
    while state.busy:
        fresh.step([state])
    assert state.voice is not None and state.voice.frames is not None
    frames = state.voice.frames.shape[1]
    words = "a word " * (frames + 4)
    fresh.feed(state, FeedText(words[:8]))
    fresh.step([state])
    assert not state.busy and not state.tokens_out, "the text beside the recording is not written yet"
    fresh.feed(state, FeedText(words[8:]))
    for _ in range(4):
        fresh.step([state])
    assert state.tokens_out > 0 and not state.complete
    fresh.end(state)


def test_a_short_sentence_does_not_wait_for_the_next(fresh: Qwen3Tts) -> None:
    long = replace(CLONED, text="A")
    state = fresh.begin(SpeakStream(voice=long, options={"max_tokens": 4}))
    while state.busy:
        fresh.step([state])
    fresh.feed(state, FeedText("Hi. S"))
    for _ in range(4):
        fresh.step([state])
    assert state.tokens_out > 0
    fresh.end(state)


def test_text_in_any_pieces_sounds_the_same(fresh: Qwen3Tts) -> None:
    text = f"Hi. {TEXT} And on."
    options = {"seed": 3, "max_tokens": 20}
    whole = stream(fresh, [text], voice=CLONED, options=options)
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    assert same(whole, stream(fresh, pieces, voice=CLONED, options=options))
