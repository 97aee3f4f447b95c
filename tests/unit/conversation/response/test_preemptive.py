"""Work ahead of an answer: a draft that is taken, dropped, out of date or failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from support.fake_engines import FakeEngines

from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.response import preemptive
from speechmlx.conversation.response.answer import Piece
from speechmlx.conversation.response.preemptive import AHEAD, AnswerRequest, Draft, PreemptiveGeneration
from speechmlx.errors import Busy, EngineFailed
from speechmlx.types import Generate, Message, Priority, Speak, TextDelta


def request(words: str, speech: Speak | None = None) -> AnswerRequest:
    return AnswerRequest(Generate(messages=(Message("user", words),)), speech)


async def transcript(words: str) -> Transcript:
    return Transcript(words)


class Making:
    """Makes answers of `count` pieces, and counts them."""

    def __init__(self, count: int = 2) -> None:
        self.count = count
        self.begun = self.given = self.closed = 0

    async def __call__(self, request: AnswerRequest) -> AsyncGenerator[Piece, None]:
        self.begun += 1
        try:
            for number in range(self.count):
                self.given += 1
                yield TextDelta(f"{number}")
        finally:
            self.closed += 1


@pytest.mark.parametrize("fails", [True, False])
async def test_a_draft_knows_that_it_failed(fails: bool) -> None:
    async def pieces() -> AsyncGenerator[Piece, None]:
        yield TextDelta("Hello.")
        if fails:
            raise EngineFailed("no")

    draft = Draft(request("Hi"), pieces())
    assert not draft.failed
    await asyncio.sleep(0.01)
    assert draft.failed == fails
    if not fails:
        assert [piece async for piece in draft.pieces()] == [TextDelta("Hello.")]


async def test_a_draft_is_made_no_further_than_its_reader_may_want() -> None:
    making = Making(100)
    draft = Draft(request("Hi"), making(request("Hi")))
    await asyncio.sleep(0.01)
    assert making.given == AHEAD + 1
    pieces = draft.pieces()
    assert await anext(pieces) == TextDelta("0")
    await pieces.aclose()
    assert making.closed == 1


async def test_the_draft_of_exactly_this_request_is_taken_once() -> None:
    making = Making()
    ahead = PreemptiveGeneration(FakeEngines(), making)
    ahead.begin(transcript("Hi"), request)
    await asyncio.sleep(0.01)
    assert making.begun == 1
    pieces = ahead.take(request("Hi"))
    assert pieces is not None and [piece async for piece in pieces] == [TextDelta("0"), TextDelta("1")]
    assert ahead.take(request("Hi")) is None
    await ahead.close()


@pytest.mark.parametrize("other", [request("Ho"), request("Hi", Speak(text=""))])
async def test_the_draft_of_another_request_is_stopped(other: AnswerRequest) -> None:
    making = Making(100)
    ahead = PreemptiveGeneration(FakeEngines(), making)
    ahead.begin(transcript("Hi"), request)
    await asyncio.sleep(0.01)
    assert ahead.take(other) is None
    await asyncio.sleep(0.01)
    assert making.closed == 1


async def test_a_draft_that_failed_is_not_taken() -> None:
    async def fail(request: AnswerRequest) -> AsyncGenerator[Piece, None]:
        raise EngineFailed("no")
        yield

    ahead = PreemptiveGeneration(FakeEngines(), fail)
    ahead.begin(transcript("Hi"), request)
    await asyncio.sleep(0.01)
    assert ahead.take(request("Hi")) is None


async def test_a_turn_that_goes_on_stops_its_draft_also_before_its_words_are_known() -> None:
    making, words = Making(100), asyncio.get_running_loop().create_future()
    ahead = PreemptiveGeneration(FakeEngines(), making)
    ahead.begin(words, request)
    await asyncio.sleep(0)
    ahead.drop()
    words.set_result(Transcript("Hi"))
    await asyncio.sleep(0.01)
    assert making.begun == 0
    ahead.begin(transcript("Hi"), request)
    await asyncio.sleep(0.01)
    ahead.begin(transcript("Ho"), request)  # drops the one before
    await asyncio.sleep(0.01)
    assert (making.begun, making.closed) == (2, 1)
    await ahead.close()
    await asyncio.sleep(0)
    assert making.closed == 2


async def test_a_draft_that_nobody_takes_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preemptive, "KEPT", 0.0)
    making = Making(100)
    ahead = PreemptiveGeneration(FakeEngines(), making)
    ahead.begin(transcript("Hi"), request)
    await asyncio.sleep(0.01)
    assert making.closed == 1
    assert ahead.take(request("Hi")) is None


@pytest.mark.parametrize("words", ["", "none"])
async def test_turns_that_get_no_answer(words: str) -> None:
    making = Making()
    ahead = PreemptiveGeneration(FakeEngines(), making)
    ahead.begin(transcript(words), lambda words: None)
    await asyncio.sleep(0.01)
    assert making.begun == 0


async def test_reading_ahead_is_done_once_for_a_key_and_keeps_its_errors() -> None:
    engines = FakeEngines(lambda request: [Busy("full")])
    ahead = PreemptiveGeneration(engines, Making())
    for key in ("a", "a", "b", "a"):
        ahead.read(request, key)
        await asyncio.sleep(0.01)
    read = list(engines.requests(Generate))
    assert len(read) == 3 and {one.max_tokens for one in read} == {1}
    assert {one.priority for one in read} == {Priority.INTERACTIVE}
    await ahead.close()
