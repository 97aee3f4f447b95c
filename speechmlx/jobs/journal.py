"""JobJournal: what the recognitions of one job have found, kept so that the job goes on from there.

`recognition.recognise` asks for the journal of the running task, and works without one for a client that waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Protocol

from speechmlx import __version__
from speechmlx.errors import SpeechError
from speechmlx.jobs.entries import read_event, write_event
from speechmlx.types import Checkpoint, Event, Request, SpeakerOptions, SpeakerTurn, Usage

log = logging.getLogger(__name__)

SAME, TURNS = "same", "turns"
"""Keys of entries that are no events: what the request was, and who speaks when."""


class JournalStore(Protocol):
    """Where a journal is kept."""

    async def save(self, entries: Sequence[tuple[int, str]], done: float, total: float | None) -> None:
        """Add entries, and note the seconds of audio that are recognised, and those of all."""

    async def drop(self, recognition: int) -> None:
        """Forget the entries of a recognition."""


class Record:
    """One recognition of a job. `events` and `turns` are those of earlier runs."""

    def __init__(self, journal: JobJournal, number: int, seconds: float) -> None:
        self.seconds = seconds
        """Of the recording."""
        self.events: list[Event] = []
        self.turns: list[SpeakerTurn] | None = None
        """Who speaks when; None until it was found."""
        self.checkpoint: Checkpoint | None = None
        """The last one of earlier runs."""
        self.position = 0.0
        """Seconds that are recognised."""
        self._journal = journal
        self._number = number
        self._unsaved: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether an earlier run came to its end."""
        return bool(self.events) and isinstance(self.events[-1], Usage)

    def add(self, event: Event) -> None:
        """Note an event that came now. What is behind the last checkpoint is not kept."""
        self._unsaved.append(write_event(event))
        if isinstance(event, Checkpoint | Usage):
            self.position = self.seconds if isinstance(event, Usage) else min(event.position, self.seconds)
            self._flush()

    def add_turns(self, turns: Sequence[SpeakerTurn]) -> None:
        """Note who speaks when."""
        self._unsaved.append(json.dumps({TURNS: [write_event(turn) for turn in turns]}))
        self._flush()

    def read(self, lines: Sequence[str]) -> None:
        """Take what an earlier run saved. Raises ValueError."""
        for line in lines:
            fields = json.loads(line)
            if TURNS in fields:
                self.turns = [turn for text in fields[TURNS] if isinstance(turn := read_event(text), SpeakerTurn)]
                continue
            event = read_event(line)
            if isinstance(event, Checkpoint):
                self.checkpoint, self.position = event, event.position
            else:
                self.events.append(event)
        if self.complete:
            self.position = self.seconds

    def begin(self, same: str) -> None:
        """Note what the request was."""
        self._unsaved.append(json.dumps({SAME: same}))
        self._flush()

    def _flush(self) -> None:
        lines, self._unsaved = self._unsaved, []
        self._journal.write([(self._number, line) for line in lines])


class JobJournal:
    """The recognitions of one run of a job, which come in the same order in every run.

    Entries are written one batch at a time, while the recognition goes on.
    """

    def __init__(self, store: JournalStore, saved: Mapping[int, Sequence[str]]) -> None:
        self.recordings = 1
        """How many recordings of the same length are recognised; see `expect`."""
        self._store = store
        self._saved = saved
        self._records: list[Record] = []
        self._waiting: list[tuple[int, str]] = []
        self._writing: asyncio.Task[None] | None = None
        self._broken = False
        """Whether entries could not be saved: what follows them is of no use then."""

    async def open(self, request: Request, seconds: float, speakers: SpeakerOptions | None = None) -> Record:
        """The record of the next recognition. What was saved for another request is forgotten."""
        number = len(self._records)
        record = Record(self, number, seconds)
        self._records.append(record)
        same, lines = fingerprint(request, seconds, speakers), self._saved.get(number, ())
        if lines and json.loads(lines[0]).get(SAME) == same:
            record.read(lines[1:])
        else:
            if lines:
                await self._store.drop(number)
            record.begin(same)
        return record

    def write(self, entries: Sequence[tuple[int, str]]) -> None:
        """Save entries soon."""
        if self._broken:
            return
        self._waiting += entries
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Wait until everything is saved."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._waiting:
            entries, self._waiting = self._waiting, []
            total = max((record.seconds for record in self._records), default=0.0) * self.recordings
            done = sum(record.position for record in self._records)
            try:
                await self._store.save(entries, done, total or None)
            except SpeechError as error:
                self._broken, self._waiting = True, []
                log.warning("a background job goes on, but what it finds from here on is not kept: %s", error)


current_journal: ContextVar[JobJournal | None] = ContextVar("speechmlx.journal", default=None)


def expect(recordings: int) -> None:
    """Tell the running job, if there is one, how many recordings it recognises."""
    journal = current_journal.get()
    if journal is not None:
        journal.recordings = recordings


def fingerprint(request: Request, seconds: float, speakers: SpeakerOptions | None) -> str:
    """What a recognition depends on besides the samples, which do not change: equal texts give equal results."""
    plain: dict[str, Any] = {name: value for name, value in vars(request).items() if name not in ("audio", "resume")}
    known = () if speakers is None else tuple((one.name, len(one.audio.samples)) for one in speakers.known)
    told = None if speakers is None else replace(speakers, known=())
    text = repr((__version__, type(request).__name__, sorted(plain.items()), seconds, told, known))
    return hashlib.sha256(text.encode()).hexdigest()
