"""TranscriptionSession: audio in, turns and their transcripts out. ConversationSession answers on top of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Self

from speechmlx import tracing
from speechmlx.conversation import commands
from speechmlx.conversation.clock import Clock
from speechmlx.conversation.engines import Engines
from speechmlx.conversation.event_queue import COMMAND_MARK, EventQueue
from speechmlx.conversation.events import (
    Advanced,
    Cleared,
    Committed,
    Configured,
    Event,
    Failed,
    Flushed,
    IdleTimedOut,
    Settled,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
)
from speechmlx.conversation.input.buffer import BEGINNING, InputStart
from speechmlx.conversation.input.pipeline import CommitReason, InputPipeline, UserTurn
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.conversation.input.transcription import TurnTranscription
from speechmlx.conversation.llm.language_model import LanguageModel
from speechmlx.conversation.settings import Settings
from speechmlx.conversation.translation import TranslationRequest, TurnTranslator
from speechmlx.conversation.turn_trace import begin_turn
from speechmlx.conversation.warmup import ModelWarmup, Need
from speechmlx.errors import EngineFailed, SpeechError, Unsupported
from speechmlx.runtime.channel import Channel
from speechmlx.types import Audio, Kind

log = logging.getLogger(__name__)

MAX_WAITING = 32 * 1024 * 1024
"""Bytes of commands that may wait for their turn."""


MAX_PENDING = 8
"""Transcripts that may be found while more commands are taken: a client that sends faster waits."""
LARGE = 64 * 1024
"""Bytes of a message whose command waits until its client has taken every event."""


class TranscriptionSession:
    """Use it with `async with`; `send` it commands while another task iterates over `events()`.

    Nothing that it keeps grows with the length of the session. `wall` is a monotonic clock in seconds. `write` is a
    language model elsewhere, for translations; None: the local one. `start`: where a session goes on that another
    server has begun.
    """

    def __init__(
        self,
        engines: Engines,
        settings: Settings,
        wall: Callable[[], float] = time.monotonic,
        write: LanguageModel | None = None,
        start: InputStart = BEGINNING,
    ) -> None:
        self.settings = settings
        self._engines = engines
        self._commands: Channel[commands.Command] = Channel(MAX_WAITING, _size)
        self._queue = EventQueue()
        self._input = InputPipeline(engines, settings, self, start)
        self._clock = Clock(lambda: self._input.buffer.end, wall)
        self._warmup = ModelWarmup(engines)
        self._transcripts: dict[str, asyncio.Task[str]] = {}
        """By item, the transcripts that are not known yet."""
        self._translator = TurnTranslator(engines, write, self._emit)
        self._starts: dict[str, float] = {}
        """By item, in order: where turns begin whose transcripts are not told, in seconds into the session."""
        self._marked: int | None = None
        """Number of the last Mark."""
        self._last_turn: str | None = None
        self._reported = start.at
        """Seconds into the session of the newest Advanced event."""
        self._is_paused = False
        """Whether the turn under way paused and did not resume."""

    async def __aenter__(self) -> Self:
        self._working = asyncio.create_task(self._work())
        self._warmup.begin(*self._needs())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._queue.end()
        self._working.cancel()
        await asyncio.gather(self._working, return_exceptions=True)
        await self._close()
        await self._input.close()
        await self._warmup.close()
        tasks = list(self._transcripts.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._translator.close()
        self._release()

    def _release(self) -> None:
        """Let go of what is large: the session and its parts refer to each other, and wait for the collector."""
        del self._working  # and with it what it last worked on
        self._commands.clear()
        self._queue.clear()

    def watch_decoded(self, on_decoded: Callable[[float], None]) -> None:
        """Call it with the seconds of audio that come out of a container. A SpeechError of it refuses the rest."""
        self._input.watch_decoded(on_decoded)

    def events(self) -> AsyncIterator[Event]:
        """Every event, in order. For one reader."""
        return aiter(self._queue)

    @property
    def unread(self) -> float:
        """How many events the reader has not taken."""
        return self._queue.waiting

    def close(self) -> None:
        """Emit nothing more: `events` ends after what waits."""
        self._queue.end()

    @property
    def clock(self) -> Clock:
        """The time of the session."""
        return self._clock

    async def send(self, command: commands.Command) -> None:
        """Queue a command. Commands take effect in order, later while a model is being loaded.

        Waits only while MAX_WAITING bytes wait: a socket that is not read answers no pings either.
        """
        await self._commands.send(command)

    async def _work(self) -> None:
        async for command in self._commands:
            is_large = command.nbytes > LARGE and not isinstance(command, commands.Append)
            await self._queue.room(1 if is_large else COMMAND_MARK)
            await self._handle(command)
            await asyncio.sleep(0)  # a client that sends many leaves others their turn

    async def _handle(self, command: commands.Command) -> None:
        try:
            await self._execute(command)
        except SpeechError as error:
            self._refuse(error, error.code, command)
        except Exception:
            log.exception("%s failed", type(command).__name__)
            self._refuse(EngineFailed("the server failed on this message; its log has more"), "engine_failed", command)

    async def _execute(self, command: commands.Command) -> None:
        match command:
            case commands.Append():
                await self._transcripts_at_most(MAX_PENDING)
                await self._input.push(command.audio)
            case commands.Lapse():
                await self._input.lapse()
            case commands.Configure():
                await self._input.configure(command.settings)
                self.settings = command.settings
                if self.settings.turns is not None and self.settings.turns.eagerness:
                    self._warmup.begin(Kind.TURN)
                self._emit(Configured(command.note))
            case commands.Commit():
                await self._transcripts_at_most(MAX_PENDING)
                await self._input.commit()
            case commands.Clear():
                await self._input.clear()
                self._emit(Cleared())
            case commands.Flush():
                await self._input.flush()
                self._emit(Flushed())
            case commands.Finish():
                await self._finish()
            case commands.Mark():
                self._marked = command.number
                self._emit_settled()
            case commands.Emit():
                self._emit(command.event)
            case _:
                raise Unsupported(f"a transcription session has no {type(command).__name__}")

    def _needs(self) -> tuple[Need, ...]:
        """The models that the session loads when it begins."""
        return (Kind.VAD, *self._recognisers(), *self._answering_kinds())

    def _recognisers(self) -> tuple[Need, ...]:
        """The model of live words, and that of turns which are recognised whole, as far as the settings need them."""
        transcriber, transcription = self._input.transcriber, self.settings.transcription
        whole = self.settings.answers or transcription is None or transcription.whole or transcription.logprobs
        live = (lambda: transcriber.live_model,) if transcriber.live else ()
        return (*live, *((lambda: transcriber.model,) if whole else ()))

    # --- what a conversation adds ---

    def _answering_kinds(self) -> tuple[Kind, ...]:
        """The kinds of models that answers need."""
        return ()

    async def _close(self) -> None:
        """End what the subclass has under way."""

    async def _finish(self) -> None:
        """End the input, wait for every transcript, then end the events."""
        try:
            await self._input.finish()
        except SpeechError as error:
            self.input_failed(error)
        await self._transcripts_at_most(0)
        await self._translator.finish()
        await self._finish_answers()
        if self.settings.progress is not None:
            end = self._input.buffer.end
            self._emit(Advanced(end, end, end, False))
        self._queue.end()

    async def _finish_answers(self) -> None:
        """Wait for what answers the last turn."""

    # --- InputObserver: what the pipeline reports ---

    def turn_started(self, item: str, at: float) -> None:
        self._warmup.touch()
        self._emit_settled()
        self._emit(SpeechStarted(item, at))

    def turn_paused(self, item: str, since: float, at: float, guess: Awaitable[Transcript] | None) -> None:
        self._is_paused = True
        self._emit(SpeechPaused(item, since, at))

    def turn_resumed(self, item: str) -> None:
        if self._is_paused:
            self._is_paused = False
            self._emit(SpeechResumed(item))

    def turn_ended(self, item: str, at: float) -> None:
        self._is_paused = False
        self._emit(SpeechStopped(item, at))

    def advanced(self, at: float, transcribed: float) -> None:
        step = self.settings.progress
        if step is not None and at >= self._reported + step - 1e-6:
            self._reported = at
            self._emit(Advanced(at, transcribed, self._input.buffer.end, self._input.in_turn))

    def idle_timed_out(self, item: str, start: float, end: float) -> None:
        self._emit_settled()
        self._emit(IdleTimedOut(item, start, end))

    def turn_committed(self, turn: UserTurn, audio: Audio, reason: CommitReason, silence: float) -> None:
        previous, self._last_turn = self._last_turn, turn.item
        self._emit_pending(turn)
        self._emit(Committed(turn.item, previous))
        span = begin_turn(turn.item, silence, audio.duration)
        with span.active():
            self._transcribe(turn.item, turn.transcription, audio, span=span)

    def transcript_updated(self, item: str, update: TranscriptUpdate, part: int = 0) -> None:
        if self.settings.transcription is not None:
            self._emit(TranscriptDelta(item, update, part))

    def input_failed(self, error: SpeechError) -> None:
        self._emit(Failed(error, error.code))

    # --- transcripts ---

    def _transcribe(
        self,
        item: str,
        transcription: TurnTranscription,
        audio: Audio,
        part: int = 0,
        span: tracing.Span = tracing.NO_SPAN,
    ) -> None:
        """Find the transcript of an item's audio, beside everything else. It ends `span`."""
        if item in self._starts:
            self._starts[item] = transcription.start
        task = asyncio.create_task(self._transcript(item, transcription, audio, part))
        self._transcripts[item] = task
        task.add_done_callback(partial(self._transcribed, item, transcription, span))

    async def _transcripts_at_most(self, pending: int) -> None:
        """Wait while the transcripts of more than `pending` turns are not known."""
        while len(self._transcripts) > pending:
            # Not gather: where all are done, on Python 3.12, it gives no turn to what takes them out.
            await asyncio.wait(list(self._transcripts.values()), return_when=asyncio.FIRST_COMPLETED)

    def _transcribed(
        self, item: str, transcription: TurnTranscription, span: tracing.Span, task: asyncio.Task[str]
    ) -> None:
        """An error was reported by the task itself, and reaches the answers that wait for it."""
        transcription.cancel()
        self._transcripts.pop(item, None)
        self._starts.pop(item, None)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        span.end(error=error)

    async def _transcript(self, item: str, transcription: TurnTranscription, audio: Audio, part: int) -> str:
        """The text of an item's audio, to the client as well. Raises SpeechErrors, which the client has then."""
        reported = self.settings.transcription is not None
        try:
            with tracing.span("recognition"):
                transcript = await transcription.finish(audio)
        except Exception as error:
            if not isinstance(error, SpeechError):
                log.exception("recognising %s failed", item)
                error = EngineFailed(f"recognition failed: {type(error).__name__}")
            if reported:
                self._emit_settled(item)
                self._emit(TranscriptFailed(item, error, part))
            raise error from None
        self._transcript_known(item, transcript)
        self._emit_settled(item)
        if reported:
            with_logprobs = self._input.transcriber.settings.logprobs
            self._emit(TranscriptDone(item, transcript, audio.duration, part, with_logprobs))
            if target := self.settings.translate_to:
                settings = self._input.transcriber.settings
                self._translator.add(TranslationRequest(item, transcript, audio, settings, target))
        return transcript.text

    def _transcript_known(self, item: str, transcript: Transcript) -> None:
        """Called before TranscriptDone is emitted."""

    # --- events ---

    def _emit_pending(self, turn: UserTurn) -> None:
        """Tell what is done, before a turn is told whose transcript is to come."""
        self._starts[turn.item] = turn.start
        self._emit_settled()

    def _emit_settled(self, told: str | None = None) -> None:
        """Tell what is done, if that was asked for. `told`: an item whose transcript comes next."""
        if told is not None:
            self._starts.pop(told, None)
        if self._marked is not None:
            at, items = self._input.settled
            self._emit(Settled(self._marked, min([at, *self._starts.values()]), (*self._starts, *items)))

    def _emit(self, event: Event) -> None:
        self._queue.put(event)

    def _refuse(self, error: SpeechError, code: str, command: commands.Command) -> None:
        self._emit(Failed(error, code, ref=command.ref))


def _size(command: commands.Command) -> float:
    """Bytes, about."""
    return 256 + max(command.nbytes, len(command.audio) if isinstance(command, commands.Append) else 0)
