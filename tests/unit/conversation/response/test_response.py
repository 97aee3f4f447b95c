"""A response by itself: its events, its one end, what an interruption drops, and what the conversation keeps of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
from support.traces import named, parent_of, spans_in_memory

from speechmlx import tracing
from speechmlx.conversation.clock import Clock
from speechmlx.conversation.event_queue import EventQueue
from speechmlx.conversation.events import (
    Event,
    OutputArguments,
    OutputAudio,
    OutputDone,
    OutputStarted,
    OutputText,
    ResponseDone,
    ResponseStarted,
)
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.response.answer import Answer, ClauseEnded, ClauseStarted, Piece
from speechmlx.conversation.response.response import ActiveResponse, ResponseStart
from speechmlx.conversation.settings import Answering, ResponseRequest
from speechmlx.errors import BadRequest, EngineFailed
from speechmlx.types import Chunk, FunctionCall, TextDelta, Usage, WordTime, WordTimes

Step = Piece | float | Exception
TEXT = "one two three four"
SECOND = Chunk(b"\1\0" * 24000, 24000)
SPOKEN: tuple[Step, ...] = (TextDelta(TEXT, 4), ClauseStarted(TEXT), SECOND, ClauseEnded())
"""TEXT is said in one second, in five pieces."""


@dataclass
class Bench:
    """One session's parts; time passes by hand."""

    audio: float = 0.0
    wall: float = 100.0

    def __post_init__(self) -> None:
        self.queue, self.conversation = EventQueue(), Conversation()
        self.events = aiter(self.queue)

    def start(
        self,
        pieces: Sequence[Step] | None,
        *,
        spoken: bool = True,
        out_of_band: bool = False,
        after: str | None = None,
        waited: float = 0.0,
    ) -> ActiveResponse:
        """A response that gives these pieces, waiting so many seconds between them; None: there is no answer."""

        async def give(pieces: Sequence[Step]) -> AsyncGenerator[Piece, None]:
            for piece in pieces:
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, float):
                    await asyncio.sleep(piece)
                else:
                    yield piece

        async def answer() -> Answer | None:
            return None if pieces is None else Answer(give(pieces), 1.5)

        request = ResponseRequest(answering=Answering(spoken=spoken), out_of_band=out_of_band)
        clock = Clock(lambda: self.audio, lambda: self.wall)
        response = ActiveResponse(ResponseStart(request, after, waited=waited), self.queue, self.conversation, clock)

        async def run() -> None:
            await response.run(answer())

        response.start(run())
        return response

    async def until(self, last: type[Event]) -> list[Event]:
        """The events up to the next of this class."""
        found = list[Event]()
        while not found or not isinstance(found[-1], last):
            found.append(await anext(self.events))
        return found

    @property
    def texts(self) -> list[str]:
        return [item.text for item in self.conversation.items]


async def audio(events: AsyncIterator[Event], count: int) -> list[str]:
    """The responses that the next pieces of audio belong to; fewer than `count` where the end comes first."""
    found = list[str]()
    while len(found) < count and (event := await anext(events, None)) is not None:
        if isinstance(event, OutputAudio):
            found.append(event.response)
    return found


async def test_a_spoken_answer() -> None:
    bench = Bench()
    response = bench.start([*SPOKEN, Usage(tokens_in=9, tokens_out=4)])
    events = await bench.until(ResponseDone)
    assert [type(event) for event in events] == [
        ResponseStarted, OutputStarted, OutputText, *[OutputAudio] * 5, OutputDone, ResponseDone,
    ]  # fmt: skip
    assert b"".join(event.audio for event in events if isinstance(event, OutputAudio)) == SECOND.pcm16
    done = events[-1]
    assert isinstance(done, ResponseDone) and (done.response.status, done.response.reason) == ("completed", None)
    cost = done.response.cost
    assert cost is not None and (cost.tokens_in, cost.tokens_out, cost.audio_in, cost.audio_out) == (9, 4, 1.5, 1.0)
    (item,) = bench.conversation.items
    assert (item.status, item.text) == ("completed", TEXT) and done.response.items == (item,)
    assert item.playout is not None and item.playout.text_at(0.5) == "one two"
    assert response.ended and (response.playback.item, response.playback.end.audio) == (item.id, 1.0)


