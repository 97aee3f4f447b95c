"""The responses of a conversation: which runs, which comes next, and what a new turn does to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from speechmlx.conversation import commands
from speechmlx.conversation.clock import Clock
from speechmlx.conversation.engines import Engines, model_or_default
from speechmlx.conversation.errors import NoSuchItem, ResponseActive, TooManyResponses
from speechmlx.conversation.event_queue import EventQueue
from speechmlx.conversation.events import Stages
from speechmlx.conversation.input.pipeline import InputPipeline
from speechmlx.conversation.input.transcription import Transcript, TurnTranscription
from speechmlx.conversation.items.history import History
from speechmlx.conversation.items.item import Item, Part, unanswered, unheard, worded
from speechmlx.conversation.llm.context import build_context
from speechmlx.conversation.llm.language_model import LanguageModel, build_request
from speechmlx.conversation.response import speech_to_speech
from speechmlx.conversation.response.cascade import Piece, answer
from speechmlx.conversation.response.playback import PlaybackQueue
from speechmlx.conversation.response.preemptive import PreemptiveGeneration
from speechmlx.conversation.response.response import ActiveResponse
from speechmlx.conversation.settings import Answering, ResponseRequest, Settings
from speechmlx.types import Generate, Kind

MAX_OUT_OF_BAND = 4
"""Out-of-band responses that may run at once."""


@dataclass(frozen=True)
class Conversation:
    """What responses share with their session."""

    engines: Engines
    queue: EventQueue
    history: History
    input: InputPipeline
    clock: Clock
    transcripts: Mapping[str, asyncio.Task[str]]
    """By item, the transcripts that are not known yet."""
    settings: Callable[[], Settings]


class Responses:
    """`write` writes answers: the local language model (None), or an endpoint elsewhere."""

    def __init__(
        self, conversation: Conversation, write: LanguageModel | None, on_response: Callable[[Stages], None]
    ) -> None:
        self.playback = PlaybackQueue()
        self._conversation = conversation
        self._engines = conversation.engines
        self._history = conversation.history
        self._write: LanguageModel = write or conversation.engines.submit
        self._is_local = write is None
        self._on_response = on_response
        self.preemptive = PreemptiveGeneration(conversation.engines, self._write)
        self._speaks_directly = speech_to_speech.possible(conversation.engines)
        self._active: ActiveResponse | None = None
        self._out_of_band: set[ActiveResponse] = set()
        self._next: ResponseRequest | None = None
        """What a turn asked for while another response was under way."""
        self._unless_empty: str | None = None
        """The item whose turn asked for `_next`: without words in it there is nothing to answer."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of models that answers need."""
        if self._speaks_directly:
            return (Kind.S2S,)
        return (Kind.LLM, Kind.TTS) if self._is_local else (Kind.TTS,)

    async def close(self) -> None:
        """End every response without an event."""
        await self.preemptive.close()
        for response in [self._active, *self._out_of_band]:
            if response is not None:
                await response.close()

    async def finished(self) -> None:
        """Wait until no response runs or waits."""
        while running := [response for response in (self._active, *self._out_of_band) if response is not None]:
            await asyncio.gather(*(response.finished() for response in running))

    # --- turns ---

    def on_turn_started(self) -> None:
        """Read the prompt of the answer to come, and stop the answer that is being played."""
        settings = self._conversation.settings()
        if settings.answers and self._is_local and not self._speaks_directly:
            self.preemptive.read(settings.answering, self._request_for)
        turns = settings.turns
        if turns is not None and turns.interrupts:
            self._next = None
            if self._active is not None:
                self._active.interrupt("turn_detected", live=True)
            self.playback.stop(self._history)

    def on_turn_paused(self, guess: Awaitable[Transcript]) -> None:
        """Begin the answer to a turn that may be over."""
        self.preemptive.begin(self._conversation.settings().answering, guess, self._preemptive_request)

    def answer_turn(self, item: str, silence: float, may_be_empty: bool) -> None:
        """Answer a committed turn, now or after the response under way. `silence`: seconds since the last speech."""
        self._next = ResponseRequest(answering=self._conversation.settings().answering)
        self._unless_empty = item if may_be_empty else None
        self._start_next(silence)

    # --- commands ---

    async def request(self, command: commands.Respond) -> None:
        """Start the response that the client asks for.

        Raises ResponseActive, TooManyResponses and NoSuchItem.
        """
        request = command.plan
        if request.out_of_band and len(self._out_of_band) >= MAX_OUT_OF_BAND:
            raise TooManyResponses(MAX_OUT_OF_BAND)
        self._check_idle(request)
        self._context(request)  # raises NoSuchItem now, not in the response
        if command.commits and not self._is_answer_due():
            if await self._conversation.input.has_speech():
                await self._conversation.input.commit()
            self._check_idle(request)  # a turn may have ended meanwhile
        self._start(request)

    def cancel(self, id: str | None) -> bool:
        """Stop the response called `id`, or (None) that of the conversation. False: there is none."""
        running = [self._active, *self._out_of_band] if id else [self._active]
        for response in running:
            if response is not None and id in (None, response.id):
                response.interrupt("client_cancelled", live=self._conversation.settings().turns is not None)
                return True
        return False

    def truncate_active(self, item: str, seconds: float) -> float | None:
        """Cut `item` to its first `seconds` while it is being spoken; None: it is not."""
        return self._active.truncate(item, seconds) if self._active is not None else None

    def _check_idle(self, request: ResponseRequest) -> None:
        if not request.out_of_band and self._active is not None:
            raise ResponseActive(self._active.id)

    def _is_answer_due(self) -> bool:
        """Whether the last item waits for an answer."""
        last = next(reversed(list(self._history)), None)
        return last is not None and (last.role == "user" or last.kind == "output")

    # --- one response after the other ---

    def _start(self, request: ResponseRequest, unless_empty: str | None = None, waited: float = 0.0) -> None:
        context = self._context(request)
        pieces = partial(self._pieces, request, unless_empty, context)
        after = context[-1].id if context and request.input is None else None
        audio_time, until = self._conversation.clock.audio, self.playback.until
        response = ActiveResponse(
            request, self._conversation.queue, self._history, pieces, audio_time, self._on_end, after, until, waited
        )
        if request.out_of_band:
            self._out_of_band.add(response)
        else:
            self._active = response
            self._conversation.input.expect_until(None)

    def _start_next(self, waited: float = 0.0) -> None:
        if self._active is None and self._next is not None:
            request, self._next = self._next, None
            self._start(request, self._unless_empty, waited)

    def _on_end(self, response: ActiveResponse) -> None:
        self._on_response(response.stages)
        self._out_of_band.discard(response)
        if self._active is response:
            self._active = None
            self.playback.add(response)
            self._conversation.input.expect_until(max(self._conversation.clock.audio(), response.played_until[0]))
            self._start_next()

    # --- what a response answers ---

    async def _pieces(
        self, request: ResponseRequest, unless_empty: str | None, items: tuple[Item, ...], response: ActiveResponse
    ) -> AsyncGenerator[Piece, None] | None:
        """The answer's pieces, once every transcript is known; None when there is nothing to answer.

        `items` are those that it answers: later items are not among them.
        """
        question = speech_to_speech.question(self._engines, items)
        if question is not None:
            response.audio_in = question.duration
            return speech_to_speech.answer(self._engines, question, request.answering)
        transcripts = self._conversation.transcripts
        waiting = [transcripts[item.id] for item in items if item.id in transcripts]
        for transcript in waiting:
            await asyncio.shield(transcript)
        if request.input is None:
            items = tuple(item for item in items if item.id in self._history)  # none that were deleted meanwhile
        items = tuple([await self._transcribed(item) for item in items])
        response.audio_in = sum(part.seconds for item in items if item.role == "user" for part in item.parts)
        if waiting:
            response.transcribed()
        if unless_empty is not None and any(item.id == unless_empty and item.silent for item in items):
            self.preemptive.drop()
            if not unanswered(items):
                return None
            items = tuple(item for item in items if item.id != unless_empty)
        asked = self._generate(request.answering, items)
        drafted = self.preemptive.take(asked, request.answering)
        return drafted or answer(self._engines, self._write, asked, request.answering)

    async def _transcribed(self, item: Item) -> Item:
        """An item with its words: as the conversation has it now, or one of the response's own input."""
        if item.id in self._history:
            return self._history.get(item.id)
        if (audio := unheard(item)) is None:
            return item
        transcriber = self._conversation.input.transcriber
        transcript = await TurnTranscription(transcriber).finish(audio)
        return worded(item, transcript.text)

    def _request_for(self, words: str) -> Generate:
        """What the language model is asked when `words` are those of the turn under way."""
        answering = self._conversation.settings().answering
        turn = Item(id="", parts=(Part("audio", words),))
        return self._generate(answering, (*self._context(ResponseRequest(answering=answering)), turn))

    def _preemptive_request(self, words: str) -> Generate | None:
        """The same, if the turn will be answered so and no response is under way."""
        wanted = self._conversation.settings().answers and self._active is None and not self._speaks_directly
        return self._request_for(words) if wanted else None

    def _generate(self, answering: Answering, items: tuple[Item, ...]) -> Generate:
        name = self._conversation.settings().model
        model = model_or_default(self._engines, name, Kind.LLM).name if self._is_local else None
        return build_request(answering, build_context(items, "", answering.forgets), model)

    def _context(self, request: ResponseRequest) -> tuple[Item, ...]:
        """Raises NoSuchItem."""
        if request.input is None:
            return tuple(item for item in self._history if item.status != "in_progress")
        try:
            return tuple(self._history.get(one) if isinstance(one, str) else one for one in request.input)
        except NoSuchItem as error:
            raise NoSuchItem(error.item, "reference") from None
