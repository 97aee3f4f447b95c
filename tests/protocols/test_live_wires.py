"""The same asked of every live wire: each word once and in order, whatever the reader, the end or the engine does.

Engines are scripted: a word is 100 ms of tone (support/scripted_conversation.py).
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from protocols.conftest import Server, Start, serve
from support.live_wires import RATE, WIRES, LiveClient, open_wire
from support.scripted_conversation import LIVE_MODELS, tone, words

TURNS = (0.5, 1.2, 0.3)
"""Seconds of tone of the turns that the tests say, with SILENCE after each."""
SILENCE = 1.0


@dataclass(frozen=True)
class Live:
    """A server with every live wire."""

    server: Server
    wyoming: str
    """The address of the Wyoming service, "host:port"."""

    def open(self, wire: str) -> object:
        return open_wire(wire, self.server.url, self.wyoming)

    def metric(self, name: str, **labels: str) -> float:
        """The value of a sample on /metrics; 0 where it is not there."""
        page = httpx.get(f"{self.server.url}/metrics", trust_env=False).text
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return 0.0


def lived(server: Server) -> Live:
    found = re.search(r"Wyoming on tcp://(\S+) ", server.log.read_text())
    assert found, server.log.read_text()
    return Live(server, found[1])


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    with serve(folder, "--wyoming", "127.0.0.1:0", SPEECHMLX_MODELS=LIVE_MODELS) as server:
        yield lived(server)


def said(*seconds: float, silence: float = SILENCE) -> bytes:
    """Turns of tone as PCM16 at RATE."""
    return b"".join(tone(one, rate=RATE) + tone(silence, level=0.0, rate=RATE) for one in seconds)


def expected(*seconds: float) -> list[str]:
    return " ".join(words(one) for one in seconds).split()


def lowered(found: list[str]) -> list[str]:
    return [re.sub(r"\W", "", word).lower() for word in found]


async def say(client: LiveClient, audio: bytes, seed: int = 0) -> None:
    """Send audio in pieces of random sizes, odd ones too where the wire takes bytes."""
    chance, place = random.Random(seed), 0
    while place < len(audio):
        size = chance.choice((320, 3200, 6400, 640, 32000)) if seed else 3200
        await client.send(audio[place : place + size])
        place += size
        if chance.random() < 0.2:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("wire", WIRES)
async def test_each_word_once_and_in_order(live: Live, wire: str) -> None:
    for seed in range(3):
        async with live.open(wire) as client:  # type: ignore[attr-defined]
            await say(client, said(*TURNS), seed)
            assert lowered(await client.finish()) == expected(*TURNS)
            assert not client.failures


@pytest.mark.parametrize("wire", WIRES)
async def test_words_at_the_very_end_are_not_lost(live: Live, wire: str) -> None:
    async with live.open(wire) as client:  # type: ignore[attr-defined]
        await say(client, tone(0.7, rate=RATE))
        assert lowered(await client.finish()) == expected(0.7)


@pytest.mark.parametrize("wire", [wire for wire in WIRES if wire not in ("wyoming", "flux")])
async def test_a_second_of_silence_finalises(live: Live, wire: str) -> None:
    """Flux ends a turn when it is sure; Wyoming has one answer."""
    async with live.open(wire) as client:  # type: ignore[attr-defined]
        await say(client, said(0.5))
        async with asyncio.timeout(10):
            while lowered(client.words) != expected(0.5):
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("wire", WIRES)
async def test_nothing_is_said_in_silence(live: Live, wire: str) -> None:
    async with live.open(wire) as client:  # type: ignore[attr-defined]
        await say(client, tone(20.0, level=0.0, rate=RATE))
        assert await client.finish() == []


@pytest.mark.parametrize("wire", WIRES)
async def test_a_reader_that_pauses_loses_nothing(live: Live, wire: str) -> None:
    turns = (1.0,) * 20
    async with live.open(wire) as client:  # type: ignore[attr-defined]
        client.reading.clear()
        await asyncio.wait_for(say(client, said(*turns)), 60)
        await asyncio.sleep(0.5)
        client.reading.set()
        assert lowered(await client.finish()) == expected(*turns)


@pytest.mark.parametrize("wire", WIRES)
async def test_a_cut_connection_frees_its_session(live: Live, wire: str) -> None:
    before = live.metric("speechmlx_sessions")
    async with live.open(wire) as client:  # type: ignore[attr-defined]
        await say(client, tone(1.0, rate=RATE))
        await until(lambda: live.metric("speechmlx_sessions") == before + 1)
        await client.cut()
        await until(lambda: live.metric("speechmlx_sessions") == before)
    assert live.metric("speechmlx_jobs_running") == 0
    assert "Traceback" not in live.server.log.read_text()


@pytest.mark.parametrize("wire", WIRES)
async def test_a_session_goes_on_when_the_engine_process_ends(start_server: Start, wire: str) -> None:
    """The scripted recogniser counts anew in a new stream: every word is there, and none twice."""
    with start_server("--wyoming", "127.0.0.1:0", SPEECHMLX_MODELS=LIVE_MODELS) as server:
        live = lived(server)
        async with live.open(wire) as client:  # type: ignore[attr-defined]
            await say(client, said(0.5))
            await client.finish()  # the models are loaded
        for silent in (True, False):  # before the audio that the engine process gets and never takes
            async with live.open(wire) as client:  # type: ignore[attr-defined]
                await say(client, tone(0.5, level=0.0 if silent else 0.8, rate=RATE))
                await asyncio.sleep(0.5)
                children = psutil.Process(server.process.pid).children()
                (engine,) = [child for child in children if "worker" in cmdline(child)]
                engine.suspend()
                await say(client, tone(1.0, rate=RATE))
                engine.kill()
                await asyncio.to_thread(engine.wait, 10)
                await until(lambda: server.health()["engine"] == "ok")
                await say(client, said(0.5))
                found = lowered(await client.finish())
            total = 15 if silent else 20
            anew = [expected(count / 10) + expected((total - count) / 10) for count in range(1 if silent else 6)]
            assert found in anew and not client.failures, (found, client.failures)


async def test_sixteen_sessions_at_once(live: Live) -> None:
    """As fast as people speak, over all wires: 95 of 100 words are final less than a second after their sound."""
    async with live.open("asr") as first:  # type: ignore[attr-defined]
        await say(first, said(0.3))
        await first.finish()  # the models are loaded
    before = latencies(live)

    async def one(number: int) -> tuple[list[str], list[str]]:
        async with live.open(WIRES[number % len(WIRES)]) as client:  # type: ignore[attr-defined]
            audio = said(1.5, 1.5)
            for place in range(0, len(audio), 3200):
                await client.send(audio[place : place + 3200])
                await asyncio.sleep(0.1)
            return lowered(await client.finish()), client.failures

    for words_of_one, failures in await asyncio.gather(*(one(number) for number in range(16))):
        assert words_of_one == expected(1.5, 1.5) and not failures
    counts = {bound: count - before.get(bound, 0.0) for bound, count in latencies(live).items()}
    total = counts[float("inf")]
    assert total >= 16 * 2 * 15 * 0.9  # words of whole turns have no latency
    print("final within", ", ".join(f"{bound} s: {counts[bound] / total:.0%}" for bound in (0.1, 0.3, 0.5, 1.0)))
    assert counts[1.0] >= 0.95 * total


def latencies(live: Live) -> dict[float, float]:
    """Words that were final within so many seconds, over all wires."""
    page = httpx.get(f"{live.server.url}/metrics", trust_env=False).text
    counts: dict[float, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == "speechmlx_commit_latency_seconds_bucket":
                bound = float(sample.labels["le"])
                counts[bound] = counts.get(bound, 0.0) + sample.value
    return counts


def cmdline(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


async def until(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):  # type: ignore[arg-type]
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
