"""The whole engine on a tiny model: requests together and alone, text in pieces, voices, limits and errors."""

from __future__ import annotations

import gc
import logging
import weakref
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import numpy as np
import pytest
from support import engine_runs
from support.claimed_memory import check_frames_claimed
from support.engine_runs import run, sound, work
from support.tiny_fishspeech import RATE, REFERENCE, recording

from speechmlx.engines import Batched, BatchedStreaming, Claiming, Paced, Seated
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.fishspeech import speaking
from speechmlx.engines.fishspeech.engine import FishSpeech
from speechmlx.engines.fishspeech.speaking import CHUNKS, FishSpeaking
from speechmlx.engines.fishspeech.text import cleaned, pieces
from speechmlx.engines.parts.batch_places import DrawnFrame
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
    Speak,
    SpeakStream,
    Usage,
)

pytestmark = pytest.mark.usefixtures("pipelined")

FRAME = 2048
TEXT = "hello there, you."
SHORT = {"max_new_tokens": 9, "seed": 5}
stream = partial(engine_runs.stream, options=SHORT)
VOICE = ReferenceVoice(Audio(recording(30_001), RATE), "What I said.", "voice-1")
MANNERS: dict[str, dict[str, Any]] = {
    "own": {},
    "cloned": {"voice": VOICE},
    "untold": {"voice": replace(VOICE, text="")},
}


def speak(text: str = TEXT, **fields: Any) -> Speak:
    return Speak(text=text, **{"options": SHORT, **fields})


