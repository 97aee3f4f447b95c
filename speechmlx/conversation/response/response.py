"""One response, from its start to its end. The end comes exactly once, and no event of the response follows it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from speechmlx import tracing
from speechmlx.conversation.clock import Clock
from speechmlx.conversation.event_queue import ANSWER_MARK, EventQueue
from speechmlx.conversation.events import Cost, Response, ResponseDone, ResponseStarted, Stages
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.items.item import new_id
from speechmlx.conversation.response.answer import Answer, ClauseEnded, ClauseGrown, ClauseStarted, Piece
from speechmlx.conversation.response.output import ResponseOutput
from speechmlx.conversation.response.playback import START, Moment, Playback
from speechmlx.conversation.settings import ResponseRequest
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.types import Chunk, FunctionCall, TextDelta, Usage, WordTimes

log = logging.getLogger(__name__)

ResponseStatus = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]


@dataclass(frozen=True)
class ResponseStart:
    """What a response begins with."""

    request: ResponseRequest
    after: str | None = None
    """Id of the item to insert its items after; None: last."""
    queued_until: Moment = START
    """When earlier answers finish playing."""
    waited: float = 0.0
    """Seconds since the end of speech."""


class ActiveResponse:
    """A response under way. It says that it started, and gives its answer when it is `run`."""

    def __init__(self, start: ResponseStart, events: EventQueue, conversation: Conversation, clock: Clock) -> None:
        self.id = new_id("resp")
        self.request = start.request
        self.ended = False
        self.stages = Stages()
        self.playback = Playback(clock, start.queued_until)
        self._events = events
        self._clock = clock
        self._output = ResponseOutput(self.id, start.request, events, conversation, self.playback, start.after)
        self._audio_in = 0.0
        self._usage = Usage()
        self._tokens = 0
        """Tokens of the text so far."""
        self._waited = start.waited
        self._began = clock.wall() - start.waited
        self._last_text = self._last_audio = self._began
        self._task: asyncio.Task[None] | None = None
        self._span = tracing.begin("response", {"speechmlx.response": self.id}, self._began)
        events.put(ResponseStarted(self._state("in_progress")))

    # --- for the session ---

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin `work`, which runs the response. `interrupt` and `close` cancel it."""
        with self._span.active():
            self._task = asyncio.create_task(work)

    def interrupt(self, reason: str, live: bool) -> None:
        """End now. Audio that was not sent is dropped, and the conversation keeps what was heard.

        `live`: the person's audio goes on, so its time shows how much of the answer was played.
        """
        if self.ended:
            return
        self._output.interrupt(live)
        self._cancel()
        self._end("cancelled", reason)

    def truncate(self, item: str, seconds: float) -> float | None:
        """The listener hears only the first `seconds` of `item`. None where `item` is not the message under way."""
        return self._output.truncate(item, seconds)

    def mark_transcribed(self) -> None:
        """The words of the person are known."""
        self._mark("transcript")

    async def finished(self) -> None:
        """Wait until it ended, whatever the reason."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def close(self) -> None:
        """End without an event: the session is over."""
        if not self.ended:
            self._span.end(error="closed")
        self.ended = True
        self._cancel()
        await self.finished()

    # --- the work ---

    async def run(self, prepared: Awaitable[Answer | None]) -> None:
        """Give out the answer; None: there is none to give. Errors end the response and are not raised."""
        try:
            answer = await prepared
            if answer is not None:
                self._audio_in = answer.audio_in
                async with aclosing(answer.pieces) as pieces:
                    async for piece in pieces:
                        await self._events.room(ANSWER_MARK)
                        self._push(piece)
                self._output.finish("incomplete" if self._usage.cut_off else "completed")
            if self._usage.cut_off:
                self._end("incomplete", "max_output_tokens")
            else:
                self._end("completed")
        except SpeechError as error:
            self._end("failed", error=error)
        except Exception as error:
            log.exception("response %s failed", self.id)
            self._end("failed", error=EngineFailed(f"the response failed: {type(error).__name__}"))

    def _push(self, piece: Piece) -> None:
        match piece:
            case TextDelta(text, tokens):
                self._mark("first_token")
                self._last_text = self._clock.wall()
                self._tokens += tokens
                self._output.add_text(text)
            case ClauseStarted(text):
                self.playback.timeline = self.playback.timeline.begin_clause(text)
            case ClauseGrown(text):
                self.playback.timeline = self.playback.timeline.grow_clause(text)
            case WordTimes(words):
                self.playback.timeline = self.playback.timeline.add_words(words)
            case ClauseEnded():
                self.playback.timeline = self.playback.timeline.end_clause()
            case Chunk():
                self._mark("first_audio")
                self._last_audio = self._clock.wall()
                self._output.add_audio(piece)
            case FunctionCall():
                self._mark("first_token")
                self._last_text = self._clock.wall()
                self._output.add_call(piece)
            case Usage():
                self._usage = piece

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _end(self, status: ResponseStatus, reason: str | None = None, error: SpeechError | None = None) -> None:
        if self.ended:
            return
        self._output.close_message("completed" if status == "completed" else "incomplete")
        self._mark("total")
        self._events.put(ResponseDone(self._state(status, reason, error)))
        self.ended = True
        if error is not None:
            log.warning("response %s failed: %s", self.id, error)
        self._log(status, error)
        self._trace(status, error)

    def _log(self, status: ResponseStatus, error: SpeechError | None) -> None:
        stages = {f"{name}_s": at for name, at in asdict(self.stages).items()}
        text = ", ".join(f"{name[:-2].replace('_', ' ')} {_seconds(at)}" for name, at in stages.items())
        fields = {"event": "response", "response": self.id, "outcome": status, "error": error and error.code}
        fields |= {name: at and round(at, 4) for name, at in stages.items()}
        said = f"response {self.id} {status}"
        log.info("%s", said, extra={"text": f"{said}: {text}", "fields": fields})

    def _trace(self, status: ResponseStatus, error: SpeechError | None) -> None:
        if not tracing.is_on():
            return
        stages, began = self.stages, self._began
        asked = began + (self._waited if stages.transcript is None else stages.transcript)
        if stages.first_token is not None:
            tracing.stage("language model", min(asked, began + stages.first_token), self._last_text, self._span)
            asked = began + stages.first_token
        if stages.first_audio is not None:
            tracing.stage("first audio", began, began + stages.first_audio, self._span)
            tracing.stage("synthesis", min(asked, began + stages.first_audio), self._last_audio, self._span)
        self._span.set({"speechmlx.outcome": status})
        self._span.end(error=error)

    def _state(self, status: ResponseStatus, reason: str | None = None, error: SpeechError | None = None) -> Response:
        usage = self._usage
        tokens_out = max(usage.tokens_out, self._tokens)  # an answer that was stopped has no last Usage
        cost = Cost(usage.tokens_in, tokens_out, self._audio_in, self.playback.timeline.duration)
        return Response(
            id=self.id,
            answering=self.request.answering,
            out_of_band=self.request.out_of_band,
            status=status,
            reason=reason,
            error=error,
            items=tuple(self._output.items),
            metadata=self.request.metadata,
            cost=None if status == "in_progress" else cost,
            stages=self.stages,
        )

    def _mark(self, stage: str) -> None:
        """A stage is reached for the first time."""
        if getattr(self.stages, stage) is None:
            self.stages = replace(self.stages, **{stage: self._clock.wall() - self._began})


def _seconds(at: float | None) -> str:
    return "-" if at is None else f"{at:.3f} s"
