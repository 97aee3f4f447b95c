"""The work of `audio-server bench`: what a person waits for on this machine, over a server's sockets."""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from speechmlx import __version__
from speechmlx.audio.pcm import to_pcm16
from speechmlx.audio.resample import resample
from speechmlx.cli.terminal.backend import (
    LISTEN_RATE,
    TALK_RATE,
    AnswerSound,
    HearingOptions,
    SpeakingOptions,
    TalkingOptions,
    TalkTrouble,
)
from speechmlx.cli.terminal.running import hint, json_line, say
from speechmlx.cli.terminal.server_live import listen_on, talk_on
from speechmlx.cli.terminal.server_routes import OnServer, connected
from speechmlx.cli.terminal.servers import ServerAddress
from speechmlx.errors import BadRequest, EngineFailed, SpeechError
from speechmlx.library.results import Sound
from speechmlx.machine import memory_bytes
from speechmlx.types import Chunk

if TYPE_CHECKING:
    from speechmlx.types import Samples

QUESTION = "What is the capital of France?"
STORY = (
    "A small boat crossed the bay in the early morning. Nobody was at the harbour to see it leave. The wind came from "
    "the west, and the water was calm. By noon the boat had reached the island, and the crew went ashore to look for "
    "fresh water."
)
ROUNDS = 3
"""Answers that are measured; one more before them loads the models."""
STEP = 0.1
"""Seconds of audio in a message."""
SILENT = 0.02
"""Part of the loudest sample up to which sound is silence."""
SILENCE = 2.0
"""Seconds of silence that end a question, at most: the answer comes before."""
ANSWER_SECONDS = 60.0
"""Seconds in which an answer begins."""
STREAM_SECONDS = 5.0
"""Seconds of speech of a live session."""
LATE = 1.0
"""Seconds that the last words of a session may come after its audio."""