async def test_an_answer_in_text_and_calls_after_it() -> None:
    bench = Bench()
    bench.conversation.add(Item(id="q", parts=(Part("text", "?"),)))
    bench.conversation.add(Item(id="later", parts=(Part("text", "!"),)))
    calls = [FunctionCall("f", '{"x": 1}'), FunctionCall("g", "{}")]
    bench.start([TextDelta("Wait. "), *calls, TextDelta("Soon.")], spoken=False, after="q")
    events = await bench.until(ResponseDone)
    assert [(type(event), event.index) for event in events[1:-1]] == [  # type: ignore[union-attr]
        (OutputStarted, 0), (OutputText, 0), (OutputText, 0), (OutputDone, 0),
        *((kind, index) for index in (1, 2) for kind in (OutputStarted, OutputArguments, OutputDone)),
    ]  # fmt: skip
    started = [event for event in events if isinstance(event, OutputStarted)]
    question, message, first, second, later = bench.conversation.items
    assert [event.before for event in started] == ["q", message.id, first.id]
    assert (question.id, later.id, message.text) == ("q", "later", "Wait. Soon.")
    assert [(item.name, item.arguments, item.kind) for item in (first, second)] == [
        ("f", '{"x": 1}', "call"), ("g", "{}", "call"),
    ]  # fmt: skip
    assert first.call_id != second.call_id and message.playout is None


async def test_an_answer_whose_question_was_deleted_comes_last() -> None:
    bench = Bench()
    for id in ("q", "later"):
        bench.conversation.add(Item(id=id))
    bench.start([TextDelta("Yes.")], spoken=False, after="q")
    bench.conversation.delete("q")
    await bench.until(ResponseDone)
    assert bench.texts == ["", "Yes."]


async def test_out_of_band_nothing_enters_the_conversation() -> None:
    bench = Bench()
    bench.start([*SPOKEN, FunctionCall("f", "{}")], out_of_band=True)
    events = await bench.until(ResponseDone)
    assert not bench.conversation.items
    assert all(event.out_of_band for event in events if isinstance(event, OutputStarted | OutputDone))


@pytest.mark.parametrize(
    ("pieces", "status", "reason", "error", "items"),
    [
        (None, "completed", None, None, []),
        ([], "completed", None, None, []),
        ([TextDelta("Yes"), Usage(cut_off=True)], "incomplete", "max_output_tokens", None, ["incomplete"]),
        ([TextDelta("Yes"), BadRequest("no")], "failed", None, BadRequest, ["incomplete"]),
        ([BadRequest("no")], "failed", None, BadRequest, []),
        ([ValueError("bug")], "failed", None, EngineFailed, []),
    ],
)
async def test_the_end(
    pieces: list[Step] | None,
    status: str,
    reason: str | None,
    error: type | None,
    items: list[str],
) -> None:
    bench = Bench()
    bench.start(pieces, spoken=False)
    done = (await bench.until(ResponseDone))[-1]
    assert isinstance(done, ResponseDone)
    assert (done.response.status, done.response.reason) == (status, reason)
    assert error is None if done.response.error is None else type(done.response.error) is error
    assert [item.status for item in done.response.items] == items
    bench.queue.end()
    assert [event async for event in bench.events] == []


async def test_stages_are_measured_from_the_end_of_speech() -> None:
    bench = Bench()
    response = bench.start([0.01, *SPOKEN], waited=0.5)
    await asyncio.sleep(0)
    bench.wall += 0.2
    response.mark_transcribed()
    bench.wall += 0.3
    await bench.until(ResponseDone)
    stages = response.stages
    assert (stages.transcript, stages.first_token, stages.first_audio, stages.total) == pytest.approx((0.7, 1, 1, 1))


async def test_an_interruption_drops_what_was_not_sent_and_only_of_its_own() -> None:
    bench = Bench(audio=9.0)
    one, other = (bench.start([*SPOKEN, 60.0], out_of_band=outside) for outside in (False, True))
    assert await audio(bench.events, 2) == [one.id] * 2
    one.interrupt("turn_detected", live=True)
    one.interrupt("turn_detected", live=True)
    bench.queue.end()
    assert await audio(bench.events, 99) == [other.id] * 5
    assert bench.texts == ["one two"]
    await one.finished()
    await other.close()


