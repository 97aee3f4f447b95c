"""A transcription session without a process: what it emits, flushes, finishes, and what it keeps over hours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from support.scripted_input import LISTENER, ScriptedInput, silence, speech

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation import commands, events
from speechmlx.conversation.input.buffer import InputStart
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.input.transcription import TurnTranscription
from speechmlx.conversation.session import MAX_PENDING, MAX_WAITING, TranscriptionSession
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.errors import EngineFailed
from speechmlx.types import Audio, Kind, Load, Priority

E = TypeVar("E")
FORMAT = AudioFormat("float32", 16000)
SETTINGS = Settings(transcribes_only=True, input=FORMAT, transcription=Transcription())


class Bench:
    """A session under way, its events in order."""

    def __init__(self, session: TranscriptionSession) -> None:
        self.session = session
        self.events: list[events.Event] = []

    async def hear(self, *pieces: np.ndarray, size: float = 0.1) -> None:
        for piece in pieces:
            step = round(size * 16000)
            for place in range(0, len(piece), step):
                await self.session.send(commands.Append(audio=FORMAT.encode(piece[place : place + step])))

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type, count: int = 1) -> None:
        async with asyncio.timeout(30):
            while len(self.of(kind)) < count:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def running(settings: Settings = SETTINGS, engines: ScriptedInput | None = None) -> AsyncIterator[Bench]:
    session = TranscriptionSession(engines or ScriptedInput(), settings)
    bench = Bench(session)

    async def collect() -> None:
        async for event in session.events():
            bench.events.append(event)

    async with session:
        collecting = asyncio.create_task(collect())
        yield bench
        session.close()
        await collecting


def names(found: Iterable[events.Event]) -> list[str]:
    return [type(event).__name__ for event in found]


async def test_a_turn_is_told_from_its_start_to_its_transcript() -> None:
    async with running() as bench:
        await bench.hear(speech(1.5), silence(1.0))
        await bench.until(events.TranscriptDone)
    order = [name for name in dict.fromkeys(names(bench.events)) if name != "TranscriptDelta"]
    assert order == ["SpeechStarted", "SpeechPaused", "SpeechStopped", "Committed", "TranscriptDone"]
    (done,) = bench.of(events.TranscriptDone)
    assert done.transcript.text == "w1 w2 w3"
    assert "".join(event.update.text for event in bench.of(events.TranscriptDelta)) == "w1 w2 w3"
    assert [word.start for word in done.transcript.words] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("whole", [False, True])
async def test_live_words_and_whole_turns_have_models_of_their_own(whole: bool) -> None:
    engines = ScriptedInput(listener=True)
    async with running(replace(SETTINGS, transcription=Transcription(whole=whole)), engines) as bench:
        await bench.hear(speech(1.5), silence(1.0))
        await bench.until(events.TranscriptDone)
    (done,) = bench.of(events.TranscriptDone)
    said = "".join(event.update.text for event in bench.of(events.TranscriptDelta))
    assert (said.startswith("l1 l2"), done.transcript.text) == (True, "w1 w2 w3" if whole else "l1 l2 l3")
    loaded = list(dict.fromkeys(load.model for load in engines.requests(Load)))
    assert loaded == ["fake-vad", LISTENER, *(["fake-asr"] if whole else [])]


async def test_models_are_made_ready_when_speech_begins() -> None:
    engines = ScriptedInput()
    async with running(engines=engines) as bench:
        await bench.hear(silence(1.0))
        await bench.hear(speech(1.0), silence(1.0))
        await bench.until(events.TranscriptDone)
    loads = [(load.model, load.priority) for load in engines.requests(Load)]
    assert loads[2:] == [("fake-vad", Priority.REALTIME), ("fake-asr", Priority.REALTIME)]


async def test_times_are_the_sessions() -> None:
    async with running() as bench:
        await bench.hear(silence(10.0), speech(1.0), silence(1.0))
        await bench.until(events.TranscriptDone)
    (done,) = bench.of(events.TranscriptDone)
    first = done.transcript.words[0]
    assert first.start == pytest.approx(9.7, abs=0.6)


async def test_each_turn_names_the_one_before() -> None:
    async with running() as bench:
        for _ in range(3):
            await bench.hear(speech(0.6), silence(1.0))
        await bench.until(events.Committed, 3)
    first, second, third = bench.of(events.Committed)
    assert [event.before for event in (first, second, third)] == [None, first.item, second.item]


async def test_a_pause_and_a_resume_are_told() -> None:
    async with running() as bench:
        await bench.hear(speech(0.6), silence(0.3), speech(0.6), silence(1.0))
        await bench.until(events.Committed)
    found = [name for name in names(bench.events) if name in ("SpeechPaused", "SpeechResumed")]
    assert found == ["SpeechPaused", "SpeechResumed", "SpeechPaused"]


async def test_a_flush_commits_words_and_a_finish_ends_the_events() -> None:
    async with running(replace(SETTINGS, turns=None)) as bench:
        await bench.hear(speech(1.0))
        await bench.session.send(commands.Flush())
        await bench.until(events.Flushed)
        assert "".join(event.update.text for event in bench.of(events.TranscriptDelta)) == "w1 w2"
        await bench.hear(speech(0.5))
        await bench.session.send(commands.Finish())
        await bench.until(events.TranscriptDone)
        async with asyncio.timeout(30):
            while not bench.session._queue.ended:
                await asyncio.sleep(0.001)
    (done,) = bench.of(events.TranscriptDone)
    assert done.transcript.text == "w1 w2 w1"


@pytest.mark.parametrize("live", [True, False])
async def test_a_flush_in_a_pause_is_no_speech(live: bool) -> None:
    async with running(engines=ScriptedInput(live=live)) as bench:
        await bench.hear(speech(1.0), silence(0.3))
        await bench.until(events.SpeechPaused)
        await bench.session.send(commands.Flush())
        await bench.until(events.Flushed)
        await bench.hear(silence(1.0))
        await bench.until(events.TranscriptDone)
    assert not bench.of(events.SpeechResumed)
    (done,) = bench.of(events.TranscriptDone)
    assert done.transcript.text == "w1 w2"


async def test_errors_name_their_command_and_the_session_goes_on() -> None:
    engines = ScriptedInput()
    engines.fails[Kind.ASR] = EngineFailed("broken")
    async with running(replace(SETTINGS, turns=None), engines) as bench:
        await bench.session.send(commands.Commit(ref="a"))
        await bench.session.send(commands.DeleteItem(id="x", ref="b"))
        await bench.hear(speech(1.0))
        await bench.session.send(commands.Commit(ref="c"))
        await bench.until(events.TranscriptFailed)
    refused = [(event.ref, event.code) for event in bench.of(events.Failed)]
    assert refused == [("a", "too_short"), ("b", "unsupported")]
    (failed,) = bench.of(events.TranscriptFailed)
    assert str(failed.error) == "broken"


async def test_what_breaks_is_an_error_of_its_command(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as bench:
        bench.session._input.clear = None  # type: ignore[assignment, method-assign]
        await bench.session.send(commands.Clear(ref="a"))
        await bench.until(events.Failed)
    assert "Clear failed" in caplog.text


async def test_commands_wait_when_too_much_waits() -> None:
    session = TranscriptionSession(ScriptedInput(), SETTINGS)
    await session.send(commands.Append(audio=b"\0" * MAX_WAITING))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(session.send(commands.Commit()), 0.01)


async def test_a_recording_that_cannot_be_read_is_an_error_and_the_events_end() -> None:
    async with running(replace(SETTINGS, input=AudioFormat("container"))) as bench:
        await bench.session.send(commands.Append(audio=b"no audio at all, but text " * 4000))
        await bench.session.send(commands.Finish())
        async with asyncio.timeout(30):
            while not bench.session._queue.ended:
                await asyncio.sleep(0.001)
    assert {event.code for event in bench.of(events.Failed)} == {"bad_audio"}


async def test_hours_of_dictation_in_flat_memory() -> None:
    """Three hours in turns of a minute: what is kept after the last is what was kept after the first."""
    kept = []
    async with running(SETTINGS, engines := ScriptedInput(frame=16000)) as bench:
        session = bench.session
        for _ in range(180):
            await bench.hear(speech(58.0), silence(2.0), size=29.0)
            await bench.until(events.TranscriptDone)
            bench.events.clear()
            kept.append((len(session._input.buffer._pieces), len(session._transcripts), len(asyncio.all_tasks())))
        assert session._clock.audio() == pytest.approx(3 * 3600, abs=1)
    assert max(kept[1:]) <= kept[0]
    assert engines.open_jobs == 0


async def test_a_client_that_sends_faster_than_words_are_found_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()
    finish = TurnTranscription.finish

    async def held(self: TurnTranscription, audio: Audio) -> Transcript:
        await gate.wait()
        return await finish(self, audio)

    monkeypatch.setattr(TurnTranscription, "finish", held)
    async with running() as bench:
        for _ in range(3 * MAX_PENDING):
            await bench.hear(speech(0.5), silence(1.0), size=1.5)
        await bench.until(events.Committed, MAX_PENDING + 1)
        await asyncio.sleep(0.2)
        assert len(bench.of(events.Committed)) < 2 * MAX_PENDING
        gate.set()
        await bench.until(events.TranscriptDone, 3 * MAX_PENDING)


async def test_what_is_done_is_told_with_what_follows() -> None:
    """Only once it was asked for."""
    async with running() as bench:
        await bench.hear(speech(0.6), silence(1.0))
        await bench.until(events.TranscriptDone)
        assert not bench.of(events.Settled)
        await bench.session.send(commands.Mark(number=7))
        await bench.until(events.Settled)
        quiet = bench.of(events.Settled)[-1]
        assert (quiet.number, quiet.items) == (7, ()) and 0.9 <= quiet.at <= 1.2
        await bench.hear(speech(1.0), silence(1.0))
        await bench.until(events.TranscriptDone, 2)
    started, done = bench.of(events.SpeechStarted)[1], bench.of(events.TranscriptDone)[1]
    before = {event: bench.events[place - 1] for place, event in enumerate(bench.events) if event in (started, done)}
    assert before[started] == events.Settled(7, started.at, (started.item,))
    after = before[done]
    assert isinstance(after, events.Settled) and after.items == () and after.at >= 2.5


async def test_a_session_goes_on_where_another_was() -> None:
    """Times are those of the whole session, and the turns that were named keep their names."""
    session = TranscriptionSession(ScriptedInput(), SETTINGS, start=InputStart(100.0, ("first", "second")))
    bench = Bench(session)
    async with session:
        for _ in range(3):
            await bench.hear(speech(0.6), silence(1.0))
        async with asyncio.timeout(30):
            async for event in session.events():
                bench.events.append(event)
                if len(bench.of(events.TranscriptDone)) == 3:
                    break
    items = [event.item for event in bench.of(events.Committed)]
    assert items[:2] == ["first", "second"] and items[2].startswith("item_")
    first, last = bench.of(events.TranscriptDone)[0], bench.of(events.TranscriptDone)[-1]
    assert first.transcript.words[0].start == pytest.approx(100.0, abs=0.1)
    assert last.transcript.words[0].start == pytest.approx(103.2, abs=0.6)
