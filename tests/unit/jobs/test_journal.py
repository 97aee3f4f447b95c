"""A journal saves what is before a checkpoint, and a later run of the same request gets it back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from speechmlx.errors import NoRoom
from speechmlx.jobs.journal import JobJournal, current_journal, expect, fingerprint
from speechmlx.types import (
    Audio,
    Checkpoint,
    KnownSpeaker,
    LanguageDetected,
    Segment,
    SpeakerOptions,
    SpeakerTurn,
    Transcribe,
    Usage,
)

AUDIO = Audio(np.zeros(160_000, np.float32), 16_000)
REQUEST = Transcribe(model="a", audio=AUDIO)
SEGMENTS = [Segment(f" {n}", float(n), n + 1.0, 0.5) for n in range(3)]


class Kept:
    """A `JournalStore` in memory. It fails where `fails`."""

    def __init__(self) -> None:
        self.lines: dict[int, list[str]] = {}
        self.progress: list[tuple[float, float | None]] = []
        self.fails = False

    async def save(self, entries: Sequence[tuple[int, str]], done: float, total: float | None) -> None:
        await asyncio.sleep(0)
        if self.fails:
            raise NoRoom("full")
        for recognition, line in entries:
            self.lines.setdefault(recognition, []).append(line)
        self.progress.append((done, total))

    async def drop(self, recognition: int) -> None:
        del self.lines[recognition]


async def test_what_is_behind_the_last_checkpoint_is_recognised_again() -> None:
    kept = Kept()
    journal = JobJournal(kept, {})
    record = await journal.open(REQUEST, 10.0)
    for event in (
        LanguageDetected("en", 1.0),
        SEGMENTS[0],
        Checkpoint(1.0, "1"),
        SEGMENTS[1],
        Checkpoint(2.5, "2"),
        SEGMENTS[2],
    ):
        record.add(event)
    await journal.close()
    assert kept.progress[-1] == (2.5, 10.0)
    again = await JobJournal(kept, kept.lines).open(REQUEST, 10.0)
    assert again.events == [LanguageDetected("en", 1.0), *SEGMENTS[:2]]
    assert (again.checkpoint, again.position, again.complete) == (Checkpoint(2.5, "2"), 2.5, False)


async def test_a_recognition_that_ended_is_complete() -> None:
    kept = Kept()
    journal = JobJournal(kept, {})
    first, second = await journal.open(REQUEST, 10.0), await journal.open(REQUEST, 10.0)
    journal.recordings = 2
    first.add(Usage(audio_in=10.0))
    await journal.close()
    second.add(Checkpoint(4.0, ""))
    await journal.close()
    assert kept.progress[-1] == (14.0, 20.0)
    later = JobJournal(kept, kept.lines)
    assert [(await later.open(REQUEST, 10.0)).complete for _ in range(2)] == [True, False]


async def test_who_speaks_when_is_kept() -> None:
    kept, turns = Kept(), [SpeakerTurn(0.0, 1.0, "0")]
    journal = JobJournal(kept, {})
    record = await journal.open(REQUEST, 10.0, SpeakerOptions())
    assert record.turns is None
    record.add_turns(turns)
    await journal.close()
    assert (await JobJournal(kept, kept.lines).open(REQUEST, 10.0, SpeakerOptions())).turns == turns


async def test_another_request_gets_nothing_of_it() -> None:
    kept = Kept()
    journal = JobJournal(kept, {})
    record = await journal.open(REQUEST, 10.0)
    record.add(Checkpoint(1.0, "1"))
    await journal.close()
    other = await JobJournal(kept, dict(kept.lines)).open(replace(REQUEST, model="b"), 10.0)
    assert other.checkpoint is None and 0 not in kept.lines


async def test_after_a_write_that_failed_nothing_more_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    journal = JobJournal(kept, {})
    record = await journal.open(REQUEST, 10.0)
    await journal.close()
    kept.fails = True
    record.add(Checkpoint(1.0, "1"))
    await journal.close()
    kept.fails = False
    record.add(Checkpoint(2.0, "2"))
    await journal.close()
    assert len(kept.lines[0]) == 1 and "is not kept: full" in caplog.text


async def test_the_running_job_is_told_how_many_recordings_there_are() -> None:
    expect(3)
    journal = JobJournal(Kept(), {})
    token = current_journal.set(journal)
    expect(3)
    current_journal.reset(token)
    assert journal.recordings == 3


def test_equal_requests_have_equal_fingerprints() -> None:
    same = fingerprint(REQUEST, 10.0, None)
    assert fingerprint(replace(REQUEST, resume=Checkpoint(1.0, "")), 10.0, None) == same
    speakers = SpeakerOptions((KnownSpeaker("ann", AUDIO),))
    others = [
        fingerprint(replace(REQUEST, prompt="b"), 10.0, None),
        fingerprint(REQUEST, 10.5, None),
        fingerprint(REQUEST, 10.0, SpeakerOptions()),
        fingerprint(REQUEST, 10.0, speakers),
        fingerprint(REQUEST, 10.0, SpeakerOptions((KnownSpeaker("bob", AUDIO),))),
    ]
    assert len({same, *others}) == 6
