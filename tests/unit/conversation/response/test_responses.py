"""The responses of a session: one at a time in the conversation, what waits, and what a new turn does to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from speechmlx.conversation import commands
from speechmlx.conversation.clock import Clock
from speechmlx.conversation.errors import NoSuchItem, ResponseActive, TooManyResponses
from speechmlx.conversation.event_queue import EventQueue
from speechmlx.conversation.events import ResponseDone, Stages
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.response.answer import Answer, ClauseEnded, ClauseStarted, Piece, ResponseInput
from speechmlx.conversation.response.responses import MAX_OUT_OF_BAND, Responses, SessionParts
from speechmlx.conversation.settings import Answering, ResponseRequest, Settings, TurnTaking
from speechmlx.errors import EngineFailed
from speechmlx.types import Chunk, Kind, TextDelta

SECOND = Chunk(b"\1\0" * 24000, 24000)
TEXT = "one two three four"


@dataclass
class Input:
    """The pipeline as responses use it."""

    speech: bool = False
    commits: int = 0
    expected: list[float | None] = field(default_factory=list)

    async def has_speech(self) -> bool:
        return self.speech

    async def commit(self) -> None:
        self.commits += 1

    def expect_until(self, at: float | None) -> None:
        self.expected.append(at)


class Script:
    """Answers TEXT in one second of audio; with `holds` the end never comes."""

    kinds = (Kind.LLM, Kind.TTS)

    def __init__(self) -> None:
        self.holds = False
        self.inputs: list[ResponseInput] = []
        self.calls: list[str] = []
        self.draft_input: Callable[[], ResponseInput | None] = lambda: None

    def needs_transcripts(self, items: tuple[Item, ...]) -> bool:
        return True

    def respond(self, input: ResponseInput) -> Answer:
        self.inputs.append(input)

        async def pieces() -> AsyncGenerator[Piece, None]:
            yield TextDelta(TEXT)
            yield ClauseStarted(TEXT)
            yield SECOND
            yield ClauseEnded()
            if self.holds:
                await asyncio.sleep(60)

        return Answer(pieces())

    def read_ahead(self, input: ResponseInput) -> None:
        self.calls.append(f"read {len(input.items)}")

    def draft(self, transcript: Awaitable[Transcript], input: Callable[[], ResponseInput | None]) -> None:
        self.calls.append("draft")
        self.draft_input = input

    def drop_draft(self) -> None:
        self.calls.append("drop")

    async def close(self) -> None:
        self.calls.append("close")


class Bench:
    def __init__(self) -> None:
        self.audio, self.wall = 10.0, 100.0
        self.queue, self.conversation, self.input, self.script = EventQueue(), Conversation(), Input(), Script()
        self.transcripts: dict[str, asyncio.Task[str]] = {}
        self.settings = Settings()
        self.stages: list[Stages] = []
        parts = SessionParts(
            self.queue,
            self.conversation,
            self.input,  # type: ignore[arg-type]
            Clock(lambda: self.audio, lambda: self.wall),
            self.transcripts,
            lambda: self.settings,
        )
        self.responses = Responses(parts, self.script, self.stages.append)

    def add(self, id: str, text: str | None = None, **fields: Any) -> None:
        self.conversation.add(Item(id=id, parts=(Part("text", id if text is None else text),), **fields))

    async def request(self, commits: bool = False, **fields: Any) -> None:
        plan = ResponseRequest(answering=Answering(), **fields)
        await self.responses.request(commands.CreateResponse(plan=plan, commits=commits))

    async def done(self) -> list[str]:
        """The statuses of the responses that ended by now."""
        await asyncio.sleep(0.01)
        dropped = self.queue.drop(lambda event: True)
        return [event.response.status for event in dropped if isinstance(event, ResponseDone)]

    @property
    def texts(self) -> list[str]:
        return [item.text for item in self.conversation.items]

    @property
    def answered(self) -> list[list[str]]:
        """The ids of the items that each response answered."""
        return [[item.id for item in asked.items] for asked in self.script.inputs]


@pytest.fixture
async def bench() -> Any:
    made = Bench()
    yield made
    await made.responses.close()
    assert made.script.calls[-1] == "close"


async def test_one_response_at_a_time(bench: Bench) -> None:
    bench.add("a")
    bench.script.holds = True
    await bench.request()
    with pytest.raises(ResponseActive):
        await bench.request()
    assert bench.input.expected == [None]
    assert await bench.done() == []
    assert not bench.responses.cancel("another")
    assert bench.responses.cancel(None) and not bench.responses.cancel(None)
    assert await bench.done() == ["cancelled"]
    bench.script.holds = False
    await bench.request()  # at once
    assert await bench.done() == ["completed"] and len(bench.stages) == 2
    assert bench.input.expected == [None, 11.0, None, 12.0]  # the second is played after the first


async def test_responses_outside_the_conversation(bench: Bench) -> None:
    bench.script.holds = True
    for _ in range(MAX_OUT_OF_BAND):
        await bench.request(out_of_band=True)
    with pytest.raises(TooManyResponses):
        await bench.request(out_of_band=True)
    await bench.request()
    assert bench.responses.cancel(None) and not bench.responses.cancel(None)
    assert await bench.done() == ["cancelled"]
    await bench.responses.close()
    await bench.responses.finished()


async def test_an_input_of_its_own(bench: Bench) -> None:
    bench.add("a")
    bench.add("b")
    with pytest.raises(NoSuchItem):
        await bench.request(input=("x",))
    await bench.request(input=(Item(id="own", parts=(Part("text", "hi"),)), "a"))
    await bench.responses.finished()
    assert bench.answered == [["own", "a"]]


@pytest.mark.parametrize(
    ("speech", "commits", "role", "expected"),
    [(True, True, "assistant", 1), (True, True, "user", 0), (False, True, "assistant", 0), (True, False, "user", 0)],
)
async def test_a_turn_in_the_buffer_is_committed_first(
    bench: Bench, speech: bool, commits: bool, role: Any, expected: int
) -> None:
    bench.add("a", role=role)
    bench.input.speech = speech
    await bench.request(commits=commits)
    assert bench.input.commits == expected


async def test_a_turn_is_answered_after_the_response_under_way(bench: Bench) -> None:
    bench.add("a")
    await bench.request()
    bench.add("b")
    bench.responses.answer_turn("b", 0.5, may_be_empty=True)
    assert await bench.done() == ["completed", "completed"]
    assert bench.answered[0] == ["a"]
    assert bench.answered[1][:1] == ["a"] and "b" in bench.answered[1] and len(bench.answered[1]) == 3


@pytest.mark.parametrize(
    ("before", "may_be_empty", "answered"),
    [("assistant", True, []), ("assistant", False, [["q", "a", "e"]]), ("user", True, [["q", "a"]])],
)
async def test_a_turn_without_words(bench: Bench, before: Any, may_be_empty: bool, answered: list[list[str]]) -> None:
    bench.add("q")
    bench.add("a", role=before)
    bench.add("e", "")
    bench.responses.answer_turn("e", 0.5, may_be_empty)
    assert await bench.done() == ["completed"]
    assert bench.answered == answered
    assert bench.script.calls == (["drop"] if may_be_empty else [])


async def test_it_waits_for_transcripts_and_leaves_out_what_was_deleted(bench: Bench) -> None:
    known = asyncio.Event()

    async def transcript() -> str:
        await known.wait()
        bench.conversation.set_transcript("a", "hello")
        return "hello"

    bench.conversation.add(Item(id="a", parts=(Part("audio", None, b".."),)))
    bench.add("b")
    bench.transcripts["a"] = asyncio.create_task(transcript())
    await bench.request()
    bench.add("later")
    bench.conversation.delete("b")
    assert await bench.done() == [] and not bench.script.inputs
    bench.wall += 0.7
    known.set()
    assert await bench.done() == ["completed"]
    (asked,) = bench.script.inputs
    assert [(item.id, item.text) for item in asked.items] == [("a", "hello")]
    assert bench.stages[0].transcript == pytest.approx(0.7)


async def test_a_transcript_that_fails_fails_the_response(bench: Bench) -> None:
    async def transcript() -> str:
        raise EngineFailed("no")

    bench.conversation.add(Item(id="a", parts=(Part("audio", None, b".."),)))
    bench.transcripts["a"] = asyncio.create_task(transcript())
    await bench.request()
    assert await bench.done() == ["failed"] and not bench.script.inputs


@pytest.mark.parametrize(("interrupts", "texts"), [(True, ["a", "one two"]), (False, ["a", TEXT])])
async def test_a_new_turn_cuts_the_answer_that_plays(bench: Bench, interrupts: bool, texts: list[str]) -> None:
    bench.settings = Settings(turns=TurnTaking(interrupts=interrupts))
    bench.add("a")
    await bench.request()
    assert await bench.done() == ["completed"]
    bench.audio, bench.wall = 10.5, 100.5
    bench.responses.on_turn_started()
    assert bench.texts == texts
    assert bench.script.calls == ["read 2"]


async def test_a_new_turn_stops_the_response_under_way(bench: Bench) -> None:
    bench.script.holds = True
    bench.add("a")
    await bench.request()
    await asyncio.sleep(0.01)
    bench.responses.answer_turn("a", 0.0, may_be_empty=False)
    bench.responses.on_turn_started()
    assert await bench.done() == ["cancelled"]  # and the answer that waited is not wanted any more
    assert len(bench.script.inputs) == 1


async def test_drafts_are_of_turns_that_get_an_answer_at_once(bench: Bench) -> None:
    bench.add("a")
    bench.responses.on_turn_paused(asyncio.get_running_loop().create_future())
    drafted = bench.script.draft_input()
    assert drafted == ResponseInput(bench.conversation.items, bench.settings.answering)
    bench.settings = replace(bench.settings, turns=TurnTaking(answers=False))
    assert bench.script.draft_input() is None
    bench.settings, bench.script.holds = Settings(), True
    await bench.request()
    assert bench.script.draft_input() is None


async def test_the_answer_under_way_is_truncated(bench: Bench) -> None:
    bench.script.holds = True
    assert bench.responses.truncate_active("x", 0.5) is None
    await bench.request()
    await asyncio.sleep(0.01)
    (item,) = bench.conversation.items
    assert bench.responses.truncate_active(item.id, 0.5) == 0.5
    assert bench.responses.cancel(None)
    assert bench.texts == [""]  # none of it was sent
