"""The engine of Moshi and PersonaPlex: requests, batches, live conversations, and what they free."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import numpy as np
import pytest
from support import heap, tiny_moshi
from support.engine_runs import pcm, run
from support.moshi_runs import RATE, SIZE, assert_same, question, sound
from support.plain_mlx import plain_mlx

from speechmlx.engines import Batched, BatchedStreaming, Claiming, LoadOptions, Paced, Seated, moshi
from speechmlx.engines.moshi.conversation import AskedMoshi
from speechmlx.engines.moshi.engine import MoshiEngine
from speechmlx.engines.moshi.ring import MoshiRing
from speechmlx.errors import BadAudio, BadRequest, Busy, UnknownVoice, Unsupported
from speechmlx.types import (
    Audio,
    Chunk,
    Command,
    Converse,
    End,
    Event,
    Feed,
    FeedText,
    NamedVoice,
    ReferenceVoice,
    Respond,
    Speak,
    TextDelta,
    Usage,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_moshi.folder(tmp_path_factory.mktemp("personaplex"), 16)


@pytest.fixture(scope="module")
def engine(loaded: Callable[..., Any], options: LoadOptions, folder: Path) -> MoshiEngine:
    return loaded(moshi.load(folder, options))


@pytest.fixture(scope="module")
def plain(loaded: Callable[..., Any], options: LoadOptions, tmp_path_factory: pytest.TempPathFactory) -> MoshiEngine:
    """A model without voices and roles."""
    return loaded(moshi.load(tiny_moshi.folder(tmp_path_factory.mktemp("moshi"), 8), options))


@pytest.fixture(autouse=True)
def same_draws() -> Iterator[None]:
    """Every conversation draws the same numbers."""
    with patch("speechmlx.engines.moshi.engine.os.urandom", lambda count: b"\7" * count):
        yield


def test_it_is_what_the_worker_asks_for(engine: MoshiEngine) -> None:
    assert all(isinstance(engine, one) for one in (Batched, BatchedStreaming, Seated, Claiming, Paced))


def test_an_answer_has_the_frames_asked_for(engine: MoshiEngine) -> None:
    (events,) = run(engine, question(frames=3.5, max_steps=8))
    chunks = [event for event in events if isinstance(event, Chunk)]
    usage = events[-1]
    assert all((len(chunk.pcm16), chunk.rate) == (2 * SIZE, RATE) for chunk in chunks)
    assert isinstance(usage, Usage) and usage.cut_off
    assert usage.audio_in == pytest.approx(3.5 * 0.08)
    assert usage.audio_out == pytest.approx(len(chunks) * 0.08)
    assert usage.tokens_out == sum(isinstance(event, TextDelta) for event in events) > 0
    assert 8 <= len(chunks) <= 8 + 3, "speech that the question's end interrupts belongs to the answer"


ASKED = (question(1), question(2, 6, max_steps=5), question(3, 2, instructions="you are a teacher"))


def test_answers_in_a_batch_are_those_alone(engine: MoshiEngine) -> None:
    assert_same(run(engine, *ASKED), [run(engine, one)[0] for one in ASKED])


def test_answers_that_take_turns_are_exactly_those_alone(engine: MoshiEngine) -> None:
    alone = [run(engine, one)[0] for one in ASKED]
    states = [engine.begin(one) for one in ASKED]
    found: list[list[Event]] = [[] for _ in states]
    while not all(state.finished for state in states):
        for place, state in enumerate(states):
            if not state.finished:
                found[place] += engine.step([state])[0]  # type: ignore[arg-type]
    for state in states:
        engine.end(state)
    assert found == alone


def test_a_frame_is_one_read_of_the_device(engine: MoshiEngine) -> None:
    """However many conversations there are."""
    states = [engine.begin(one) for one in ASKED[:2]]
    while any(state.reading is not None for state in states):
        engine.step(states)
    engine.step(states)
    with plain_mlx(), patch("mlx.core.eval", wraps=mx.eval) as evaluated, patch.object(mx.array, "item") as read:
        engine.step(states)
    for state in states:
        engine.end(state)
    assert (evaluated.call_count, read.call_count) == (1, 0)


def test_a_recording_at_another_rate_is_heard(engine: MoshiEngine) -> None:
    audio = Audio(sound(1, 4)[::3].copy(), 8000)
    (events,) = run(engine, Respond(audio=audio, max_steps=2))
    assert events[-1].audio_in == pytest.approx(4 * 0.08)  # type: ignore[union-attr]


def test_a_recording_gives_the_voice(engine: MoshiEngine) -> None:
    spoken = np.sin(np.arange(2 * 16000) * 0.05).astype(np.float32)
    voice = ReferenceVoice(Audio(0.2 * spoken, 16000), "", "someone")
    louder = ReferenceVoice(Audio(0.4 * spoken, 16000), "", "someone else")
    alone, named, same = (run(engine, question(voice=one))[0] for one in (voice, NamedVoice("natf0"), louder))
    assert pcm(alone) != pcm(named)
    assert pcm(alone) == pcm(same), "recordings are brought to one loudness"


def test_a_prompt_is_read_once(engine: MoshiEngine) -> None:
    asked = question(instructions="you are a friendly teacher of the train")
    steps = []
    for _ in range(2):
        state, count = engine.begin(asked), 0
        while state.reading is not None:
            engine.step([state])
            count += 1
        engine.end(state)
        steps.append(count)
    assert steps[0] > steps[1] == 1


def test_quiet_ends_an_answer(engine: MoshiEngine) -> None:
    """Where nothing is heard of the model for a while after it spoke, there is nothing more to wait for."""
    state = engine.begin(question(max_steps=100))
    assert isinstance(state, AskedMoshi)
    quiet, loud = np.zeros(SIZE, np.float32), np.full(SIZE, 0.5, np.float32)
    for heard, said in ((1, loud), (2, quiet), (3, loud)):
        state._frames = heard
        assert not state.told(said, 3), "the question lasts 3.5 frames"
    state._frames = 4
    events: list[Event] = state.told(quiet, 3)
    while not state.finished:
        events += state.told(quiet, 3)
    engine.end(state)
    assert isinstance(events[-1], Usage) and not events[-1].cut_off
    assert sum(isinstance(event, Chunk) for event in events) == 1 + 15, "from where it began to speak"


def conversed(engine: MoshiEngine, *inputs: list[Any]) -> list[list[Event]]:
    """What live conversations say, each fed its pieces one by one."""
    states = [engine.begin(Converse()) for _ in inputs]
    waiting: list[list[Command]] = [[*map(Feed, pieces), End()] for pieces in inputs]
    found: list[list[Event]] = [[] for _ in states]
    while not all(state.finished for state in states):
        for state, commands in zip(states, waiting, strict=True):
            if commands and not state.busy:
                engine.feed(state, commands.pop(0))
        busy = [place for place, state in enumerate(states) if state.busy and not state.finished]
        for place, events in zip(busy, engine.step([states[one] for one in busy]), strict=True):
            found[place] += events  # type: ignore[arg-type]
    for state in states:
        engine.end(state)
    return found


@pytest.mark.parametrize("model", ["engine", "plain"])
def test_for_each_frame_heard_one_is_said(request: pytest.FixtureRequest, model: str) -> None:
    found = conversed(request.getfixturevalue(model), [sound(1, 2.5), sound(2, 1.7), sound(3, 0.4)])
    chunks = [event for event in found[0] if isinstance(event, Chunk)]
    assert [len(chunk.pcm16) for chunk in chunks] == [2 * SIZE] * 5
    assert found[0][-1].audio_in == pytest.approx(4.6 * 0.08, abs=1e-3)  # type: ignore[union-attr]


@pytest.mark.parametrize("model", ["engine", "plain"])
def test_conversations_together_are_those_alone(request: pytest.FixtureRequest, model: str) -> None:
    engine = request.getfixturevalue(model)
    inputs = [[sound(1, 5)], [sound(2, 0.6), sound(3, 6)]]
    alone = [conversed(engine, one)[0] for one in inputs]
    assert_same(conversed(engine, *inputs), alone)


@pytest.mark.parametrize("seconds", [0.05, 0.1])
def test_frames_that_take_too_long_are_told(
    engine: MoshiEngine, caplog: pytest.LogCaptureFixture, seconds: float
) -> None:
    with patch("speechmlx.engines.moshi.engine.time.perf_counter", side_effect=itertools.count(0, seconds).__next__):
        conversed(engine, [sound(1, 3)])
    late = "a live conversation fell behind: 3 of 3 frames took longer than their 80 ms"
    assert caplog.messages == ([late] if seconds > 0.08 else [])


def test_pieces_of_any_length_are_heard_the_same(engine: MoshiEngine) -> None:
    whole = sound(1, 5)
    pieces = [whole[at : at + 1000] for at in range(0, len(whole), 1000)]
    assert pcm(conversed(engine, pieces)[0]) == pcm(conversed(engine, [whole])[0])


def test_keys_and_values_have_their_place_from_the_first_frame_on(engine: MoshiEngine) -> None:
    for request in (Converse(), question(frames=300)):
        state = engine.begin(request)
        while state.ring is None:
            engine.step([state])
        if isinstance(request, Converse):
            engine.feed(state, Feed(sound(1, 1)))
        engine.step([state])
        nbytes = sum(one.nbytes for one in state.ring.arrays())
        assert nbytes == 256 * engine.frame_bytes < state.nbytes, "the context of the model, and the codec's state"
        engine.end(state)


def test_what_is_cancelled_is_freed(engine: MoshiEngine) -> None:
    def rings() -> int:
        return sum(isinstance(one, MoshiRing) for one in heap.made_since())

    run(engine, question())
    heap.settle()
    held = engine.held
    states = [engine.begin(question()), engine.begin(Converse())]
    engine.feed(states[1], Feed(sound(1, 3)))
    for _ in range(4):
        engine.step(states)
    assert rings() and engine.held > held
    for state in states:
        engine.end(state)
    del states, state
    assert (rings(), engine.held) == (0, held)
    assert not engine._rows._aside


NOBODY = NamedVoice("nobody")
SHORT = ReferenceVoice(Audio(np.ones(1000, np.float32), RATE), "", "short")
SILENT = ReferenceVoice(Audio(np.zeros(2 * RATE, np.float32), RATE), "", "silent")


@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        (Speak(text="hello"), Unsupported, "cannot speak"),
        (question(voice=NOBODY), UnknownVoice, "'nobody'; the voices are natf0"),
        (question(voice=SHORT), BadAudio, "0.0 s long; allowed is 1 s to 30 s"),
        (question(voice=SILENT), BadAudio, "silent"),
        (question(language="de"), Unsupported, "English; it cannot speak 'de'"),
        (question(max_steps=0), BadRequest, "max_steps is 0; allowed is 1"),
        (question(frames=0), BadAudio, "no samples"),
        (question(instructions="half past nine " * 40), BadRequest, "allowed is 128"),
    ],
)
def test_what_cannot_be_is_told(engine: MoshiEngine, request_: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        engine.begin(request_)
    assert not engine._open


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"voice": NOBODY}, "leave out the voice"), ({"instructions": "be kind"}, "takes no instructions")],
)
def test_a_model_without_prompts_refuses_them(plain: MoshiEngine, settings: Any, says: str) -> None:
    with pytest.raises(Unsupported, match=says):
        plain.begin(question(**settings))


def test_a_conversation_takes_no_text(engine: MoshiEngine) -> None:
    state = engine.begin(Converse())
    with pytest.raises(Unsupported, match="not text"):
        engine.feed(state, FeedText("hello"))
    engine.end(state)


class Small:
    """Room for a little."""

    most = reachable = free = 1_000_000

    def claim(self, nbytes: int) -> None:
        if nbytes > self.free:
            raise Busy(f"{nbytes} wanted")


def test_memory_is_claimed_before_a_conversation_begins(engine: MoshiEngine) -> None:
    state = engine.begin(Converse())
    need = state.nbytes
    engine.end(state)
    engine._prompts.clear()
    room = Small()
    room.most = room.free = room.reachable = need + 1000
    with patch.object(engine, "room", room):
        state = engine.begin(Converse())
        with pytest.raises(Busy):
            engine.begin(Converse())
        engine.end(state)
        room.most = need - 1
        with pytest.raises(BadRequest, match="--memory-limit"):
            engine.begin(Converse())
