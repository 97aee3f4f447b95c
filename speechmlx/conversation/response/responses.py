"""The responses of a conversation: which runs, which comes next, and what a new turn does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from speechmlx import tracing
from speechmlx.conversation import commands
from speechmlx.conversation.clock import Clock
from speechmlx.conversation.errors import ResponseActive, TooManyResponses
from speechmlx.conversation.event_queue import EventQueue
from speechmlx.conversation.events import Stages
from speechmlx.conversation.input.pipeline import InputPipeline
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.input.transcription import TurnTranscription
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.items.item import Item, awaits_answer, untranscribed_audio, with_transcript
from speechmlx.conversation.response.answer import Answer, ResponseInput
from speechmlx.conversation.response.playback import PlaybackQueue
from speechmlx.conversation.response.responder import Responder
from speechmlx.conversation.response.response import ActiveResponse, ResponseStart
from speechmlx.conversation.settings import ResponseRequest, Settings

MAX_OUT_OF_BAND = 4
"""Out-of-band responses that may run at once."""


@dataclass(frozen=True)
class SessionParts:
    """What responses share with their session."""

    queue: EventQueue
    conversation: Conversation
    input: InputPipeline
    clock: Clock
    transcripts: Mapping[str, asyncio.Task[str]]
    """By item, the transcripts that are not known yet."""
    settings: Callable[[], Settings]


class Responses:
    """`responder` makes the answers. `on_response` gets the stages of each response that ended."""

    def __init__(self, session: SessionParts, responder: Responder, on_response: Callable[[Stages], None]) -> None:
        self.playback = PlaybackQueue()
        self.responder = responder
        self._session = session
        self._conversation = session.conversation
        self._on_response = on_response
        self._active: ActiveResponse | None = None
        self._out_of_band: set[ActiveResponse] = set()
        self._next: ResponseRequest | None = None
        """What a turn asked for while another response was under way."""
        self._unless_empty: str | None = None
        """The item whose turn asked for `_next`: without words in it there is nothing to answer."""
        self._next_span: tracing.Span = tracing.NO_SPAN
        """The turn that asked for `_next`."""

    async def close(self) -> None:
        """End every response without an event."""
        await self.responder.close()
        for response in [self._active, *self._out_of_band]:
            if response is not None:
                await response.close()
        self._active, self._out_of_band = None, set()

    async def finished(self) -> None:
        """Wait until no response runs or waits."""
        while running := [response for response in (self._active, *self._out_of_band) if response is not None]:
            await asyncio.gather(*(response.finished() for response in running))

    # --- turns ---

    def on_turn_started(self) -> None:
        """Read the prompt of the answer to come, and stop the answer that is being played."""
        settings = self._session.settings()
        if settings.answers:
            self.responder.read_ahead(self._turn_input())
        turns = settings.turns
        if turns is not None and turns.interrupts:
            self._next = None
            if self._active is not None:
                self._interrupt(self._active, "turn_detected", live=True)
            for item, seconds in self.playback.interrupt():
                if item in self._conversation:
                    self._conversation.truncate(item, seconds)

    def on_turn_paused(self, guess: Awaitable[Transcript]) -> None:
        """Begin the answer to a turn that may be over."""
        self.responder.draft(guess, self._input_if_over)

    def answer_turn(self, item: str, silence: float, may_be_empty: bool) -> None:
        """Answer a committed turn, now or after the response under way. `silence`: seconds since the last speech."""
        self._next = ResponseRequest(answering=self._session.settings().answering)
        self._unless_empty = item if may_be_empty else None
        self._next_span = tracing.current()
        self._start_next(silence)

    # --- commands ---

    async def request(self, command: commands.CreateResponse, before: Callable[[], None] = lambda: None) -> None:
        """Start the response that the client asks for. `before` is called right before it starts.

        Raises ResponseActive, TooManyResponses and NoSuchItem.
        """
        request = command.plan
        if request.out_of_band and len(self._out_of_band) >= MAX_OUT_OF_BAND:
            raise TooManyResponses(MAX_OUT_OF_BAND)
        self._check_idle(request)
        self._conversation.items_for(request)  # raises NoSuchItem now, not in the response
        if command.commits and not self._conversation.awaits_answer:
            if await self._session.input.has_speech():
                await self._session.input.commit()
            self._check_idle(request)  # a turn may have ended meanwhile
        before()
        self._start(request)

    def can_cancel(self, id: str | None) -> bool:
        """Whether the response called `id`, or (None) that of the conversation, is under way."""
        running = [self._active, *self._out_of_band] if id else [self._active]
        return any(response is not None and id in (None, response.id) for response in running)

    def cancel(self, id: str | None) -> bool:
        """Stop the response called `id`, or (None) that of the conversation. False: there is none."""
        running = [self._active, *self._out_of_band] if id else [self._active]
        for response in running:
            if response is not None and id in (None, response.id):
                self._interrupt(response, "client_cancelled", live=self._session.settings().turns is not None)
                return True
        return False

    def truncate_active(self, item: str, seconds: float) -> float | None:
        """Cut `item` to its first `seconds` while it is being spoken; None: it is not."""
        return self._active.truncate(item, seconds) if self._active is not None else None

    def _check_idle(self, request: ResponseRequest) -> None:
        if not request.out_of_band and self._active is not None:
            raise ResponseActive(self._active.id)

    # --- one response after the other ---

    def _start(self, request: ResponseRequest, unless_empty: str | None = None, waited: float = 0.0) -> None:
        items = self._conversation.items_for(request)
        after = items[-1].id if items and request.input is None else None
        start = ResponseStart(request, after, self.playback.end, waited)
        response = ActiveResponse(start, self._session.queue, self._conversation, self._session.clock)
        if request.out_of_band:
            self._out_of_band.add(response)
        else:
            self._active = response
            self._session.input.expect_until(None)
        response.start(self._run(response, items, unless_empty))

    async def _run(self, response: ActiveResponse, items: tuple[Item, ...], unless_empty: str | None) -> None:
        await response.run(self._answer(response, items, unless_empty))
        self._on_end(response)

    def _interrupt(self, response: ActiveResponse, reason: str, live: bool) -> None:
        response.interrupt(reason, live)
        self._on_end(response)

    def _on_end(self, response: ActiveResponse) -> None:
        self._on_response(response.stages)
        self._out_of_band.discard(response)
        if self._active is response:
            self._active = None
            self.playback.add(response.playback)
            self._session.input.expect_until(max(self._session.clock.audio(), response.playback.end.audio))
            self._start_next()

    def _start_next(self, waited: float = 0.0) -> None:
        if self._active is None and self._next is not None:
            request, self._next = self._next, None
            with self._next_span.active():
                self._start(request, self._unless_empty, waited)

    # --- what a response answers ---

    def _turn_input(self) -> ResponseInput:
        """What the turn under way is answered from, before its own words."""
        settings = self._session.settings()
        items = self._conversation.items_for(ResponseRequest(answering=settings.answering))
        return ResponseInput(items, settings.answering, settings.model)

    def _input_if_over(self) -> ResponseInput | None:
        """The same, if the turn gets an answer at once when it is over."""
        return self._turn_input() if self._session.settings().answers and self._active is None else None

    async def _answer(
        self, response: ActiveResponse, items: tuple[Item, ...], unless_empty: str | None
    ) -> Answer | None:
        """The answer to `items`, once their words are known; None where there is nothing to answer.

        Items that come meanwhile are not part of it.
        """
        if self.responder.needs_transcripts(items):
            items = await self._with_transcripts(response, items)
            if unless_empty is not None and any(item.id == unless_empty and item.silent for item in items):
                self.responder.drop_draft()
                if not awaits_answer(items):
                    return None
                items = tuple(item for item in items if item.id != unless_empty)
        answering, model = response.request.answering, self._session.settings().model
        return self.responder.respond(ResponseInput(items, answering, model))

    async def _with_transcripts(self, response: ActiveResponse, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """The items with their words, without those that were deleted meanwhile."""
        transcripts = self._session.transcripts
        waiting = [transcripts[item.id] for item in items if item.id in transcripts]
        for transcript in waiting:
            await asyncio.shield(transcript)
        if response.request.input is None:
            items = tuple(item for item in items if item.id in self._conversation)
        items = tuple([await self._with_transcript(item) for item in items])
        if waiting:
            response.mark_transcribed()
        return items

    async def _with_transcript(self, item: Item) -> Item:
        """The item as the conversation has it now, or an item of the response's own input with its words."""
        if item.id in self._conversation:
            return self._conversation.get(item.id)
        if (audio := untranscribed_audio(item)) is None:
            return item
        transcription = TurnTranscription(self._session.input.transcriber)
        return with_transcript(item, (await transcription.finish(audio)).text)
