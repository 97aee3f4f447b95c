"""Audio in, turns out: found by a detector, by silence, or committed by the client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace

import pytest
from support.scripted_input import ScriptedInput, silence, speech

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.errors import TooShort
from speechmlx.conversation.input.pipeline import LONGEST, CommitReason, InputPipeline, UserTurn
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.conversation.settings import Settings, TurnTaking
from speechmlx.errors import SpeechError, TooLarge
from speechmlx.types import Audio

FORMAT = AudioFormat("float32", 16000)
DETECTED = Settings(input=FORMAT)
BY_CLIENT = Settings(input=FORMAT, turns=None)


@dataclass
class Bench:
    settings: Settings = DETECTED
    engines: ScriptedInput = field(default_factory=ScriptedInput)
    log: list[str] = field(default_factory=list)
    turns: list[tuple[float, float, CommitReason]] = field(default_factory=list)
    words: str = ""
    errors: list[SpeechError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pipeline = InputPipeline(self.engines, self.settings, self)

    async def hear(self, *pieces: object, size: float = 0.1) -> None:
        for piece in pieces:
            data = FORMAT.encode(piece)  # type: ignore[arg-type]
            step = round(size * 16000) * 4
            for place in range(0, len(data), step):
                await self.pipeline.push(data[place : place + step])
                await asyncio.sleep(0)
        await asyncio.sleep(0.02)

    # --- InputObserver ---

    def turn_started(self, item: str, at: float) -> None:
        self.log.append("started")

    def advanced(self, at: float, transcribed: float) -> None:
        assert 0 <= transcribed <= at

    def turn_paused(self, item: str, since: float, at: float, guess: Awaitable[Transcript] | None) -> None:
        self.log.append("paused" if guess is None else "paused, guessing")

    def turn_resumed(self, item: str) -> None:
        self.log.append("resumed")

    def turn_ended(self, item: str, at: float) -> None:
        self.log.append("ended")

    def idle_timed_out(self, item: str, start: float, end: float) -> None:
        self.log.append("idle")

    def turn_committed(self, turn: UserTurn, audio: Audio, reason: CommitReason, silence: float) -> None:
        self.log.append("committed")
        self.turns.append((turn.start, audio.duration, reason))
        turn.transcription.cancel()

    def transcript_updated(self, item: str, update: TranscriptUpdate) -> None:
        self.words += update.text

    def input_failed(self, error: SpeechError) -> None:
        self.errors.append(error)


async def test_a_detected_turn_is_guessed_at_its_pause_and_committed_at_its_end() -> None:
    bench = Bench()
    await bench.hear(silence(1.0), speech(1.0), silence(0.8))
    assert bench.log == ["started", "paused, guessing", "ended", "committed"]
    ((start, duration, reason),) = bench.turns
    assert (start, reason) == (pytest.approx(0.7, abs=0.05), "speech")
    assert duration == pytest.approx(1.8, abs=0.1)
    await bench.pipeline.close()


async def test_a_pause_that_ends_is_a_resume() -> None:
    bench = Bench()
    await bench.hear(speech(1.0), silence(0.3), speech(1.0), silence(0.8))
    assert bench.log == ["started", "paused, guessing", "resumed", "paused, guessing", "ended", "committed"]
    await bench.pipeline.close()


async def test_without_detection_the_client_commits() -> None:
    bench = Bench(BY_CLIENT)
    await bench.hear(speech(1.0))
    assert bench.pipeline.waiting == pytest.approx(1.0)
    await bench.pipeline.commit()
    assert bench.turns == [(0.0, pytest.approx(1.0), "client")]
    assert bench.pipeline.waiting == 0
    with pytest.raises(TooShort) as short:
        await bench.pipeline.commit()
    assert (short.value.buffered, short.value.shortest) == (0.0, 0.1)
    await bench.pipeline.close()


async def test_a_commit_right_after_a_detected_turn_is_nothing() -> None:
    bench = Bench()
    await bench.hear(speech(1.0), silence(0.55))
    assert bench.log[-1] == "committed"
    await bench.pipeline.commit()
    assert len(bench.turns) == 1
    await bench.pipeline.close()


async def test_a_commit_during_speech_ends_the_turn() -> None:
    bench = Bench()
    await bench.hear(speech(1.0))
    await bench.pipeline.commit()
    assert bench.log == ["started", "resumed", "ended", "committed"] or bench.log == ["started", "ended", "committed"]
    assert bench.turns[0][2] == "client"
    await bench.pipeline.close()


async def test_what_is_cleared_is_never_committed() -> None:
    bench = Bench(BY_CLIENT)
    await bench.hear(speech(1.0))
    await bench.pipeline.clear()
    await bench.hear(speech(0.5))
    await bench.pipeline.commit()
    assert bench.turns == [(pytest.approx(1.0), pytest.approx(0.5), "client")]
    await bench.pipeline.close()


async def test_a_flush_says_the_words_so_far() -> None:
    bench = Bench(BY_CLIENT)
    await bench.hear(speech(1.0))
    assert bench.words == "w1"
    await bench.pipeline.flush()
    assert bench.words == "w1 w2"
    await bench.pipeline.flush()
    assert (bench.words, bench.log) == ("w1 w2", [])
    await bench.pipeline.close()


@pytest.mark.parametrize("settings", [DETECTED, BY_CLIENT])
async def test_the_end_of_the_input_commits_the_turn_under_way(settings: Settings) -> None:
    bench = Bench(settings)
    await bench.hear(speech(1.0))
    await bench.pipeline.finish()
    assert [reason for _, _, reason in bench.turns] == ["client"]
    assert bench.turns[0][1] == pytest.approx(1.0)
    await bench.pipeline.close()


@pytest.mark.parametrize("settings", [DETECTED, BY_CLIENT])
async def test_the_end_of_silence_commits_nothing_that_was_not_said(settings: Settings) -> None:
    bench = Bench(settings)
    if settings.turns is not None:
        await bench.hear(silence(1.0))
    await bench.pipeline.finish()
    assert bench.turns == []
    await bench.pipeline.close()


async def test_missing_audio_ends_a_turn() -> None:
    bench = Bench()
    await bench.hear(speech(1.0))
    await bench.pipeline.lapse()
    await asyncio.sleep(0.02)
    assert bench.log[-2:] == ["ended", "committed"]
    await bench.pipeline.close()


async def test_silence_after_an_answer_is_a_turn() -> None:
    bench = Bench(replace(DETECTED, turns=TurnTaking(idle_timeout=1.0)))
    await bench.hear(silence(0.5))
    bench.pipeline.expect_until(0.5)
    await bench.hear(silence(1.2))
    assert bench.log == ["idle", "committed"]
    assert bench.turns[0][2] == "silence"
    await bench.pipeline.close()


async def test_audio_that_nobody_commits_has_a_limit() -> None:
    bench = Bench(BY_CLIENT)
    await bench.pipeline.push(FORMAT.encode(silence(LONGEST + 1)))
    with pytest.raises(TooLarge, match="15 minutes"):
        await bench.pipeline.push(b"\0" * 4)
    await bench.pipeline.close()


async def test_detection_can_be_turned_off_and_on() -> None:
    bench = Bench()
    await bench.hear(speech(0.5))
    await bench.pipeline.configure(BY_CLIENT)
    await bench.hear(speech(0.5))
    await bench.pipeline.commit()
    await bench.pipeline.configure(DETECTED)
    await bench.hear(speech(0.5), silence(1.0))
    assert [reason for _, _, reason in bench.turns] == ["client", "speech"]
    await bench.pipeline.close()
    assert bench.engines.open_jobs == 0
