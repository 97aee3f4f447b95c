"""What must stay true while a server is attacked: clients of each wire get their words, /health answers, and nothing
grows or stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
from support.hostile_forms import WAV
from support.live_wires import RATE, WIRES, LiveClient, Realtime, open_wire
from support.scripted_conversation import tone, words

if TYPE_CHECKING:
    from protocols.conftest import Server

MB = 1 << 20
GROWTH, MORE_FILES = 64 * MB, 16
"""Bytes and descriptors that the front may take more than after the warm-up."""
SAID = 0.5
"""Seconds of tone that a control client says."""
AUDIO = tone(0.2, 0.0, RATE) + tone(SAID, rate=RATE) + tone(1.0, 0.0, RATE)
EXPECTED = words(SAID).split()
PAUSE = 0.5
"""Seconds between two sessions of a control client, and a tenth of them between two questions for /health."""
FEW = 6
"""Errors of a log that are shown."""
HEARD = 20.0
"""Seconds in which the words of a turn come."""
TRACE = re.compile(r"^\S+ \S+ ERROR |^Traceback", re.MULTILINE)


@dataclass
class Witness:
    """One server under attack, and what was seen of it."""

    server: Server
    temporary: Path
    """Its folder for temporary files."""
    waits: list[float] = field(default_factory=list)
    """Seconds of each answer of /health."""
    sessions: Counter[str] = field(default_factory=Counter)
    """Sessions of control clients that got their words, by wire."""
    wrong: list[str] = field(default_factory=list)
    trust: str = ""
    """The PEM of its certificate."""

    def __post_init__(self) -> None:
        self._process = psutil.Process(self.server.process.pid)
        self._at_first = set(self.temporary.iterdir())

    def resident(self) -> int:
        """Bytes of memory of the front."""
        return int(self._process.memory_info().rss)

    def files(self) -> int:
        """Open descriptors of the front."""
        return int(self._process.num_fds())

    def left_behind(self) -> list[str]:
        """Temporary files that were not there at first."""
        return sorted(path.name for path in set(self.temporary.iterdir()) - self._at_first)

    def traces(self) -> list[str]:
        """Where its log tells of an error, with what follows."""
        text = self.server.log.read_text(errors="replace")
        found = [text[one.start() :].split("\n2", 1)[0] for one in TRACE.finditer(text)]
        found = [one if len(one) < 2000 else f"{one[:500]} ... {one[-1500:]}" for one in found]
        return found[:FEW] + [f"... {len(found) - FEW} more"] * (len(found) > FEW)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """A block during which control clients talk and /health is asked."""
        tasks = [asyncio.create_task(self._ask())]
        if not self.trust:
            tasks += [asyncio.create_task(self._talk(wire)) for wire in WIRES]
            tasks += [asyncio.create_task(self._upload())]
        try:
            yield
        finally:
            waiting = set(tasks)
            while waiting:  # a client that awaits a task of its own may swallow one cancellation
                for task in waiting:
                    task.cancel()
                _, waiting = await asyncio.wait(waiting, timeout=1)

    async def ready(self) -> None:
        """Wait until each control client had its words once, and what is loaded when it is first used is loaded.

        These are the models, and the dictionaries of both kinds of English in the front. Raises TimeoutError.
        """
        async with asyncio.timeout(120), self._client() as client:
            for language in ("en-US", "en-GB"):
                asked = {"input": "1,000 words, $5.30", "language": language}
                (await client.post("/v1/audio/speech/reading", json=asked)).raise_for_status()
            while len(self.sessions) <= len(WIRES):
                await asyncio.sleep(0.05)
        self.waits.clear()

    async def _ask(self) -> None:
        async with self._client() as client:
            while True:
                began = time.monotonic()
                try:
                    answer = (await client.get("/health")).json()
                    if (answer["status"], answer["engine_restarts"]) != ("ok", 0):
                        self.wrong.append(f"/health says {answer}")
                except Exception as error:
                    self.wrong.append(f"/health: {type(error).__name__}: {error}")
                self.waits.append(time.monotonic() - began)
                await asyncio.sleep(PAUSE / 10)

    def _client(self) -> httpx.AsyncClient:
        verify = ssl.create_default_context(cadata=self.trust) if self.trust else True
        return httpx.AsyncClient(base_url=self.server.url, trust_env=False, timeout=20, verify=verify)

    async def _talk(self, wire: str) -> None:
        address = self.server.wyoming.removeprefix("tcp://")
        while True:
            try:
                async with asyncio.timeout(60), open_wire(wire, self.server.url, address) as client:
                    for at in range(0, len(AUDIO), 6400):
                        await client.send(AUDIO[at : at + 6400])
                    await self._heard(client)
                    found = [re.sub(r"\W", "", word).lower() for word in await client.finish()]
                    if found != EXPECTED or client.failures:
                        self.wrong.append(f"a control client of {wire} got {found} and {client.failures}")
                    else:
                        self.sessions[wire] += 1
            except Exception as error:
                self.wrong.append(f"a control client of {wire}: {type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE)

    async def _heard(self, client: LiveClient) -> None:
        """Wait for the first words, which a realtime session tells before its end is asked for."""
        end = time.monotonic() + HEARD
        while isinstance(client, Realtime) and not client.words and time.monotonic() < end:
            await asyncio.sleep(0.05)

    async def _upload(self) -> None:
        async with self._client() as client:
            while True:
                try:
                    answer = await client.post("/v1/audio/transcriptions", files={"file": ("a.wav", WAV)})
                    if answer.status_code == 200 and answer.json()["text"]:
                        self.sessions["upload"] += 1
                    else:
                        self.wrong.append(f"an upload was answered {answer.status_code} {answer.text[:300]}")
                except Exception as error:
                    self.wrong.append(f"an upload: {type(error).__name__}: {error}")
                await asyncio.sleep(PAUSE)
