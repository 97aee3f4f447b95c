"""WhisperLiveKitWire: binary audio in, updates out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.commands import Append, Command, Configure, Finish
from speechmlx.conversation.events import (
    Advanced,
    Event,
    Failed,
    TranscriptDelta,
    TranscriptFailed,
    TranslationDone,
    TranslationFailed,
)
from speechmlx.conversation.settings import Settings, TurnTaking
from speechmlx.errors import BadAudio, SpeechError
from speechmlx.protocols.session_keeper import WirePoint
from speechmlx.protocols.whisperlivekit import messages
from speechmlx.protocols.whisperlivekit.audio_kind import audio_kind
from speechmlx.protocols.whisperlivekit.lines import CaptionLine, LineBuilder
from speechmlx.protocols.whisperlivekit.messages import CaptionState, DiffUpdates, FullUpdates, Updates
from speechmlx.protocols.whisperlivekit.query import AsrQuery
from speechmlx.protocols.whisperlivekit.translations import LineTranslations
from speechmlx.protocols.ws import Answer, Close, ResumePoint

STEP = 0.05
"""Seconds between two updates, at least."""
THROUGHPUT = 1_000_000
"""Characters of updates per second, at most: long full updates are rarer."""
LINGER = 60.0
"""Seconds after ready_to_stop that the socket stays open for the client to close it."""


class WhisperLiveKitWire:
    """One client of /asr. `settings`: those of its session. `clock`: monotonic, in seconds, as `tick` gets it.

    An update goes out when its content has changed. A change within STEP of the last update waits for the next event,
    which the progress of the audio brings, or for the next tick. A change of times alone waits for the tick.
    """

    def __init__(self, settings: Settings, query: AsrQuery, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._mode = query.mode
        self._clock = clock
        self._head: bytes | None = b""
        """The first audio, until it tells whether it is a container. None: it has told."""
        self._is_container = False
        self._has_finished = False
        """Whether the client has said that no more audio comes."""
        self._ready_at: float | None = None
        """When ready_to_stop was sent."""
        self._lines = LineBuilder((settings.turns or TurnTaking()).prefix)
        self._fresh: list[CaptionLine] = []
        """Closed lines that no update had."""
        self._count = 0
        """Closed lines so far."""
        self._translations = LineTranslations() if query.target_language else None
        self._has_changed = False
        """Whether a line that was sent has changed."""
        self._updates: Updates = (DiffUpdates if query.is_diff else FullUpdates)(query.centiseconds)
        self._sent: CaptionState | None = None
        self._next = 0.0
        """When the next update may go out."""
        self._heard = False
        self._error = ""
        self._progress = Advanced(0.0, 0.0, 0.0, False)

    # --- from the client ---

    def receive(self, message: str | bytes) -> Sequence[Command]:
        """Audio; an empty binary message ends it. Texts are no part of the protocol."""
        if isinstance(message, str) or self._has_finished:
            return ()
        if not message:
            self._has_finished = True
            return [*self._begin(b"", complete=True), Finish()]
        return [Append(audio=message)] if self._head is None else self._begin(message)

    def _begin(self, data: bytes, complete: bool = False) -> list[Command]:
        """The commands once the first bytes tell what the audio is."""
        head, self._head = (self._head or b"") + data, None
        if not head:
            return []
        match audio_kind(head, complete):
            case None:
                self._head = head
                return []
            case "pcm":
                return [Append(audio=head)]
            case "container":
                self._is_container = True
                return [Configure(settings=replace(self._settings, input=AudioFormat("container"))), Append(audio=head)]

    # --- to the client ---

    def send(self, event: Event) -> Sequence[Answer]:
        """An update, where one is due."""
        self._take(event)
        return self._due(self._clock(), with_times=False)

    def tick(self, now: float, held: bool = False) -> Sequence[Answer]:
        """What waited; the end of a connection that its client leaves open."""
        if self._ready_at is None:
            return self._due(now, with_times=True)
        return [Close(1000, "the transcript is complete")] if now - self._ready_at >= LINGER else ()

    def end(self) -> Sequence[Answer]:
        """The last lines, then ready_to_stop."""
        self._ready_at = self._clock()
        self._lines.finish()
        self._collect()
        self._progress = replace(self._progress, transcribed=self._progress.received)
        self._next = self._ready_at
        return [*self._due(self._ready_at, with_times=True), messages.ready_to_stop()]

    def resume(self, point: ResumePoint) -> str:
        """The first message to a client that has come back."""
        return messages.config(self._mode, resumed=point.fields)

    # --- for other servers ---

    @property
    def told(self) -> int:
        """Closed lines so far that the client got."""
        return self._count - len(self._fresh)

    def point(self, settled: float) -> WirePoint | None:
        """Where it is; None while it is not known what the audio is, and with a container."""
        if self._head is not None or self._is_container:
            return None
        lines = {"lines": self._lines.state(), "fresh": [asdict(line) for line in self._fresh]}
        state = {**lines, "count": self._count, "heard": self._heard, "updates": self._updates.state()}
        return WirePoint(self._lines.told_until(settled), state, isinstance(self._updates, FullUpdates))

    def restore(self, state: dict[str, Any], at: float, sent: int) -> None:
        """Go on where another wire was. Translations of turns that are over do not come any more."""
        self._head, self._heard, self._count = None, state["heard"], state["count"]
        self._fresh = [CaptionLine(**fields) for fields in state["fresh"]]
        self._lines.restore(state["lines"], at)
        self._updates.restore(state["updates"], sent - 1)
        self._progress = Advanced(at, at, at, False)
        if self._translations is not None:
            self._translations.begin(self._count)
        self._collect()

    # --- events ---

    def _take(self, event: Event) -> None:
        match event:
            case Advanced():
                self._progress = event
            case Failed(error) | TranscriptFailed(_, error):
                self._fail(error)
            case TranscriptDelta(_, update) if update.text:
                self._error = ""  # recognition goes on
        self._lines.take(event)
        self._collect()
        match event:
            case TranslationDone(item, text) if self._translations is not None:
                self._change(self._translations.translated(item, text))
            case TranslationFailed(item, error) if self._translations is not None:
                self._translations.failed(item)
                self._fail(error)

    def _change(self, lines: Mapping[int, CaptionLine]) -> None:
        """Put other lines in the place of closed ones."""
        sent = self._count - len(self._fresh)
        for number, line in lines.items():
            if number >= sent:
                self._fresh[number - sent] = line
        if old := {number: line for number, line in lines.items() if number < sent}:
            self._updates.change(old)
            self._has_changed = True

    def _fail(self, error: SpeechError) -> None:
        text = f"FFmpeg error: {error}" if self._is_container and isinstance(error, BadAudio) else str(error)
        if text != self._error:
            self._error, self._next = text, 0.0

    def _collect(self) -> None:
        closed = self._lines.drain()
        if self._translations is not None:
            for line in closed:
                self._translations.add(line)
        self._count += len(closed)
        self._fresh += closed
        self._heard = self._heard or bool(self._fresh)

    def _due(self, now: float, with_times: bool) -> list[str]:
        """The next update where there is news and it is time."""
        state = self._state()
        if now < self._next or not self._is_news(state, with_times):
            return []
        fresh, self._fresh, self._sent, self._has_changed = self._fresh, [], state, False
        text = self._updates.update(fresh, state, self._progress.at)
        self._next = now + max(STEP, len(text) / THROUGHPUT)
        return [text]

    def _is_news(self, state: CaptionState, with_times: bool) -> bool:
        sent = self._sent
        if sent is None or self._fresh or self._has_changed:
            return True
        return state != sent if with_times else state.content != sent.content

    def _state(self) -> CaptionState:
        lines, progress = self._lines, self._progress
        committed, since = lines.committed_until, lines.unattributed_since
        return CaptionState(
            open=lines.open,
            unattributed=lines.unattributed,
            tail=lines.tail,
            error=self._error,
            heard=self._heard,
            untranscribed=_tenths(progress.received - progress.transcribed),
            uncommitted=0.0 if committed is None else _tenths(progress.transcribed - committed),
            undiarized=0.0 if since is None else _tenths(progress.received - since),
        )


def _tenths(seconds: float) -> float:
    return round(max(0.0, seconds), 1)
