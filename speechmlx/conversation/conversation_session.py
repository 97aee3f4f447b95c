"""ConversationSession: a TranscriptionSession whose turns become items of a conversation, and are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self

from speechmlx.audio.pcm import to_pcm16
from speechmlx.conversation import commands
from speechmlx.conversation.conversation_start import NEW, ConversationStart
from speechmlx.conversation.engines import Engines
from speechmlx.conversation.errors import NoActiveResponse, NoSuchPart, TranscribesOnly
from speechmlx.conversation.events import Committed, ItemAdded, ItemDeleted, ItemRetrieved, ItemTruncated, Stages
from speechmlx.conversation.input.buffer import BEGINNING, InputStart
from speechmlx.conversation.input.pipeline import CommitReason, UserTurn
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.input.transcription import TurnTranscription
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.items.item import Item, Part, at_retrieved_rate, untranscribed_audio, untranscribed_part
from speechmlx.conversation.llm.language_model import LanguageModel
from speechmlx.conversation.response.responder import choose_responder
from speechmlx.conversation.response.responses import Responses, SessionParts
from speechmlx.conversation.session import MAX_PENDING, TranscriptionSession
from speechmlx.conversation.settings import Settings
from speechmlx.conversation.turn_trace import begin_turn
from speechmlx.types import Audio, Kind

MAX_RECORD = 256
"""Items that a session keeps which only transcribes."""


class ConversationSession(TranscriptionSession):
    """`write` writes answers: the local language model (None), or an endpoint elsewhere.

    A session whose settings say `transcribes_only` constructs nothing of answers. It keeps the last MAX_RECORD items,
    for wires on which clients look them up. `on_response` gets the stages of each response that ended. `begun`: what
    another server has begun of the conversation.
    """

    def __init__(
        self,
        engines: Engines,
        settings: Settings,
        write: LanguageModel | None = None,
        on_response: Callable[[Stages], None] = lambda stages: None,
        wall: Callable[[], float] = time.monotonic,
        start: InputStart = BEGINNING,
        begun: ConversationStart = NEW,
    ) -> None:
        super().__init__(engines, settings, wall, start=start)
        self._conversation = Conversation(begun.items)
        self._begun = begun
        self._returning = frozenset(start.items)
        """Turns that come again."""
        self._responses: Responses | None = None
        if not settings.transcribes_only:
            parts = SessionParts(
                self._queue, self._conversation, self._input, self._clock, self._transcripts, lambda: self.settings
            )
            self._responses = Responses(parts, choose_responder(engines, write, self._clock), on_response)

    async def __aenter__(self) -> Self:
        begun, self._begun = self._begun, NEW
        for event in begun.ends:
            self._emit(event)
        await super().__aenter__()
        if begun.unanswered is not None and self._responses is not None and self.settings.answers:
            self._responses.answer_turn(begun.unanswered, 0.0, may_be_empty=True)
        return self

    @property
    def items(self) -> tuple[Item, ...]:
        """The conversation so far, in order."""
        return self._conversation.items

    async def _execute(self, command: commands.Command) -> None:
        match command:
            case commands.AddItem():
                await self._transcripts_at_most(MAX_PENDING)
                before = self._conversation.add(command.item, command.after)
                self._carried_out(command)
                self._emit(ItemAdded(command.item, before))
                self._bound_record()
                self._transcribe_item(command.item)
            case commands.RetrieveItem():
                item = self._conversation.get(command.id)
                self._emit(ItemRetrieved(await asyncio.to_thread(at_retrieved_rate, item)))
            case commands.DeleteItem():
                self._conversation.delete(command.id)
                self._carried_out(command)
                self._emit(ItemDeleted(command.id))
            case commands.TruncateItem():
                self._truncate(command)
            case commands.CreateResponse():
                if self._responses is None:
                    raise TranscribesOnly()
                await self._responses.request(command, partial(self._carried_out, command))
            case commands.Cancel():
                if self._responses is None or not self._responses.can_cancel(command.response):
                    raise NoActiveResponse()
                self._carried_out(command)
                self._responses.cancel(command.response)
            case _:
                await super()._execute(command)
                if isinstance(command, commands.Clear) and self._responses is not None:
                    self._responses.responder.drop_draft()

    async def _close(self) -> None:
        if self._responses is not None:
            await self._responses.close()

    def _release(self) -> None:
        super()._release()
        self._conversation.clear()

    async def _finish_answers(self) -> None:
        if self._responses is not None:
            await self._responses.finished()

    def _answering_kinds(self) -> tuple[Kind, ...]:
        return () if self._responses is None else self._responses.responder.kinds

    # --- InputObserver ---

    def turn_started(self, item: str, at: float) -> None:
        super().turn_started(item, at)
        if self._responses is not None:
            self._responses.on_turn_started()

    def turn_paused(self, item: str, since: float, at: float, guess: Awaitable[Transcript] | None) -> None:
        super().turn_paused(item, since, at, guess)
        if self._responses is not None and guess is not None:
            self._responses.on_turn_paused(guess)

    def turn_resumed(self, item: str) -> None:
        super().turn_resumed(item)
        if self._responses is not None:
            self._responses.responder.drop_draft()

    def turn_committed(self, turn: UserTurn, audio: Audio, reason: CommitReason, silence: float) -> None:
        part = Part("audio", None, to_pcm16(audio.samples), audio.rate, audio.duration)
        item = Item(id=turn.item, parts=(part,))
        again = item.id in self._returning and item.id in self._conversation
        previous = self._conversation.return_turn(item) if again else self._conversation.add_turn(item)
        answered = again and self._conversation.is_answered(item.id)
        self._emit_pending(turn)
        self._emit(Committed(item.id, previous))
        self._emit(ItemAdded(item, previous))
        self._bound_record()
        span = begin_turn(item.id, silence, audio.duration)
        with span.active():
            self._transcribe(item.id, turn.transcription, audio, span=span)
            if self._responses is not None and self.settings.answers and reason != "client" and not answered:
                self._responses.answer_turn(item.id, silence, may_be_empty=reason == "speech")

    # --- items ---

    def _bound_record(self) -> None:
        """Drop the oldest items of a session that only transcribes: it may last for days."""
        if self._responses is None:
            for item in self._conversation.items[:-MAX_RECORD]:
                self._conversation.delete(item.id)

    def _transcribe_item(self, item: Item) -> None:
        """Transcribe a recording that the client put into the conversation without its words."""
        if (audio := untranscribed_audio(item)) is not None:
            part = untranscribed_part(item)
            on_update = partial(self.transcript_updated, item.id, part=part)
            self._transcribe(item.id, TurnTranscription(self._input.transcriber, on_update), audio, part)

    def _transcript_known(self, item: str, transcript: Transcript) -> None:
        self._conversation.set_transcript(item, transcript.text)

    def _truncate(self, command: commands.TruncateItem) -> None:
        item = self._conversation.get(command.id, "truncate")
        last = max(1, len(item.parts)) - 1
        if not 0 <= command.part <= last:
            raise NoSuchPart(item.id, command.part, last)
        at = None if self._responses is None else self._responses.truncate_active(command.id, command.seconds)
        if at is None:
            at = self._conversation.truncate(command.id, command.seconds)
            if self._responses is not None:
                self._responses.playback.remove(item.id)
        self._carried_out(command)
        self._emit(ItemTruncated(command.id, at))

    def _carried_out(self, command: commands.NumberedCommand) -> None:
        """The next event tells that the command is carried out."""
        if command.number:
            self._marked = max(self._marked or 0, command.number)
            self._emit_settled()
