"""A speech detector's stream becomes decisions; what fails is reported once and tried again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from support.scripted_input import ScriptedInput, silence, speech

from speechmlx.conversation.input.buffer import AudioBuffer
from speechmlx.conversation.input.endpointing import Decision, TurnEnded, TurnPaused, TurnStarted
from speechmlx.conversation.input.turn_detection import MAX_RESTARTS, SETTLED, TurnDetector
from speechmlx.conversation.settings import TurnTaking
from speechmlx.errors import EngineFailed, EngineLost, SpeechError
from speechmlx.types import DetectSpeech, DetectTurn, Kind


@dataclass
class Bench:
    settings: TurnTaking = field(default_factory=TurnTaking)
    engines: ScriptedInput = field(default_factory=ScriptedInput)
    decisions: list[Decision] = field(default_factory=list)
    positions: list[float] = field(default_factory=list)
    errors: list[SpeechError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.buffer = AudioBuffer()
        self.detector = TurnDetector(self.engines, self.settings, self.buffer, self, self.errors.append)

    def advance(self, position: float) -> None:
        self.positions.append(position)

    def decide(self, decision: Decision) -> None:
        self.decisions.append(decision)

    async def hear(self, *pieces: object) -> None:
        for piece in pieces:
            self.buffer.add(piece)  # type: ignore[arg-type]
            self.detector.feed(piece)  # type: ignore[arg-type]
        await self.detector.within(SETTLED)

    @property
    def kinds(self) -> list[type[Decision]]:
        return [type(decision) for decision in self.decisions]


async def test_a_turn_from_its_start_to_its_end() -> None:
    bench = Bench()
    await bench.hear(silence(1.0), speech(1.0), silence(1.0))
    assert bench.kinds == [TurnStarted, TurnPaused, TurnEnded]
    assert bench.decisions[0].at == pytest.approx(0.7, abs=0.05)  # type: ignore[union-attr]
    assert bench.positions == sorted(bench.positions)
    assert bench.detector.position == pytest.approx(3.0, abs=SETTLED)
    await bench.detector.close()
    assert bench.engines.open_jobs == 0


async def test_a_turn_detector_ends_a_turn_before_the_longest_silence() -> None:
    bench = Bench(TurnTaking(eagerness="high"))
    await bench.hear(speech(1.0), silence(0.4))
    await asyncio.sleep(0.01)
    assert bench.kinds == [TurnStarted, TurnPaused, TurnEnded]
    assert bench.engines.requests(DetectTurn)[0].audio.duration == pytest.approx(1.2, abs=0.05)
    await bench.detector.close()


async def test_a_turn_ends_by_order_once_its_audio_is_processed() -> None:
    bench = Bench()
    await bench.hear(speech(1.0))
    bench.detector.end_turn()
    assert bench.kinds == [TurnStarted, TurnEnded]
    await bench.detector.close()


async def test_a_detector_that_fails_is_reported_once_and_begun_again() -> None:
    bench = Bench()
    bench.engines.fails[Kind.VAD] = EngineFailed("broken")
    for _ in range(3):
        await bench.hear(speech(0.5))
        await asyncio.sleep(0.01)
    assert [str(error) for error in bench.errors] == ["broken"]
    bench.engines.fails.clear()
    await bench.hear(speech(0.5))
    assert bench.kinds == [TurnStarted]
    assert len(bench.engines.requests(DetectSpeech)) == 4
    await bench.detector.close()


async def test_audio_that_was_not_processed_when_the_engine_process_ended_is_not_lost() -> None:
    bench = Bench()
    await bench.hear(silence(2.0))
    late = speech(1.0)
    bench.buffer.add(late)
    bench.detector.feed(late)  # it waits for the detector when that ends
    bench.engines.lose(DetectSpeech)
    await bench.hear(silence(1.0))
    assert bench.kinds == [TurnStarted, TurnPaused, TurnEnded]
    assert bench.decisions[0].at == pytest.approx(1.7, abs=0.05)  # type: ignore[union-attr]
    assert bench.positions == sorted(bench.positions)
    assert bench.detector.position == pytest.approx(4.0, abs=SETTLED)
    assert not bench.errors
    await bench.detector.close()
    assert bench.engines.open_jobs == 0


@pytest.mark.parametrize("retry_after", [None, 5.0])
async def test_an_engine_process_that_ends_again_and_again_is_told(retry_after: float | None) -> None:
    bench = Bench()
    bench.engines.fails[Kind.VAD] = EngineLost("ended", retry_after=retry_after)
    await bench.hear(speech(0.5))
    await asyncio.sleep(0.01)
    assert [str(error) for error in bench.errors] == ["ended"]
    assert len(bench.engines.requests(DetectSpeech)) == (MAX_RESTARTS + 1 if retry_after is None else 1)
    await bench.detector.close()


async def test_a_turn_detector_that_fails_leaves_it_to_silence() -> None:
    bench = Bench(TurnTaking(eagerness="high"))
    bench.engines.fails[Kind.TURN] = EngineFailed("broken")
    await bench.hear(speech(1.0), silence(1.0))
    await asyncio.sleep(0.01)
    assert bench.kinds == [TurnStarted, TurnPaused]
    assert [str(error) for error in bench.errors] == ["broken"]
    await bench.hear(silence(1.5))
    assert bench.kinds[-1] is TurnEnded
    await bench.detector.close()
