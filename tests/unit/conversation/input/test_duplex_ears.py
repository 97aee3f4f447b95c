"""What a model hears that hears and speaks at once."""

from __future__ import annotations

import asyncio

import pytest
from support.duplex_engines import DuplexEngines
from support.scripted_duplex import tone

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.input.duplex_ears import INLINE, PIECE, DuplexEars, DuplexListener
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.runtime.front.job import Job
from speechmlx.types import Chunk, Command, Converse, Feed, TextDelta

PCM = AudioFormat()


class Report:
    """What the ears told, and the samples that the model got."""

    def __init__(self) -> None:
        self.said: list[TextDelta | Chunk] = []
        self.ends: list[SpeechError | None] = []
        self.late: list[SpeechError] = []
        self.fails = False
        self.engines = DuplexEngines()
        self.ears = DuplexEars(self.engines, lambda: 0.0, DuplexListener(self.take, self.ends.append, self.late.append))

    async def take(self, event: TextDelta | Chunk) -> None:
        if self.fails:
            raise RuntimeError("a fault")
        self.said.append(event)

    @property
    def seconds(self) -> float:
        return sum(event.duration for event in self.said if isinstance(event, Chunk))


@pytest.mark.parametrize("size", [333, 3840, 2 * INLINE])
async def test_every_sample_is_heard_once(size: int) -> None:
    report, sound = Report(), tone(50)
    report.ears.begin(Converse())
    for start in range(0, len(sound), size):
        await report.ears.hear(sound[start : start + size], PCM)
    await report.ears.finish()
    assert report.seconds == pytest.approx(4.0) and report.ends == [None]
    assert not report.ears.listens and not report.engines.open_jobs


async def test_long_audio_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    report, sizes, send = Report(), list[int](), Job.send

    async def counted(self: Job, command: Command) -> None:
        if isinstance(command, Feed):
            sizes.append(len(command.samples))
        await send(self, command)

    monkeypatch.setattr(Job, "send", counted)
    report.ears.begin(Converse())
    await report.ears.hear(tone(50), PCM)
    await report.ears.finish()
    assert max(sizes) == PIECE * 24000 and sum(sizes) == 50 * 1920


async def test_audio_before_a_job_and_after_its_stop_goes_nowhere() -> None:
    report = Report()
    await report.ears.hear(tone(5), PCM)
    await report.ears.finish()
    report.ears.begin(Converse())
    await report.ears.hear(tone(5), PCM)
    await report.ears.stop()
    await report.ears.hear(tone(5), PCM)
    assert not report.ends and not report.engines.open_jobs


async def test_a_fault_of_the_listener_is_an_error_of_the_conversation() -> None:
    report = Report()
    report.fails = True
    report.ears.begin(Converse())
    await report.ears.hear(tone(2), PCM)
    async with asyncio.timeout(30):
        while not report.ends:
            await asyncio.sleep(0)
    (error,) = report.ends
    assert isinstance(error, EngineFailed) and "RuntimeError" in str(error)
    await report.ears.stop()


async def test_a_failed_job_is_told_once() -> None:
    report = Report()
    report.ears.begin(Converse())
    report.engines.lose(Converse)
    await report.ears.hear(tone(2), PCM)
    await report.ears.finish()
    assert [error.code for error in report.ends if error is not None] == ["engine_lost"]
