"""Attacks of every family on two servers, with fixed seeds, and the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import multiprocessing
import os
import random
import re
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from protocols.conftest import serve
from support.hostile.described import attack as attack_described
from support.hostile.judge import GROWTH, MB, MORE_FILES, Witness
from support.hostile.models import attack as attack_models
from support.hostile.sockets import MESSAGES
from support.hostile.target import Target
from support.scripted_conversation import LIVE_MODELS

OPERATIONS = 56
"""About as many as the description has."""
AT_ONCE = 12
"""Attacks at the same time."""
WARM_UP = 0.2
"""Share of the attacks after which the memory is what it is compared with."""
SETTLE, BRIEFLY = 7.0, 1.0
"""Seconds from the last attack to the last look at memory and files: closed sessions are collected after 5."""


@dataclass(frozen=True)
class Family:
    """A function (target, draw) → what is wrong, and its `share` of all inputs; one call sends `inputs` of them."""

    place: str
    share: float
    inputs: int = 1

    async def attack(self, target: Target, seed: str) -> str | None:
        module, _, name = self.place.partition(":")
        found: str | None = await getattr(importlib.import_module(f"support.hostile.{module}"), name)(
            target, random.Random(seed)
        )
        return found


FAMILIES = {
    "requests": Family("requests:attack", 0.20),
    "framing": Family("raw_http:attack", 0.10),
    "http2": Family("http2:attack", 0.03),
    "sockets": Family("sockets:attack", 0.35, MESSAGES),
    "frames": Family("sockets:attack_frames", 0.06),
    "wyoming": Family("wyoming:attack", 0.08),
    "recordings": Family("recordings:attack", 0.06),
}
DESCRIBED, MODELS = 0.02, 0.10
"""Shares of schemathesis' requests and of model files."""
HEALTH = 0.05
"""Seconds that 99 of 100 answers of /health may take."""
BATCH = 25
"""Model files that are read in one go."""


@dataclass
class Verdict:
    """How it ended. `wrong`: each finding, with what repeats it."""

    wrong: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    """Servers whose /health took longer than HEALTH; it says something on an idle machine only."""
    sent: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)