@pytest.mark.parametrize("manner", MANNERS)
def test_it_speaks_in_chunks(fish: FishSpeech, manner: str) -> None:
    ((*chunks, usage),) = run(fish, speak(**MANNERS[manner]))
    assert isinstance(usage, Usage)
    assert (usage.tokens_out, usage.cut_off) == (9, True)
    assert usage.audio_out == 9 * FRAME / RATE
    assert [len(chunk.pcm16) // 2 // FRAME for chunk in chunks if isinstance(chunk, Chunk)] == [2, 4, 3]
    assert sound(chunks).any()
    assert fish.held == fish.loop.memory.nbytes == 0
    assert (usage.tokens_in > 80) == (manner != "own")


def test_together_is_exactly_as_alone(fish: FishSpeech) -> None:
    requests = [
        speak(),
        speak("Another, longer text for the second one. And more.", voice=VOICE, options={"max_new_tokens": 7}),
        speak("Greedy.", options={"max_new_tokens": 5, "temperature": 0}),
    ]
    alone = [run(fish, one)[0] for one in requests]
    assert run(fish, *requests) == alone
    assert not np.array_equal(sound(alone[0])[: 5 * FRAME], sound(alone[2])[: 5 * FRAME])


def test_one_joins_and_one_leaves_in_the_middle(fish: FishSpeech) -> None:
    first, second = speak(), speak("Later.", options={"max_new_tokens": 5, "seed": 2})
    expected = [run(fish, one)[0] for one in (first, second)]
    cancelled, staying = fish.begin(speak("To be cancelled.", voice=VOICE)), fish.begin(first)
    found = [event for _ in range(4) for event in fish.step([cancelled, staying])[1]]
    fish.end(cancelled)
    late = fish.begin(second)
    rest = work(fish, [staying, late])
    assert [*found, *rest[0]] == expected[0]
    assert rest[1] == expected[1]


def test_a_cancel_frees_all(fish: FishSpeech) -> None:
    fish.shelf.clear()
    hearing, speaking_ = fish.begin(speak(voice=VOICE)), fish.begin(speak())
    while not speaking_.samples:
        fish.step([speaking_])
    fish.step([hearing])
    assert hearing.hearing is not None
    assert fish.held > fish.loop.memory.nbytes > 0
    gone = [weakref.ref(one) for one in (hearing, speaking_, speaking_.row)]
    for state in (hearing, speaking_):
        fish.end(state)
    del hearing, speaking_, state
    assert fish.held == fish.loop.memory.nbytes == 0
    gc.collect()
    assert [one() for one in gone] == [None] * 3


@pytest.mark.parametrize("size", [1, 7])
def test_text_in_any_pieces_sounds_the_same(fish: FishSpeech, size: int) -> None:
    text = "hello there. It rains, [pause:100ms] you know! And so on"
    whole = stream(fish, [text], options={"max_new_tokens": 4})
    found = stream(fish, [text[at : at + size] for at in range(0, len(text), size)], options={"max_new_tokens": 4})
    assert found == whole
    assert len(sound(whole)) == 4 * 4 * FRAME + RATE // 10


def test_a_sentence_is_spoken_before_the_text_is_complete(fish: FishSpeech) -> None:
    state = fish.begin(SpeakStream(options=SHORT))
    fish.feed(state, FeedText("hello there. And "))
    found = list[Event | Exception]()
    while state.busy:
        found += fish.step([state])[0]
    assert sum(len(event.pcm16) for event in found if isinstance(event, Chunk)) == 2 * 9 * FRAME
    fish.feed(state, End())
    work(fish, [state])


def test_a_text_goes_on_in_its_sequence(fish: FishSpeech) -> None:
    """The network reads nothing twice: after a turn its end, and the next text."""
    tokens, options = fish._tokens, {"max_new_tokens": 4, "chunk_length": 20}
    (events,) = run(fish, speak("hello there, you. What is it now?", options=options))
    usage = events[-1]
    assert isinstance(usage, Usage)
    read = tokens.system().shape[1] + 1
    read += sum(tokens.asked(piece).shape[1] for piece in ("hello there, you.", "What is it now?"))
    assert (usage.tokens_in, usage.tokens_out) == (read, 8)


def test_turns_are_the_reference_s(fish: FishSpeech) -> None:
    """A recording, and a text in two pieces: the second one goes on behind the first."""
    options = {"max_new_tokens": 6, "chunk_length": 20, "temperature": 0, "repetition_penalty": 1.0}
    state = fish.begin(speak("hello there, you. What is it now?", voice=VOICE, options=options))
    frames, take = list[list[int]](), fish.loop.take
    with patch.object(fish.loop, "take", lambda row: (kept(frames, frame) for frame in take(row))):
        work(fish, [state])
    wanted = REFERENCE["spoken"]["turns"]
    assert len(frames) == 12
    assert [np.transpose(frames[at + 1 : at + 6]).tolist() for at in (0, 6)] == wanted


def kept(frames: list[list[int]], frame: DrawnFrame) -> DrawnFrame:
    frames.append(frame.codes.tolist())
    return frame


def test_what_was_read_anew_sounds_the_same(fish: FishSpeech, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequence that is full: the next one begins with the turns so far."""
    request = speak(
        "hello there, you. What is it now?", options={"max_new_tokens": 4, "chunk_length": 20, "temperature": 0}
    )
    going_on = run(fish, request)[0]
    states = [fish.begin(request)]
    monkeypatch.setattr(FishSpeaking, "begin", anew(FishSpeaking.begin))
    (found,) = work(fish, states)
    assert found[:-1] == going_on[:-1]
    assert found[-1].tokens_in > going_on[-1].tokens_in  # type: ignore[union-attr]


def anew(begin: Any) -> Any:
    def always(state: FishSpeaking, text: str) -> Any:
        length = state.row.length if state.row else 0
        if state.row is not None:
            state.row.length = 1 << 20
        before = state.row
        row = begin(state, text)
        if before is not None:
            before.length = length
        return row

    return always


def test_of_many_turns_the_first_and_the_last_are_kept() -> None:
    turns = [np.zeros((9, length), np.int32) for length in (10, 20, 30, 40)]
    for room, kept in ((5, []), (10, [10]), (100, [10, 40]), (150, [10, 30, 40]), (1000, [10, 20, 30, 40])):
        assert [turn.shape[1] for turn in speaking._kept(turns, room)] == kept


def test_a_recording_is_heard_once(fish: FishSpeech) -> None:
    fish.shelf.clear()
    run(fish, speak(voice=VOICE))
    state = fish.begin(speak("Other words.", voice=replace(VOICE, text="Other text.")))
    fish.step([state])
    assert state.tokens_out + state.ahead == 1
    fish.end(state)
    assert len(fish.shelf) == 1


def test_a_recording_decides_the_voice(fish: FishSpeech) -> None:
    other = ReferenceVoice(Audio(recording(60_000)[30_000:], RATE), VOICE.text, "voice-2")
    sounds = [sound(run(fish, speak(voice=voice))[0]) for voice in (None, VOICE, other)]
    assert not any(np.array_equal(one, two) for one, two in zip(sounds, [*sounds[1:], sounds[0]], strict=True))
    halved = ReferenceVoice(Audio(recording(30_001)[::2], RATE // 2), VOICE.text, "voice-3")
    assert sound(run(fish, speak(voice=halved))[0]).any()


def test_a_voice_by_name_is_passed_over(fish: FishSpeech, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        named = run(fish, speak(voice=NamedVoice("somebody")))
    assert named == run(fish, speak())
    assert "no recording is stored" in caplog.text


@pytest.mark.parametrize(
    "changed",
    [{"seed": 6}, {"temperature": 0}, {"top_p": 0.05}, {"repetition_penalty": 2.0}, {"max_new_tokens": 8}],
    ids=str,
)
def test_each_option_acts(fish: FishSpeech, changed: dict[str, Any]) -> None:
    plain, other = (sound(run(fish, speak(options=options))[0]) for options in (SHORT, SHORT | changed))
    assert not np.array_equal(plain, other)


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"options": {"speed": 2}}, Unsupported, "its options are temperature, top_p"),
        ({"options": {"temperature": 3}}, BadRequest, "from 0 to 2"),
        ({"options": {"max_new_tokens": 1.5}}, BadRequest, "a whole number from 1 to 4096"),
        ({"options": {"seed": True}}, BadRequest, "seed must be a whole number from 0 to 4294967295, not True"),
        ({"speed": 1.5}, Unsupported, "speed is 1"),
        ({"language": "sw"}, Unsupported, "it knows"),
        ({"text": "hello [pause:99s]"}, BadRequest, "too long"),
        ({"text": "  "}, BadRequest, "no word"),
        ({"voice": ReferenceVoice(Audio(recording(9_000), RATE), "", "a")}, BadRequest, "0.5 to 90 s"),
        ({"voice": ReferenceVoice(Audio(np.zeros(RATE, np.float32), RATE), "", "b")}, BadRequest, "silent"),
        ({"voice": replace(VOICE, text="word " * 400)}, BadRequest, "send 5 to 15 s"),
    ],
)
def test_what_cannot_be_is_said(fish: FishSpeech, fields: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        fish.begin(speak(**{"text": TEXT, **fields}))
    assert fish.held == 0


def test_other_requests_and_commands_are_refused(fish: FishSpeech) -> None:
    with pytest.raises(Unsupported, match="it cannot generate"):
        fish.begin(Generate(messages=(Message("user", "Hi"),)))
    state = fish.begin(SpeakStream())
    with pytest.raises(Unsupported, match="does not take Feed"):
        fish.feed(state, Feed(np.zeros(10, np.float32)))
    fish.end(state)


@pytest.mark.parametrize("text", ["…", " - !"])
def test_text_without_words_is_a_short_silence(fish: FishSpeech, text: str) -> None:
    for events in (run(fish, speak(text))[0], stream(fish, [text])):
        assert len(sound(events)) and not sound(events).any()


def test_numbers_that_are_none_end_the_request_alone(fish: FishSpeech) -> None:
    good, bad = fish.begin(speak()), fish.begin(speak())
    fish.step([good, bad])
    assert bad.row is not None
    fish.loop.memory.values[0][bad.row.place, :, 0] = mx.nan
    events = fish.step([good, bad])
    assert bad.finished and not good.finished
    assert isinstance(events[1][-1], NotFinite)
    fish.end(bad)
    assert sound(work(fish, [good])[0]).any()


def test_memory_is_claimed_before_it_is_used(fish: FishSpeech) -> None:
    check_frames_claimed(fish, speak(voice=VOICE))


def test_it_keeps_the_engine_contract(fish: FishSpeech) -> None:
    for contract in (Batched, BatchedStreaming, Seated, Claiming, Paced):
        assert isinstance(fish, contract)
    assert CHUNKS[-1] == max(CHUNKS)
    assert fish.nbytes > 0


def test_texts_are_cleaned_and_cut() -> None:
    assert cleaned(" It‘s\n\n“so” 😀🇩🇪,,,  isn’t\tit?  ") == "It's “so” , isn't it?"
    text = "These are some words. " * 20
    found = pieces(text, 100)
    assert [len(piece) for piece in found] == [4 * 22 - 1] * 5
    assert pieces("好" * 70 + "。", 100) and max(len(piece.encode()) for piece in pieces("好" * 70, 100)) <= 100
    assert pieces("... — !", 100) == []


@pytest.mark.parametrize("picture", ["🚀", "🤖", "🥰", "✨", "❤️", "✅", "☀️", "👩‍🚀", "👍🏽", "🟢", "🇩🇪", "🗺️"])
def test_a_picture_is_not_said(picture: str) -> None:
    assert cleaned(f"Yes {picture}, well done{picture}!") == "Yes , well done!"
    assert pieces(picture, 100) == []


def test_signs_of_a_language_are_no_pictures() -> None:
    """Numbers in circles, and the joiner of letters, are left."""
    text = "① ❷ می\u200dخواهم № 5 ° € ™"
    assert cleaned(text) == text


def test_a_frame_that_is_launched_too_early_changes_nothing(fish: FishSpeech, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns that end by themselves, one behind the other in a sequence: the next one draws by the same chances."""
    options = {"chunk_length": 20, "seed": 2, "max_new_tokens": 9}
    request = speak("hello there, you. What is it now? And then?", options=options)
    codes, take, launch = list[list[int]](), fish.loop.take, fish.loop.launch
    with patch.object(fish.loop, "take", lambda row: (kept(codes, frame) for frame in take(row))):
        run(fish, request)
    monkeypatch.setattr(fish.loop, "_end", codes[5][0])  # so that the first turn ends with its fifth frame
    found, vain = list[Any](), list[int]()
    for pipelined in (False, True):
        fish.loop.pipelined, launched = pipelined, list[int]()
        with patch.object(fish.loop, "launch", lambda rows, launched=launched: (launched.append(1), launch(rows))[1]):
            found.append(run(fish, request)[0])
        vain.append(len(launched) - found[-1][-1].tokens_out)
    assert found[0] == found[1]
    assert vain[0] == 0 < vain[1]
    assert found[0][-1].tokens_out < 27


def test_a_cancel_with_a_frame_on_its_way_frees_all(fish: FishSpeech) -> None:
    states = [fish.begin(speak()) for _ in range(2)]
    fish.step(states)
    assert [state.ahead for state in states] == [fish.loop.pipelined] * 2
    for state in states:
        fish.end(state)
    assert fish.held == fish.loop.memory.nbytes == 0