class Benchmark:
    """Measures, tells the numbers, and makes a row of JSON of them."""

    def __init__(self, sessions: int, output: str | None, as_json: bool) -> None:
        """At most so many live `sessions` are tried. `output`: the row is appended to this file, too."""
        self._sessions = sessions
        self._output = output
        self._as_json = as_json

    async def run(self, server: ServerAddress) -> int:
        """Measure; the exit code. Raises SpeechError."""
        async with connected(server) as client:
            engines = OnServer(client, server)
            hint("speaking ...")
            question = await spoken(engines, QUESTION)  # loads the model
            row = {"speak": await self._speak(engines)}
            with tempfile.TemporaryDirectory(prefix="speechmlx-bench-") as folder:
                story = Path(folder, "story.wav")
                (await spoken(engines, STORY)).save(story)
                hint("recognising ...")
                row["transcribe"] = await self._transcribe(engines, story)
                hint("reducing noise ...")
                row["enhance"] = await self._enhance(engines, story)
            hint("answering ...")
            row["answer"] = await self._answer(server, question)
            hint("listening to several at once ...")
            row["sessions"] = await self._live(server, question)
            health = (await client.get("/health")).json()
        self._tell({**machine(), "device": health["device"], "models": names(health), **row})
        return 0

    async def _speak(self, engines: OnServer) -> dict[str, float]:
        began, first, seconds = time.perf_counter(), 0.0, 0.0
        async with aclosing(engines.speak(STORY, SpeakingOptions())) as chunks:
            async for chunk in chunks:
                first = first or time.perf_counter() - began
                seconds += chunk.duration
        return {"first_sound_s": round(first, 3), "work_per_second": per_second(began, seconds)}

    async def _transcribe(self, engines: OnServer, story: Path) -> dict[str, float]:
        await engines.transcribe(story, HearingOptions(), turns=False, on_progress=lambda part: None)
        began = time.perf_counter()
        result = await engines.transcribe(story, HearingOptions(), turns=False, on_progress=lambda part: None)
        return {"work_per_second": per_second(began, result.duration)}

    async def _enhance(self, engines: OnServer, story: Path) -> dict[str, float]:
        await collected(engines.enhance(story, None))
        began = time.perf_counter()
        return {"work_per_second": per_second(began, (await collected(engines.enhance(story, None))).duration)}

    async def _answer(self, server: ServerAddress, question: Sound) -> dict[str, Any]:
        """Seconds from the end of speech to the first sound of the answer."""
        pcm16 = to_pcm16(resample(without_end(question.samples), question.rate, TALK_RATE))
        waits = [await answer_wait(server, pcm16) for _ in range(ROUNDS + 1)][1:]
        return {"first_sound_s": round(statistics.median(waits), 3), "all_s": [round(wait, 3) for wait in waits]}

    async def _live(self, server: ServerAddress, question: Sound) -> dict[str, Any]:
        """The most live sessions at once, at the speed of speech, whose last words come in time."""
        once = to_pcm16(resample(question.samples, question.rate, LISTEN_RATE))
        size = 2 * round(LISTEN_RATE * STREAM_SECONDS)
        pcm16 = (once * (size // max(1, len(once)) + 1))[:size]
        held, delays = 0, dict[str, float]()
        count = 1
        while count <= self._sessions:
            try:
                delay = max(await asyncio.gather(*(stream_delay(server, pcm16) for _ in range(count))))
            except SpeechError as error:
                hint(f"{count} sessions: {error}")
                break
            delays[str(count)] = round(delay, 3)
            if delay > LATE:
                break
            held, count = count, 2 * count
        return {"held": held, "last_words_after_s": delays}

    def _tell(self, row: dict[str, Any]) -> None:
        if self._output is not None:
            try:
                with Path(self._output).expanduser().open("a") as file:
                    file.write(json_line(row))
            except OSError as error:
                raise BadRequest(f"{self._output} cannot be written: {error.strerror or error}") from error
        if self._as_json:
            print(json_line(row), end="", flush=True)
            return
        for line in lines(row):
            say(line)


def lines(row: dict[str, Any]) -> list[str]:
    """A row for people."""
    models = ", ".join(row["models"])
    return [
        f"{row['machine']}, {row['memory_gb']} GB, {row['device']}; speechmlx {row['version']}, {models}",
        f"Answer:     first sound {row['answer']['first_sound_s']} s after the end of speech",
        f"Synthesis:  first sound after {row['speak']['first_sound_s']} s; {row['speak']['work_per_second']} s of work "
        "for a second of sound",
        f"Recognition: {row['transcribe']['work_per_second']} s of work for a second of a recording",
        f"Noise:      {row['enhance']['work_per_second']} s of work for a second of a recording",
        f"Live:       {row['sessions']['held']} sessions at once, whose last words came within {LATE:g} s",
    ]


def machine() -> dict[str, Any]:
    """What is measured, and when."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "version": __version__,
        "machine": chip(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "memory_gb": round(memory_bytes() / 2**30),
    }


def chip() -> str:
    """The name of the processor, as far as the system tells it."""
    if sys.platform == "darwin":
        asked = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True)
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip()
    return platform.machine()


def names(health: dict[str, Any]) -> list[str]:
    """The models that were used."""
    return sorted(model["name"] for model in health["models"] if model["state"] == "loaded")


def per_second(began: float, seconds: float) -> float:
    """Seconds of work since `began` for each of so many `seconds` of audio."""
    if not seconds:
        raise EngineFailed("the models gave no sound to measure with")
    return round((time.perf_counter() - began) / seconds, 4)


async def spoken(engines: OnServer, text: str) -> Sound:
    """A text as sound."""
    return await collected(engines.speak(text, SpeakingOptions()))


async def collected(chunks: AsyncGenerator[Chunk, None]) -> Sound:
    """The sound of all chunks."""
    async with aclosing(chunks) as given:
        return Sound.of([chunk async for chunk in given], TALK_RATE)


def without_end(samples: Samples) -> Samples:
    """The samples up to the end of speech: without the silence after it."""
    level = np.abs(samples)
    loud = np.flatnonzero(level > SILENT * level.max(initial=0.0))
    return samples[: int(loud[-1]) + 1] if len(loud) else samples


async def answer_wait(server: ServerAddress, pcm16: bytes) -> float:
    """Ask a question at the speed of speech; seconds from its end to the first sound of the answer.

    Raises EngineFailed where none comes.
    """
    audio = pcm16 + bytes(2 * round(TALK_RATE * SILENCE))
    async with talk_on(server, TalkingOptions()) as talk:
        asking = asyncio.create_task(paced(talk, audio, TALK_RATE))
        ended = time.perf_counter() + len(pcm16) / 2 / TALK_RATE
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                async for event in talk:
                    if isinstance(event, AnswerSound):
                        return time.perf_counter() - ended
                    if isinstance(event, TalkTrouble):
                        raise EngineFailed(event.message)
        except TimeoutError:
            pass
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    raise EngineFailed(f"no answer began in {ANSWER_SECONDS:g} s")


async def stream_delay(server: ServerAddress, pcm16: bytes) -> float:
    """Feed a live session at the speed of speech; seconds from the end of its audio to its last words."""
    async with listen_on(server, HearingOptions()) as live:

        async def read() -> None:
            async for _ in live:
                pass

        reading = asyncio.create_task(read())
        try:
            await paced(live, pcm16, LISTEN_RATE)
            ended = time.perf_counter()
            await live.finish()
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return time.perf_counter() - ended


async def paced(live: Any, pcm16: bytes, rate: int) -> None:
    """Feed mono PCM16 at `rate` Hz as fast as it was spoken."""
    step, began = 2 * round(rate * STEP), time.perf_counter()
    for start in range(0, len(pcm16), step):
        await live.feed(pcm16[start : start + step])
        fed = min(start + step, len(pcm16)) / 2 / rate
        await asyncio.sleep(max(0.0, began + fed - time.perf_counter()))
