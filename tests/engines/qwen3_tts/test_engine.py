"""The whole engine on tiny models of each kind, through the real loader."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support import tiny_talker
from support.claimed_memory import check_frames_claimed
from support.engine_runs import run, sound, work
from support.talking import SHORT, TEXT, same, speak, stream
from support.tiny_qwen3_tts_sizes import recording

from speechmlx.engines import Batched, BatchedStreaming, Claiming, Paced, Seated
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.qwen3_tts import text
from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.engines.qwen3_tts.speech_row import CHUNKS
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import (
    Audio,
    Chunk,
    End,
    Event,
    Feed,
    FeedText,
    Generate,
    Message,
    NamedVoice,
    ReferenceVoice,
    SpeakStream,
    Usage,
)

pytestmark = pytest.mark.usefixtures("pipelined")

FRAME = 1920
CLONED = ReferenceVoice(Audio(recording(), 24000), "What I said.", "voice-1")
UNTOLD = ReferenceVoice(Audio(recording(), 24000), "", "voice-1")


KINDS: dict[str, dict[str, Any]] = {
    "custom": {"voice": NamedVoice("vivian"), "language": "en", "instructions": "sadly"},
    "design": {"instructions": "An old man"},
    "base": {"voice": CLONED, "language": "zh"},
    "base alone": {"voice": UNTOLD},
}


def engine_of(request: pytest.FixtureRequest, kind: str) -> Qwen3Tts:
    engine: Qwen3Tts = request.getfixturevalue(kind.split()[0])
    return engine


@pytest.mark.parametrize("kind", KINDS)
def test_it_speaks_frame_by_frame(request: pytest.FixtureRequest, kind: str) -> None:
    engine = engine_of(request, kind)
    ((*chunks, usage),) = run(engine, speak(**KINDS[kind]))
    assert isinstance(usage, Usage)
    assert 0 < usage.tokens_out <= 8
    assert usage.audio_out == usage.tokens_out * 0.08
    assert usage.tokens_in >= len("Xassistant\n") + 5
    sizes = [len(chunk.pcm16) // 2 / FRAME for chunk in chunks if isinstance(chunk, Chunk)]
    assert sum(sizes) == usage.tokens_out
    assert all(size <= want for size, want in zip(sizes, (*CHUNKS, *[CHUNKS[-1]] * 20), strict=False))
    assert np.abs(sound(chunks)).max() > 0
    assert engine.held == engine._shelf.nbytes
    assert engine.loop.memory.nbytes == 0


def test_the_first_sound_comes_with_the_first_frame(custom: Qwen3Tts) -> None:
    states = [custom.begin(speak()) for _ in range(3)]
    first = custom.step(states)
    assert [[type(event) for event in events] for events in first] == [[Chunk]] * 3
    assert [state.tokens_out for state in states] == [1] * 3
    for state in states:
        custom.end(state)


@pytest.mark.parametrize("kind", KINDS)
def test_together_is_as_alone(request: pytest.FixtureRequest, kind: str) -> None:
    engine = engine_of(request, kind)
    requests = [
        speak(**KINDS[kind], options={"max_tokens": 6, "seed": 1}),
        speak("Another, longer text for the second one.", **KINDS[kind], options={"max_tokens": 8, "temperature": 1.3}),
        speak("Greedy.", **KINDS[kind], options={"max_tokens": 5, "temperature": 0}),
    ]
    alone = [run(engine, one)[0] for one in requests]
    together = run(engine, *requests)
    assert all(same(one, other) for one, other in zip(alone, together, strict=True))
    assert [events[-1] for events in alone] == [events[-1] for events in together]
    assert not same(alone[0], alone[1])


def test_one_joins_and_one_leaves_in_the_middle(custom: Qwen3Tts) -> None:
    first, second = speak(options={"max_tokens": 8}), speak("Later.", options={"max_tokens": 5, "seed": 2})
    expected = [run(custom, one)[0] for one in (first, second)]
    cancelled, staying = custom.begin(speak("To be cancelled.")), custom.begin(first)
    found: list[Event | Exception] = []
    for _ in range(4):
        found += custom.step([cancelled, staying])[1]
    custom.end(cancelled)
    late = custom.begin(second)
    rest = work(custom, [staying, late])
    assert same([*found, *rest[0]], expected[0])  # type: ignore[list-item]
    assert same(rest[1], expected[1])


def test_a_cancel_frees_all(base: Qwen3Tts) -> None:
    base.forget_voices()
    states = [base.begin(speak(voice=CLONED)), base.begin(speak(voice=UNTOLD))]
    while not all(state.tokens_out for state in states):
        base.step(states)
    assert base.held > 0
    gone = [weakref.ref(state) for state in states] + [weakref.ref(state.row) for state in states if state.row]
    for state in states:
        base.end(state)
    del state, states
    assert base.loop.memory.nbytes == 0
    base.forget_voices()
    assert base.held == 0
    gc.collect()
    assert len(gone) == 4
    assert [one() for one in gone] == [None] * 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 7])
def test_text_in_any_pieces_sounds_the_same(request: pytest.FixtureRequest, kind: str, size: int) -> None:
    engine = engine_of(request, kind)
    whole = stream(engine, [TEXT], **KINDS[kind])
    pieces = stream(engine, [TEXT[at : at + size] for at in range(0, len(TEXT), size)], **KINDS[kind])
    assert same(whole, pieces)
    assert whole[-1] == pieces[-1]


def test_speech_begins_before_the_text_is_complete(custom: Qwen3Tts) -> None:
    state = custom.begin(SpeakStream(options=SHORT))
    assert not state.busy
    custom.feed(state, FeedText("Hello the"))
    assert state.busy
    events = [event for _ in range(6) for event in custom.step([state])[0]]
    assert sum(len(event.pcm16) for event in events if isinstance(event, Chunk)) // 2 == FRAME * 4
    assert not state.busy, "the token after this one is not written yet"
    (rest,) = work(custom, [state], [[FeedText("re, you."), End()]])
    assert same([*events, *rest], stream(custom, [TEXT]))


def test_live_and_whole_requests_take_turns(custom: Qwen3Tts) -> None:
    whole, live = custom.begin(speak()), custom.begin(SpeakStream(options=SHORT))
    custom.feed(live, FeedText(TEXT))
    custom.feed(live, End())
    found: list[list[Event | Exception]] = [[], []]
    for _ in range(60):
        for place, state in enumerate((whole, live)):
            if not state.finished:
                found[place] += custom.step([state])[0]
    for state in (whole, live):
        custom.end(state)
    assert same(found[0], run(custom, speak())[0])  # type: ignore[arg-type]
    assert same(found[1], stream(custom, [TEXT]))  # type: ignore[arg-type]


def test_a_recording_is_heard_once(base: Qwen3Tts) -> None:
    base.forget_voices()
    state = base.begin(speak(voice=CLONED))
    steps = 0
    while not state.tokens_out:
        base.step([state])
        steps += 1
    base.end(state)
    assert steps > 1
    again = base.begin(speak("Other words.", voice=replace(CLONED, text="Other text.")))
    base.step([again])
    assert again.tokens_out == 1
    base.end(again)
    kept: Any = base._shelf._kept._values
    assert list(kept) == [(CLONED.id, True)]
    assert kept[CLONED.id, True].frames is not None
    run(base, speak(voice=UNTOLD))
    assert kept[CLONED.id, False].frames is None


def test_a_long_text_is_spoken_in_parts(custom: Qwen3Tts) -> None:
    sentence = "These are some words that go on. "
    (events,) = run(custom, speak(sentence * 12, options={"seed": 3}))
    usage = events[-1]
    assert isinstance(usage, Usage)
    assert usage.tokens_in > 12 * len(sentence.strip())
    assert 3 < usage.tokens_out <= 3 * tiny_talker.FRAMES
    assert len(sound(events)) == usage.tokens_out * FRAME


def test_a_stream_is_spoken_in_parts_and_to_its_end(custom: Qwen3Tts, monkeypatch: pytest.MonkeyPatch) -> None:
    """However early the model would end: what is written after that would be lost."""
    monkeypatch.setattr(text, "PART", 12)
    state = custom.begin(SpeakStream(options={"seed": 3}))
    (events,) = work(custom, [state], [[*map(FeedText, ["Go on. "] * 4), End()]])
    usage = events[-1]
    assert isinstance(usage, Usage)
    parts = [14 - 1, 14 - 2]
    assert sum(parts) - 2 <= usage.tokens_out <= sum(parts) + 2 * tiny_talker.FRAMES
    assert len(sound(events)) == usage.tokens_out * FRAME


def test_a_limit_of_frames_cuts_off(custom: Qwen3Tts) -> None:
    (events,) = run(custom, speak(options={"max_tokens": 2}))
    assert events[-1] == Usage(audio_out=0.16, tokens_in=events[-1].tokens_in, tokens_out=2, cut_off=True)  # type: ignore[union-attr]
    found = stream(custom, [TEXT, " And more. ", "And more. "], options={"max_tokens": 3})
    assert isinstance(found[-1], Usage)
    assert found[-1].tokens_out == 3


@pytest.mark.parametrize("text", ["…", " - !"])
def test_text_without_words_is_a_short_silence(custom: Qwen3Tts, text: str) -> None:
    for events in (run(custom, speak(text))[0], stream(custom, [text])):
        assert not sound(events).any()
        assert events[-1] == Usage(audio_out=0.2)


def test_what_it_is(custom: Qwen3Tts) -> None:
    for kind in (Batched, BatchedStreaming, Seated, Claiming, Paced):
        assert isinstance(custom, kind)


def test_what_it_does_not_do(custom: Qwen3Tts) -> None:
    with pytest.raises(Unsupported, match="cannot generate"):
        custom.begin(Generate(messages=(Message("user", "Hi."),)))
    with pytest.raises(BadRequest, match="no word"):
        custom.begin(speak(" \n"))
    state = custom.begin(SpeakStream())
    with pytest.raises(Unsupported, match="does not take Feed commands"):
        custom.feed(state, Feed(np.zeros(10, np.float32)))
    custom.end(state)


def test_an_error_of_one_is_not_that_of_another(base: Qwen3Tts) -> None:
    broken = ReferenceVoice(Audio(np.full(24000, np.nan, np.float32), 24000), "", "broken")
    good = base.begin(speak(voice=UNTOLD))
    bad = base.begin(speak(voice=broken))
    found: list[Event | Exception] = []
    for _ in range(40):
        for state, events in zip((good, bad), base.step([good, bad]), strict=True):
            found += events if state is bad else []
    assert [type(event) for event in found] == [NotFinite]
    assert good.finished
    assert good.tokens_out
    base.end(good)
    base.end(bad)


def test_what_is_no_number_is_an_error(make: Callable[..., Qwen3Tts]) -> None:
    engine = make("custom_voice")
    head = engine._talker.code_predictor.lm_head[3]
    head.weight = head.weight * mx.nan
    state = engine.begin(speak())
    (events,) = engine.step([state])
    assert [str(event).partition(" gave")[0] for event in events] == ["the talker"]
    assert state.finished
    engine.end(state)


def test_memory_is_claimed_before_it_is_used(make: Callable[..., Qwen3Tts]) -> None:
    check_frames_claimed(make("custom_voice"), speak())


def test_bytes_are_counted(base: Qwen3Tts, custom: Qwen3Tts) -> None:
    assert base.nbytes > custom.nbytes > 100_000
