"""Live speech to words: fed in pieces or whole, read late or never, with errors, and left at any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from support.scripted_input import RATE, ScriptedInput, silence, speech

from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.errors import BadRequest, Draining, EngineFailed, UnknownModel
from speechmlx.library import listening
from speechmlx.library.listening import AsyncListening
from speechmlx.types import Hypothesis, Kind

SETTINGS = Settings(transcribes_only=True, transcription=Transcription(words=True))


class Bench:
    def __init__(self, engines: ScriptedInput | None = None, audio_timeout: float = 0.0) -> None:
        self.engines = engines or ScriptedInput()
        self.closed: list[AsyncListening] = []
        self.audio_timeout = audio_timeout
        self.live = AsyncListening(self.open_session, self.closed.append)

    async def open_session(self) -> tuple[TranscriptionSession, float]:
        return TranscriptionSession(self.engines, SETTINGS), self.audio_timeout

    async def feed(self, *pieces: np.ndarray, rate: int = RATE) -> None:
        for piece in pieces:
            for start in range(0, len(piece), rate // 10):
                await self.live.feed(piece[start : start + rate // 10], rate)


@asynccontextmanager
async def listening_to(engines: ScriptedInput | None = None, audio_timeout: float = 0.0) -> AsyncIterator[Bench]:
    bench = Bench(engines, audio_timeout)
    async with asyncio.timeout(20), bench.live:
        yield bench


async def said(live: AsyncListening) -> list[str]:
    """The words that are final."""
    return [word.text.strip() async for hypothesis in live for word in hypothesis.committed]


async def test_words_come_while_audio_does() -> None:
    async with listening_to() as bench:
        await bench.feed(silence(0.5), speech(2.0))
        found: list[Hypothesis] = []
        while not any(hypothesis.committed for hypothesis in found):
            found.append(await anext(bench.live))
        assert found[-1].committed[0].text == " w1" and found[-1].committed[0].start == pytest.approx(0.5, abs=0.4)
        await bench.feed(silence(1.0))
        await bench.live.finish()
        rest = await said(bench.live)
    words = [word.text.strip() for hypothesis in found for word in hypothesis.committed] + rest
    assert words == [f"w{number}" for number in range(1, len(words) + 1)] and len(words) >= 4


async def test_what_is_read_late_is_all_there() -> None:
    async with listening_to() as bench:
        for _ in range(3):
            await bench.feed(speech(1.0), silence(1.0))
        await bench.live.finish()
        await bench.live.finish()
        found = [hypothesis async for hypothesis in bench.live]
    assert len(found) == 1 and len(found[0].committed) >= 6
    assert bench.closed == [bench.live] and bench.engines.open_jobs == 0


async def test_a_whole_recording_at_once_and_changing_formats() -> None:
    recording = np.concatenate([silence(0.5), speech(2.0), silence(1.0)])
    async with listening_to() as bench:
        await bench.live.feed(recording, RATE)
        await bench.live.feed((recording * 32767).astype(np.int16).tobytes(), RATE)
        await bench.live.feed(np.repeat(recording, 2).astype(np.float64), 2 * RATE)
        await bench.live.feed(np.stack([recording, recording], 1), RATE)
        await bench.live.finish()
        count = len(await said(bench.live))
    assert 16 <= count <= 20


async def test_an_error_is_raised_once_and_the_session_goes_on() -> None:
    engines = ScriptedInput(live=False)
    async with listening_to(engines) as bench:
        engines.fails[Kind.ASR] = EngineFailed("broken")
        await bench.feed(speech(1.0), silence(1.0))
        with pytest.raises(EngineFailed, match="broken"):
            await said(bench.live)
        del engines.fails[Kind.ASR]
        await bench.feed(speech(1.0), silence(1.0))
        await bench.live.finish()
        assert (await said(bench.live))[:2] == ["w1", "w2"]


async def test_an_error_that_nobody_read_comes_with_the_end() -> None:
    engines = ScriptedInput(live=False)
    engines.fails[Kind.ASR] = EngineFailed("broken")
    async with listening_to(engines) as bench:
        await bench.feed(speech(1.0))
        with pytest.raises(EngineFailed, match="broken"):
            await bench.live.finish()


async def test_missing_audio_ends_the_turn() -> None:
    async with listening_to(audio_timeout=0.5) as bench:
        await bench.feed(speech(1.0))
        words: list[str] = []
        while len(words) < 2:
            words += [word.text.strip() for word in (await anext(bench.live)).committed]
    assert words == ["w1", "w2"]


async def test_leaving_ends_it_at_once() -> None:
    bench = Bench()
    async with bench.live as live:
        reading = asyncio.ensure_future(said(live))
        await bench.feed(speech(0.6))
    assert bench.engines.open_jobs == 0
    assert len(await reading) <= 2
    with pytest.raises(Draining, match="closed"):
        await live.feed(speech(0.1))
    with pytest.raises(BadRequest, match="used already"):
        await live.__aenter__()


async def test_wrong_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    with pytest.raises(BadRequest, match="in a block"):
        await bench.live.feed(speech(0.1))
    with pytest.raises(BadRequest, match="in a block"):
        await anext(bench.live)
    monkeypatch.setattr(listening, "MAX_UNREAD", 1)
    async with listening_to() as bench:
        await bench.feed(speech(3.0))
        while len(getattr(bench.live._unread, "committed", ())) < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(BadRequest, match="1 words wait to be read"):
            await bench.feed(speech(0.1))
        await bench.live.finish()
        with pytest.raises(BadRequest, match="finished"):
            await bench.live.feed(speech(0.1))


async def test_a_session_that_cannot_open_is_over() -> None:
    bench = Bench()

    async def refuse() -> tuple[TranscriptionSession, float]:
        raise UnknownModel("no model")

    live = AsyncListening(refuse, bench.closed.append)
    with pytest.raises(UnknownModel):
        await live.__aenter__()
    assert bench.closed == [live]