@pytest.mark.parametrize(("heard", "kept"), [(0.1, ""), (0.5, "one two"), (0.8, "one two three"), (9.0, TEXT)])
async def test_an_interruption_keeps_what_was_heard(heard: float, kept: str) -> None:
    bench = Bench()
    response = bench.start([*SPOKEN, 60.0])
    assert len(await audio(bench.events, 5)) == 5
    bench.audio, bench.wall = heard, 100.0 + heard
    response.interrupt("turn_detected", live=True)
    assert bench.texts == [kept]
    done = (await bench.until(ResponseDone))[-1]
    assert isinstance(done, ResponseDone) and done.response.cost is not None
    assert (done.response.status, done.response.reason, done.response.cost.tokens_out) == (
        "cancelled", "turn_detected", 4,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("heard", "kept"), [(0.05, ""), (0.5, "one"), (0.8, "one"), (0.9, "one two three"), (9.0, TEXT)]
)
async def test_an_interruption_keeps_the_words_whose_sound_was_played(heard: float, kept: str) -> None:
    bench = Bench()
    times = zip(TEXT.split(), (0.1, 0.85, 0.9, 0.95), (0, 4, 8, 14), strict=True)
    said = WordTimes(tuple(WordTime(word, 0.0, end, first, first + len(word)) for word, end, first in times))
    response = bench.start([TextDelta(TEXT, 4), ClauseStarted(TEXT), said, SECOND, ClauseEnded(), 60.0])
    assert len(await audio(bench.events, 5)) == 5
    bench.audio, bench.wall = heard, 100.0 + heard
    response.interrupt("turn_detected", live=True)
    assert bench.texts == [kept]
    await response.finished()


async def test_what_the_client_says_was_heard_counts() -> None:
    bench = Bench()
    response = bench.start([*SPOKEN, 60.0])
    assert len(await audio(bench.events, 5)) == 5
    (item,) = bench.conversation.items
    assert response.truncate("another", 0.5) is None
    assert response.truncate(item.id, 0.5) == 0.5
    bench.audio = bench.wall = 0.9
    response.interrupt("client_cancelled", live=True)
    assert bench.texts == ["one two"]


async def test_text_is_not_truncated_by_time() -> None:
    bench = Bench()
    response = bench.start([TextDelta(TEXT), 60.0], spoken=False)
    await bench.until(OutputText)
    (item,) = bench.conversation.items
    assert response.truncate(item.id, 0.5) is None
    response.interrupt("client_cancelled", live=True)
    assert bench.texts == [TEXT]


async def test_closing_says_nothing() -> None:
    bench = Bench()
    response = bench.start([*SPOKEN, 60.0])
    await bench.until(OutputText)
    await response.close()
    response.interrupt("client_cancelled", live=True)
    bench.queue.end()
    assert all(isinstance(event, OutputAudio) for event in [event async for event in bench.events])


async def test_an_interruption_before_the_first_step() -> None:
    bench = Bench()
    response = bench.start(SPOKEN)
    response.interrupt("client_cancelled", live=True)
    await response.finished()
    assert [type(event) for event in await bench.until(ResponseDone)] == [ResponseStarted, ResponseDone]
    assert not bench.conversation.items


async def test_its_spans_are_the_language_model_and_the_synthesis() -> None:
    bench = Bench(wall=time.monotonic())
    with spans_in_memory() as exporter, tracing.span("turn"):
        bench.start(SPOKEN, waited=0.5)
        await bench.until(ResponseDone)
        bench.start((EngineFailed("what was said"),))
        await bench.until(ResponseDone)
    spans = exporter.get_finished_spans()
    done, failed = (span for span in spans if span.name == "response")
    assert {parent_of(span) for span in (done, failed)} == {named(exporter)["turn"].context.span_id}
    stages = {span.name: span for span in spans if parent_of(span) == done.context.span_id}
    assert set(stages) == {"language model", "first audio", "synthesis"}
    assert done.start_time is not None and done.end_time is not None and failed.attributes is not None
    assert (done.end_time - done.start_time) / 1e9 >= 0.49
    assert failed.attributes["error.type"] == "engine_failed" and "what was said" not in failed.to_json()


async def test_a_response_that_is_closed_ends_its_span() -> None:
    bench = Bench(wall=time.monotonic())
    with spans_in_memory() as exporter:
        response = bench.start((5.0,))
        await response.close()
        await response.close()
    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None and span.attributes["error.type"] == "closed"