@contextlib.contextmanager
def attacked(folder: Path) -> Iterator[tuple[Witness, Witness, Target]]:
    """A plain server with every wire and one with TLS, both with scripted engines and no way to fetch anything."""
    nowhere: dict[str, Any] = {
        "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "HF_HUB_OFFLINE": "1",
        "SPEECHMLX_MODELS": LIVE_MODELS, "SPEECHMLX_MAX_SESSIONS": "64", "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }  # fmt: skip
    temporary = [folder / "plain-tmp", folder / "secure-tmp"]
    for one in temporary:
        one.mkdir(parents=True)
    flags = ("--wyoming", "0", "--diarize", "scripted-diarizer")
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(serve(folder / "plain", *flags, **nowhere, TMPDIR=str(temporary[0])))
        secure = stack.enter_context(serve(folder / "secure", "--tls-self-signed", **nowhere, TMPDIR=str(temporary[1])))
        pem = re.search(r"self-signed certificate (.+), SHA", secure.log.read_text())
        assert pem is not None
        trust = Path(pem[1]).read_text()
        client_side = ssl.create_default_context(cadata=trust)
        target = Target(_port(plain.url), _port(plain.wyoming), _port(secure.url), client_side)
        yield Witness(plain, temporary[0]), Witness(secure, temporary[1], trust=trust), target


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


class HostileRun:
    """A run of about `count` inputs that `seed` decides; `only`, "FAMILY" or "FAMILY:NUMBER", repeats a part.

    A `brief` one does not look at growth: it is over before the servers are warm. One of `minutes` begins no attack
    after that time.
    """

    def __init__(
        self, count: int, seed: int, only: str = "", brief: bool = False, minutes: float = float("inf")
    ) -> None:
        self.verdict = Verdict()
        self._seed = seed
        self._count = count
        plan = [(name, n) for name, one in FAMILIES.items() for n in range(max(1, int(count * one.share / one.inputs)))]
        random.Random(seed).shuffle(plan)
        if only:
            name, _, number = only.partition(":")
            plan = [one for one in plan if one[0] == name and number in ("", str(one[1]))] or [(name, int(number))]
        self._plan, self._only, self._brief, self._seconds = plan, only, brief, minutes * 60

    async def run(self) -> Verdict:
        with tempfile.TemporaryDirectory() as folder, attacked(Path(folder)) as (plain, secure, target):
            began = time.monotonic()
            self._end = began + self._seconds
            async with plain.watching(), secure.watching():
                await plain.ready()
                background = [] if self._only else [self._described(target), self._models()]
                side = [asyncio.create_task(one) for one in background]
                share = int(len(self._plan) * WARM_UP)
                await self._attack(target, self._plan[:share], began + self._seconds * WARM_UP)
                before = [(one.resident(), one.files()) for one in (plain, secure)]
                await self._attack(target, self._plan[share:], self._end)
                await asyncio.gather(*side)
            await asyncio.sleep(BRIEFLY if self._brief else SETTLE)
            self.verdict.lines.append(f"{sum(self.verdict.sent.values())} inputs in {time.monotonic() - began:.0f} s")
            for name, one, (memory, files) in zip(("plain", "TLS"), (plain, secure), before, strict=True):
                self._judge(name, one, memory, files)
        return self.verdict

    def _judge(self, name: str, one: Witness, memory: int, files: int) -> None:
        waits, wrong = sorted(one.waits) or [0.0], list(one.wrong)
        now, open_now = one.resident(), one.files()
        if self._brief:
            memory, files = now, open_now
        wrong += [f"grew from {memory / MB:.0f} to {now / MB:.0f} MB"] * (now > memory + GROWTH)
        wrong += [f"{files} descriptors became {open_now}"] * (open_now > files + MORE_FILES)
        wrong += [f"left behind in the folder for temporary files: {left}" for left in [one.left_behind()] if left]
        wrong += one.traces()
        self.verdict.wrong += [f"{name} server: {found}" for found in wrong]
        self.verdict.slow += [f"{name} server: /health is slow"] * (waits[len(waits) * 99 // 100] > HEALTH)
        self.verdict.lines.append(
            f"{name} server: /health {len(waits)} times, p50 {waits[len(waits) // 2] * 1000:.0f} ms, "
            f"p99 {waits[len(waits) * 99 // 100] * 1000:.0f} ms, max {waits[-1] * 1000:.0f} ms; "
            f"front {memory / MB:.0f} MB and {files} descriptors after the warm-up, "
            f"{now / MB:.0f} MB and {open_now} at the end; control sessions {dict(one.sessions)}"
        )

    async def _attack(self, target: Target, plan: list[tuple[str, int]], end: float) -> None:
        left = takewhile(lambda _: time.monotonic() < end, plan)

        async def work() -> None:
            for name, number in left:
                family = FAMILIES[name]
                try:
                    wrong = await family.attack(target, f"{self._seed} {name} {number}")
                except Exception as error:
                    wrong = f"{type(error).__name__}: {error}"
                self.verdict.sent[name] += family.inputs
                if wrong:
                    again = f"scripts/soak hostile --seed {self._seed} --only {name}:{number}"
                    self.verdict.wrong.append(f"{wrong}\n    {again}")

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def _described(self, target: Target) -> None:
        each = max(1, int(self._count * DESCRIBED / OPERATIONS))
        made = attack_described(target.url, self._seed, each)
        while time.monotonic() < self._end and (found := await asyncio.to_thread(next, made, None)) is not None:
            self.verdict.sent["described"] += found[0]
            self.verdict.wrong += found[1]

    async def _models(self) -> None:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            for number in range(max(1, int(self._count * MODELS / BATCH))):
                if time.monotonic() > self._end:
                    return
                seed = f"{self._seed} models {number}"
                found = await asyncio.get_running_loop().run_in_executor(pool, attack_models, seed, BATCH)
                self.verdict.sent["models"] += BATCH
                self.verdict.wrong += [f"{one} (seed {seed!r})" for one in found]
