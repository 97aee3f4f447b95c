"""A live conversation: commands in, events out, whatever the wire. It counts samples and looks at no clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from dataclasses import asdict
from functools import partial
from types import TracebackType
from typing import Self

from speechmlx.audio.pcm import to_pcm16
from speechmlx.conversation import commands as do
from speechmlx.conversation import events as say
from speechmlx.conversation.event_queue import COMMAND_MARK, EventQueue
from speechmlx.conversation.input.pipeline import CommitReason, InputPipeline, TooShort, UserTurn
from speechmlx.conversation.input.transcription import Transcript, TurnTranscription
from speechmlx.conversation.items.history import History, ItemExists, NoSuchItem
from speechmlx.conversation.items.item import Item, Part, place_unheard, retrieved, unanswered, unheard, worded
from speechmlx.conversation.llm.context import build_context
from speechmlx.conversation.llm.language_model import Writer, build_request
from speechmlx.conversation.response import speech_to_speech
from speechmlx.conversation.response.cascade import Piece, answer
from speechmlx.conversation.response.playback import PlaybackQueue
from speechmlx.conversation.response.preemptive import PreemptiveGeneration
from speechmlx.conversation.response.response import ActiveResponse
from speechmlx.conversation.settings import Answering, ResponseRequest, Settings
from speechmlx.conversation.warmup import ModelWarmup, meant
from speechmlx.errors import BadRequest, Busy, EngineFailed, SpeechError, Unsupported
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Audio, Generate, Kind

log = logging.getLogger(__name__)

INBOX = 32 * 1024 * 1024
"""Bytes of commands that may wait."""
MAX_OUT_OF_BAND = 4
"""Responses outside the conversation that may run at once."""


class Session:
    """`async with session:`, then `tell` it commands while `async for event in session.events()` runs beside.

    `write` is what writes answers: the runtime's language model, or an endpoint elsewhere.
    """

    def __init__(self, runtime: Runtime, settings: Settings, write: Writer | None = None) -> None:
        self.settings = settings
        self.history = History()
        self._runtime = runtime
        self._write = write or runtime.submit
        self._local = write is None
        self._inbox: asyncio.Queue[do.Command] = asyncio.Queue()
        self._waiting = 0
        self._room = asyncio.Event()
        self._outbox = EventQueue()
        self._listening = InputPipeline(runtime, settings, self)
        self._active: ActiveResponse | None = None
        self._playing = PlaybackQueue()
        self._out_of_band: set[ActiveResponse] = set()
        self._next: ResponseRequest | None = None
        """What a turn asked for while another response was under way."""
        self._unless_empty: str | None = None
        self._words: dict[str, asyncio.Task[str]] = {}
        self._warming = ModelWarmup(runtime)
        self._ahead = PreemptiveGeneration(runtime, self._write)

    async def __aenter__(self) -> Self:
        self._working = asyncio.create_task(self._work())
        self._runtime.metrics.sessions += 1
        self._warming.begin(Kind.VAD, Kind.ASR, *self._answering_kinds())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runtime.metrics.sessions -= 1
        self._outbox.close()
        self._working.cancel()
        await asyncio.gather(self._working, return_exceptions=True)
        await self._ahead.close()
        for response in [self._active, *self._out_of_band]:
            if response is not None:
                await response.close()
        await self._listening.close()
        await self._warming.close()
        tasks = list(self._words.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def events(self) -> AsyncIterator[say.Event]:
        """Everything said, in order, once; one reader."""
        return aiter(self._outbox)

    def close(self) -> None:
        """Say nothing more: `events` ends after what was said."""
        self._outbox.close()

    async def tell(self, command: do.Command) -> None:
        """The next command; its effects come in order, and later while a model is being loaded.

        Waits only when INBOX bytes wait already: a socket that is not read answers no pings either.
        """
        while self._waiting >= INBOX:
            self._room.clear()
            await self._room.wait()
        self._waiting += _size(command)
        self._inbox.put_nowait(command)

    async def _work(self) -> None:
        while True:
            command = await self._inbox.get()
            self._waiting -= _size(command)
            self._room.set()
            await self._outbox.room(COMMAND_MARK)
            await self._obey(command)

    async def _obey(self, command: do.Command) -> None:
        try:
            await self._do(command)
        except ItemExists as error:
            self._refuse(error, "item_exists", command)
        except NoSuchItem as error:
            self._refuse(error, f"no_such_item_{type(command).__name__}", command)
        except TooShort as error:
            self._refuse(error, "too_short", command)
        except SpeechError as error:
            self._refuse(error, error.code, command)
        except Exception:
            log.exception("%s failed", type(command).__name__)
            self._refuse(EngineFailed("the server failed on this message; its log has more"), "engine_failed", command)

    async def _do(self, command: do.Command) -> None:
        match command:
            case do.Append():
                await self._listening.push(command.audio)
            case do.Lapse():
                await self._listening.lapse()
            case do.Configure():
                await self._listening.configure(command.settings)
                self.settings = command.settings
                if self.settings.turns is not None and self.settings.turns.eagerness:
                    self._warming.begin(Kind.TURN)
                self._say(say.Configured(command.note))
            case do.Commit():
                await self._listening.commit()
            case do.Clear():
                await self._listening.clear()
                self._ahead.drop()
                self._say(say.Cleared())
            case do.AddItem():
                before = self.history.add(command.item, command.after)
                self._say(say.ItemAdded(command.item, before))
                self._hear_item(command.item)
            case do.RetrieveItem():
                self._say(say.ItemRetrieved(await asyncio.to_thread(retrieved, self.history.get(command.id))))
            case do.DeleteItem():
                self.history.delete(command.id)
                self._say(say.ItemDeleted(command.id))
            case do.TruncateItem():
                self._truncate(command)
            case do.Respond():
                await self._asked(command)
            case do.Cancel():
                self._cancel(command)
            case do.Say():
                self._say(command.event)

    # --- models ---

    def _answering_kinds(self) -> tuple[Kind, ...]:
        if self.settings.transcribes_only:
            return ()
        if speech_to_speech.possible(self._runtime):
            return (Kind.S2S,)
        return (Kind.LLM, Kind.TTS) if self._local else (Kind.TTS,)

    # --- what the listening half tells ---

    def started(self, item: str, at: float) -> None:
        self._say(say.SpeechStarted(item, at))
        if self.settings.answers and self._local and not speech_to_speech.possible(self._runtime):
            self._ahead.read(self.settings.answering, self._asked_if)
        turns = self.settings.turns
        if turns is not None and turns.interrupts:
            self._next = None
            if self._active is not None:
                self._active.interrupt("turn_detected", live=True)
            self._playing.stop(self.history)

    def paused(self, guessed: Awaitable[Transcript]) -> None:
        self._ahead.begin(self.settings.answering, guessed, self._asked_if_over)

    def resumed(self) -> None:
        self._ahead.drop()

    def stopped(self, item: str, at: float) -> None:
        self._say(say.SpeechStopped(item, at))

    def idle(self, item: str, start: float, at: float) -> None:
        self._say(say.IdleTimedOut(item, start, at))

    def heard(self, turn: UserTurn, audio: Audio, by: CommitReason, silence: float) -> None:
        part = Part("audio", None, to_pcm16(audio.samples), audio.rate, audio.duration)
        item = Item(id=turn.item, parts=(part,))
        before = self.history.add(item)
        self._say(say.Committed(item.id, before))
        self._say(say.ItemAdded(item, before))
        self._listen_to(item, turn.hearing, audio)
        if not self.settings.answers or by == "hand":
            return
        self._next = ResponseRequest(answering=self.settings.answering)
        self._unless_empty = item.id if by == "speech" else None
        self._start_next(silence)

    def said(self, item: str, text: str, part: int = 0) -> None:
        if self.settings.transcription is not None:
            self._say(say.TranscriptDelta(item, text, part))

    def failed(self, error: SpeechError) -> None:
        self._say(say.Failed(error, error.code))

    # --- words ---

    def _hear_item(self, item: Item) -> None:
        """A client may put a recording into the conversation, with or without its words."""
        if (audio := unheard(item)) is not None:
            part = place_unheard(item)
            hearing = TurnTranscription(self._listening.recogniser, lambda text: self.said(item.id, text, part))
            self._listen_to(item, hearing, audio)

    def _listen_to(self, item: Item, hearing: TurnTranscription, audio: Audio) -> None:
        task = asyncio.create_task(self._recognise(item, hearing, audio))
        self._words[item.id] = task
        task.add_done_callback(partial(self._recognised, item.id, hearing))

    def _recognised(self, item: str, hearing: TurnTranscription, task: asyncio.Task[str]) -> None:
        """What failed was told, and by the answers that wait: for later ones the turn is inaudible."""
        hearing.cancel()
        self._words.pop(item, None)
        if not task.cancelled():
            task.exception()

    async def _recognise(self, item: Item, hearing: TurnTranscription, audio: Audio) -> str:
        """The words of a turn, into the history and to the client. Raises SpeechErrors, told already."""
        told, part = self.settings.transcription is not None, place_unheard(item)
        try:
            words = await hearing.finish(audio)
        except Exception as error:
            if not isinstance(error, SpeechError):
                log.exception("recognising %s failed", item.id)
                error = EngineFailed(f"recognition failed: {type(error).__name__}")
            if told:
                self._say(say.TranscriptFailed(item.id, error, part))
            raise error from None
        self.history.replace(worded(item, words.text))
        if told:
            logprobs = words.logprobs if self._listening.recogniser.settings.logprobs else None
            self._say(say.TranscriptDone(item.id, words.text, audio.duration, part, words.language, logprobs))
        return words.text

    def _asked_if(self, words: str) -> Generate:
        """What the language model is asked, when these are the words of the turn."""
        answering = self.settings.answering
        turn = Item(id="", parts=(Part("audio", words),))
        return self._request(answering, (*self._context(ResponseRequest(answering=answering)), turn))

    def _asked_if_over(self, words: str) -> Generate | None:
        """The same, if the turn is to be answered so and a response is not under way already."""
        wanted = self.settings.answers and self._active is None and not speech_to_speech.possible(self._runtime)
        return self._asked_if(words) if wanted else None

    # --- responses ---

    async def _asked(self, command: do.Respond) -> None:
        plan = command.plan
        if self.settings.transcribes_only:
            self._refuse(Unsupported("a transcription session gives no responses"), "transcribes_only", command)
            return
        if plan.out_of_band and len(self._out_of_band) >= MAX_OUT_OF_BAND:
            self._refuse(Busy(f"{MAX_OUT_OF_BAND} responses outside the conversation run already"), "busy", command)
            return
        if self._taken(command):
            return
        self._context(plan)  # raises NoSuchItem now, not in the response
        if command.commits and not self._unanswered():
            if await self._listening.spoken():
                await self._listening.commit()
            if self._taken(command):  # by a turn that was found meanwhile
                return
        self._start(plan)

    def _taken(self, command: do.Respond) -> bool:
        """Whether another response is under way; the client is told."""
        if command.plan.out_of_band or self._active is None:
            return False
        message = (
            f"Conversation already has an active response in progress: {self._active.id}. Wait until the response "
            "is finished before creating a new one."
        )
        self._refuse(BadRequest(message), "active_response", command)
        return True

    def _unanswered(self) -> bool:
        """Whether what was said last waits for an answer."""
        last = next(reversed(list(self.history)), None)
        return last is not None and (last.role == "user" or last.kind == "output")

    def _start(self, plan: ResponseRequest, unless_empty: str | None = None, waited: float = 0.0) -> None:
        asked = self._context(plan)
        pieces = partial(self._pieces, plan, unless_empty, asked)
        after = asked[-1].id if asked and plan.input is None else None
        tape, until = self._listening.tape, self._playing.until
        response = ActiveResponse(
            plan, self._outbox, self.history, pieces, lambda: tape.end, self._over, after, until, waited
        )
        if plan.out_of_band:
            self._out_of_band.add(response)
        else:
            self._active = response
            self._listening.expect_until(None)

    def _start_next(self, waited: float = 0.0) -> None:
        if self._active is None and self._next is not None:
            plan, self._next = self._next, None
            self._start(plan, self._unless_empty, waited)

    def _over(self, response: ActiveResponse) -> None:
        self._runtime.metrics.response(asdict(response.stages))
        self._out_of_band.discard(response)
        if self._active is response:
            self._active = None
            self._playing.add(response)
            self._listening.expect_until(max(self._listening.tape.end, response.played_until[0]))
            self._start_next()

    async def _pieces(
        self, plan: ResponseRequest, unless_empty: str | None, items: tuple[Item, ...], response: ActiveResponse
    ) -> AsyncGenerator[Piece, None] | None:
        """The answer's pieces, once all that was said is known; None when nothing was said.

        `items` are those that it answers: what is said meanwhile is none of them.
        """
        asked_aloud = speech_to_speech.question(self._runtime, items)
        if asked_aloud is not None:
            response.audio_in = asked_aloud.duration
            return speech_to_speech.answer(self._runtime, asked_aloud, plan.answering)
        waiting = [self._words[item.id] for item in items if item.id in self._words]
        for words in waiting:
            await asyncio.shield(words)
        if plan.input is None:
            items = tuple(item for item in items if item.id in self.history)  # none that were deleted meanwhile
        items = tuple([await self._worded(item) for item in items])
        response.audio_in = sum(part.seconds for item in items if item.role == "user" for part in item.parts)
        if waiting:
            response.transcribed()
        if unless_empty is not None and any(item.id == unless_empty and item.silent for item in items):
            self._ahead.drop()
            if not unanswered(items):
                return None
            items = tuple(item for item in items if item.id != unless_empty)
        asked = self._request(plan.answering, items)
        drafted = self._ahead.take(asked, plan.answering)
        return drafted or answer(self._runtime, self._write, asked, plan.answering)

    async def _worded(self, item: Item) -> Item:
        """An item with its words: as the conversation has it now, or one of the response's own input."""
        if item.id in self.history:
            return self.history.get(item.id)
        if (audio := unheard(item)) is None:
            return item
        words = await TurnTranscription(self._listening.recogniser, lambda said: None).finish(audio)
        return worded(item, words.text)

    def _request(self, answering: Answering, items: tuple[Item, ...]) -> Generate:
        model = meant(self._runtime, self.settings.model, Kind.LLM).name if self._local else None
        return build_request(answering, build_context(items, "", answering.forgets), model)

    def _context(self, plan: ResponseRequest) -> tuple[Item, ...]:
        if plan.input is None:
            return tuple(item for item in self.history if item.status != "in_progress")
        return tuple(self.history.get(one) if isinstance(one, str) else one for one in plan.input)

    def _cancel(self, command: do.Cancel) -> None:
        running = [self._active, *self._out_of_band] if command.response else [self._active]
        for response in running:
            if response is not None and command.response in (None, response.id):
                response.interrupt("client_cancelled", live=self.settings.turns is not None)
                return
        self._refuse(BadRequest("Cancellation failed: no active response found"), "no_active_response", command)

    def _truncate(self, command: do.TruncateItem) -> None:
        item = self.history.get(command.id, "truncating")
        last = max(1, len(item.parts)) - 1
        if not 0 <= command.part <= last:
            told = f"Error truncating item: the item with id '{item.id}' has no content part {command.part}, only 0"
            self._refuse(BadRequest(told + (f" to {last}" if last else "")), "no_such_part", command)
            return
        at = self._active.truncate(command.id, command.seconds) if self._active is not None else None
        if at is None:
            if item.playout is None:
                self._refuse(BadRequest("Only model output audio messages can be truncated"), "not_spoken", command)
                return
            _, at = self.history.truncate(command.id, command.seconds)
            self._playing.known(item.playout)
        self._say(say.ItemTruncated(command.id, at))

    def _say(self, event: say.Event) -> None:
        self._outbox.put(event)

    def _refuse(self, error: SpeechError, code: str, command: do.Command) -> None:
        self._say(say.Failed(error, code, ref=command.ref))


def _size(command: do.Command) -> int:
    """Bytes, about."""
    return 256 + (len(command.audio) if isinstance(command, do.Append) else 0)
