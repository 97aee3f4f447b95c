"""One response, from its start to its end, which comes exactly once and after which nothing of it is said."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Literal

from speechmlx.conversation.event_queue import ANSWER_MARK, EventQueue
from speechmlx.conversation.events import (
    Cost,
    Event,
    OutputArguments,
    OutputAudio,
    OutputDone,
    OutputStarted,
    OutputText,
    Response,
    ResponseDone,
    ResponseStarted,
    Stages,
)
from speechmlx.conversation.items.history import History
from speechmlx.conversation.items.item import Item, Part, cut_to, new_id
from speechmlx.conversation.items.playout import PlayoutTimeline
from speechmlx.conversation.response.cascade import Clause, Piece, Said
from speechmlx.conversation.response.encoding import OutputEncoder
from speechmlx.conversation.settings import ResponseRequest
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.types import Chunk, FunctionCall, TextDelta, Usage

log = logging.getLogger(__name__)

Status = Literal["completed", "cancelled", "incomplete", "failed"]

MUTED = 0.5
"""Seconds that the person's audio may be behind the clock: further behind, it was muted while the answer was played."""


class ActiveResponse:
    """A response under way. `pieces` waits for what it needs and then gives the answer; None: there is none to give.

    `now` is the seconds of audio heard from the person: while it runs on, the clock by which an answer is played.
    `over` is told once. Its items come behind the one with the id `after`; `played` is when the audio before its own
    will have been, by `now` and by the clock. The person has `waited` since the end of speech, in seconds.
    """

    def __init__(
        self,
        plan: ResponseRequest,
        outbox: EventQueue,
        history: History,
        pieces: Callable[[ActiveResponse], Awaitable[AsyncGenerator[Piece, None] | None]],
        now: Callable[[], float],
        over: Callable[[ActiveResponse], None],
        after: str | None,
        played: tuple[float, float],
        waited: float,
    ) -> None:
        self.id = new_id("resp")
        self.plan = plan
        self.ended = False
        self.played_from: float | None = None
        """`now` when its first audio was given out, and that before it will have been played."""
        self.heard: float | None = None
        """Seconds of its message that the client says were heard, or that were when it was interrupted."""
        self.playout = PlayoutTimeline()
        self.audio_in = 0.0
        self._outbox = outbox
        self._history = history
        self._pieces = pieces
        self._now = now
        self._over = over
        self._after = after
        self._played = played
        self._items: list[Item] = []
        self._message: Item | None = None
        self._before: str | None = None
        self._calls: list[FunctionCall] = []
        self._text = ""
        self._encoder = OutputEncoder(plan.answering.voice.format)
        self._usage = Usage()
        self._written = 0
        self._sounded = time.monotonic()
        self._asked = self._sounded - waited
        self.stages = Stages()
        self._say(ResponseStarted(self._response("in_progress")))
        self._task = asyncio.create_task(self._run())

    # --- from outside ---

    def interrupt(self, reason: str, live: bool) -> None:
        """Stop now: audio not sent yet is dropped, and the history keeps what was heard.

        `live`: the person's audio runs on, so that it tells how much of the answer was played.
        """
        if self.ended:
            return
        dropped = self._outbox.drop(lambda event: isinstance(event, OutputAudio) and event.response == self.id)
        unsent = sum(self._encoder.seconds(event.audio) for event in dropped if isinstance(event, OutputAudio))
        self.playout = self.playout.until(self.playout.duration - unsent)
        if live and self.heard is None and self.played:
            self.heard = max(0.0, self.played)
        self._task.cancel()
        self._end("cancelled", reason)

    @property
    def played(self) -> float:
        """Seconds that its listener may have heard by now, of all that was or will be sent."""
        if self.played_from is None:
            return 0.0
        by_audio, by_clock = self._now() - self.played_from, time.monotonic() - self._sounded
        return by_audio if by_clock - by_audio < MUTED else by_clock

    @property
    def played_until(self) -> tuple[float, float]:
        """When its listener will have heard the last of it, by the person's audio and by the clock."""
        if self.played_from is None:
            return self._played
        heard = self.playout.duration if self.heard is None else self.heard
        return self.played_from + heard, self._sounded + heard

    def truncate(self, item: str, seconds: float) -> float | None:
        """The listener will have heard only `seconds` of `item`, which is still being said; None: it is not."""
        if self._message is None or self._message.id != item or not self.plan.answering.spoken:
            return None
        self.heard = min(max(0.0, seconds), self.playout.duration)
        return self.heard

    async def close(self) -> None:
        """End without a word: the session is over."""
        self.ended = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def finished(self) -> None:
        """Wait for its end, whatever it is."""
        await asyncio.gather(self._task, return_exceptions=True)

    def transcribed(self) -> None:
        """What the person said is known."""
        self.stages = replace(self.stages, transcript=time.monotonic() - self._asked)

    # --- the work ---

    async def _run(self) -> None:
        try:
            pieces = await self._pieces(self)
            if pieces is not None:
                async with aclosing(pieces):
                    async for piece in pieces:
                        await self._outbox.room(ANSWER_MARK)
                        self._take(piece)
                self._finish_message("incomplete" if self._usage.cut_off else "completed", whole=True)
                for call in self._calls:
                    self._call(call)
            if self._usage.cut_off:
                self._end("incomplete", "max_output_tokens")
            else:
                self._end("completed")
        except SpeechError as error:
            self._end("failed", error=error)
        except Exception as error:
            log.exception("response %s failed", self.id)
            self._end("failed", error=EngineFailed(f"the response failed: {type(error).__name__}"))

    def _take(self, piece: Piece) -> None:
        match piece:
            case TextDelta(text, tokens):
                self._stage("first_token")
                item = self._open_message()
                self._text += text
                self._written += tokens
                self._say(OutputText(self.id, item.id, len(self._items), text, self.plan.answering.spoken))
            case Clause(text):
                self.playout = self.playout.clause(text)
            case Said():
                self.playout = self.playout.closed()
            case Chunk():
                self._stage("first_audio")
                for data in self._encoder.push(piece):
                    self._sound(data)
            case FunctionCall():
                self._stage("first_token")
                self._calls.append(piece)
            case Usage():
                self._usage = piece

    def _sound(self, data: bytes) -> None:
        item = self._open_message()
        if self.played_from is None:
            self.played_from = max(self._now(), self._played[0])
            self._sounded = max(time.monotonic(), self._played[1])
        self.playout = self.playout.sent(self._encoder.seconds(data))
        self._say(OutputAudio(self.id, item.id, len(self._items), data))

    def _open_message(self) -> Item:
        if self._message is None:
            self._message = Item(id=new_id("item"), role="assistant", status="in_progress")
            self._begin(self._message, self.plan.answering.spoken)
        return self._message

    def _begin(self, item: Item, spoken: bool) -> None:
        out_of_band = self.plan.out_of_band
        if not out_of_band:
            stays = self._after is not None and self._after in self._history
            self._before = self._history.add(item, self._after if stays else None)
            self._after = item.id
        self._say(OutputStarted(self.id, item, len(self._items), self._before, out_of_band, spoken))

    def _finish_message(self, status: Literal["completed", "incomplete"], whole: bool = False) -> None:
        """Close the message that is open; the history gets what the listener heard of it.

        `whole`: all that was written was said.
        """
        if self._message is None:
            return
        spoken = self.plan.answering.spoken
        if spoken and whole:
            for data in self._encoder.flush():
                self._sound(data)
        part = Part("audio" if spoken else "text", self._text, seconds=self.playout.duration)
        item = replace(self._message, status=status, parts=(part,), playout=self.playout if spoken else None)
        self._message = None
        kept = item
        if spoken and (status == "incomplete" or self.heard is not None):
            heard = self.playout.duration if self.heard is None else min(self.heard, self.playout.duration)
            kept = cut_to(item, heard)
        self._close(item, kept, spoken)

    def _call(self, call: FunctionCall) -> None:
        item = Item(
            id=new_id("item"),
            kind="call",
            role="assistant",
            status="in_progress",
            name=call.name,
            call_id=new_id("call"),
        )
        self._begin(item, False)
        self._say(OutputArguments(self.id, item.id, len(self._items), item.call_id, call.arguments))
        done = replace(item, status="completed", arguments=call.arguments)
        self._close(done, done, False)

    def _close(self, item: Item, kept: Item, spoken: bool) -> None:
        if not self.plan.out_of_band:
            self._history.replace(kept)
        self._say(OutputDone(self.id, item, len(self._items), self._before, self.plan.out_of_band, spoken))
        self._items.append(item)

    def _end(self, status: Status, reason: str | None = None, error: SpeechError | None = None) -> None:
        if self.ended:
            return
        self._finish_message("completed" if status == "completed" else "incomplete")
        self._stage("total")
        self._say(ResponseDone(self._response(status, reason, error)))
        self.ended = True
        if error is not None:
            log.warning("response %s failed: %s", self.id, error)
        stages = self.stages
        log.info(
            "response %s %s: transcript %s, first token %s, first audio %s, total %.3f s",
            self.id, status, *(_seconds(at) for at in (stages.transcript, stages.first_token, stages.first_audio)),
            stages.total,
        )  # fmt: skip
        self._over(self)

    def _response(
        self,
        status: Literal["in_progress", "completed", "cancelled", "incomplete", "failed"],
        reason: str | None = None,
        error: SpeechError | None = None,
    ) -> Response:
        used = self._usage
        written = max(used.tokens_out, self._written)  # an answer that was stopped has no last Usage
        cost = Cost(used.tokens_in, written, self.audio_in, self.playout.duration)
        return Response(
            id=self.id,
            answering=self.plan.answering,
            out_of_band=self.plan.out_of_band,
            status=status,
            reason=reason,
            error=error,
            items=tuple(self._items),
            metadata=self.plan.metadata,
            cost=None if status == "in_progress" else cost,
            stages=self.stages,
        )

    def _stage(self, name: str) -> None:
        if getattr(self.stages, name) is None:
            self.stages = replace(self.stages, **{name: time.monotonic() - self._asked})

    def _say(self, event: Event) -> None:
        if not self.ended:
            self._outbox.put(event)


def _seconds(at: float | None) -> str:
    return "-" if at is None else f"{at:.3f} s"
