"""A voice conversation, timed at its client: end of speech → transcript → first token → first audio, and barge-in.

Scripted engines show what the server itself adds. With the starter models, in 1, 4 and 16 sessions at once, it is the
wait that a person has; its peer there is the same models called stage after stage, each for the whole of what the one
before gave, as the reference server does: the longer the answer, the longer that takes, so questions differ in it.
Speech is sent at the pace of a microphone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from report import Row, show
from support import scripted_conversation
from support.realtime_client import Talk, talk

from speechmlx.audio.decode import decode
from speechmlx.audio.pcm import from_pcm16, to_pcm16
from speechmlx.audio.resample import resample
from speechmlx.config import Config
from speechmlx.conversation.llm.language_model import build_request
from speechmlx.conversation.settings import Answering
from speechmlx.models import catalog
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Audio, Message, NamedVoice, Priority, Segment, Speak, TextDelta, Transcribe

COMMAND = Path(sys.executable).with_name("audio-server")
TESTS = Path(__file__).parents[1]
RATE = 24_000
PIECE = RATE // 50 * 2
"""Bytes in a message: 20 ms."""
SILENCE = 0.2
"""Seconds that end a turn here, in all that is timed."""
QUESTIONS = ("What is the capital of France?", "How do I boil an egg?", "Tell me about the history of Rome.")
ASR = "whisper-tiny.en"
VOICE = "af_heart"
BUDGET = 300.0
OFFSET = 0.7
"""Seconds between those who ask at once: nobody begins in step."""
STAGES = {
    "transcript": "conversation.item.input_audio_transcription.completed",
    "first token": "response.output_audio_transcript.delta",
    "first audio": "response.output_audio.delta",
}
SHARES = (0.5, 0.95)
BEFORE = ("turn over", "transcript", "first token")


@contextmanager
def server(*flags: str, **environment: str) -> Iterator[str]:
    """A server's address."""
    command = [str(COMMAND), "serve", "--port", "0", "--profile", "starter", "--log-level", "warning", *flags]
    with TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **environment})
        try:
            yield _address(Path(folder) / "log", process)
        finally:
            process.terminate()
            process.wait()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    while process.poll() is None:
        if found := re.search(r"Starting server on (http://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise SystemExit(f"the server ended:\n{log.read_text()}")


class Clock:
    """When each kind of event first came, on a connection, and how long its listener had nothing to hear."""

    def __init__(self, ws: Talk) -> None:
        self.ws = ws
        self.first: dict[str, float] = {}
        self.dry = 0.0
        self.text = ""
        self._over = 0.0
        """When what came so far will have been played."""

    async def until(self, kind: str) -> float:
        while kind not in self.first:
            event = json.loads(await self.ws.socket.recv())
            if event["type"] == "error":
                raise SystemExit(f"the server said {event['error']}")
            now = time.monotonic()
            self.first.setdefault(event["type"], now)
            if event["type"] == STAGES["first token"]:
                self.text += event["delta"]
            if event["type"] == STAGES["first audio"]:
                self.dry += max(0.0, now - self._over) if self._over else 0.0
                self._over = max(now, self._over) + len(b64decode(event["delta"])) / 2 / RATE
        return self.first[kind]


async def microphone(ws: Talk, pcm16: bytes) -> float:
    """Sends audio at its own pace; when the last of it was sent."""
    begun = time.monotonic()
    for number, start in enumerate(range(0, len(pcm16), PIECE)):
        await asyncio.sleep(max(0.0, begun + number * 0.02 - time.monotonic()))
        await ws.play(pcm16[start : start + PIECE], PIECE)
    return time.monotonic()


async def turn(url: str, question: bytes, whole: bool = False) -> dict[str, float]:
    """Seconds from the end of a spoken question to each stage of its answer, and how many "words" that has.

    "dry", if it is heard as a whole: how long it was silent in between because the rest was late.
    """
    detection = {"type": "server_vad", "silence_duration_ms": round(SILENCE * 1000)}
    heard = {"turn_detection": detection, "transcription": {}}
    async with talk(url, audio={"input": heard, "output": {"voice": VOICE}}) as ws:
        async with asyncio.timeout(BUDGET):
            clock = Clock(ws)
            spoken = await microphone(ws, question)
            quiet = asyncio.create_task(microphone(ws, bytes(RATE * 2 * 60)))
            await clock.until("response.output_audio.delta")
            await clock.until(STAGES["transcript"])
            if whole:
                await clock.until("response.done")
            quiet.cancel()
            await asyncio.gather(quiet, return_exceptions=True)
    stages = {name: clock.first[kind] - spoken for name, kind in STAGES.items()}
    over = clock.first["input_audio_buffer.speech_stopped"] - spoken
    return {"turn over": over, **stages, "dry": clock.dry, "words": len(clock.text.split())}


async def text_turn(url: str) -> float:
    """Seconds from a request by text to the first audio."""
    async with talk(url) as ws:
        clock = Clock(ws)
        await ws.say("hello")
        await ws.send("response.create")
        asked = time.monotonic()
        return await clock.until("response.output_audio.delta") - asked


@dataclass(frozen=True)
class BargeIn:
    """Seconds from the first speech sent to the end of the answer; from its detection; bytes of audio after that."""

    from_speech: float
    from_detection: float
    late: int


async def barge_in(url: str) -> BargeIn:
    """Speech into an answer whose synthesis takes 20 ms a step."""
    async with talk(url, audio={"output": {"voice": "work=0.02"}}) as ws:
        await ws.say("tell me a long story " * 10)
        await ws.send("response.create")
        await ws.until("response.output_audio.delta")
        begun = time.monotonic()
        speaking = asyncio.create_task(microphone(ws, scripted_conversation.tone(1.0)))
        await ws.until("input_audio_buffer.speech_started")
        detected, before = time.monotonic(), len(ws.audio())
        await ws.until("response.done")
        done = time.monotonic()
        await speaking
        return BargeIn(done - begun, done - detected, len(ws.audio()) - before)


@dataclass(frozen=True)
class Staged:
    """Seconds from the end of a question to an answer that is whole, and that answer's words."""

    seconds: float
    words: int


async def staged(runtime: Runtime, question: Audio) -> Staged:
    """The three models, each for the whole of what the one before gave."""
    began = time.monotonic()
    heard = await runtime.submit(Transcribe(model=ASR, audio=question, priority=Priority.REALTIME)).collect()
    text = "".join(event.text for event in heard if isinstance(event, Segment)).strip()
    written = await runtime.submit(build_request(Answering(), (Message("user", text),), None)).collect()
    said = "".join(event.text for event in written if isinstance(event, TextDelta))
    await runtime.submit(Speak(text=said, voice=NamedVoice(VOICE), priority=Priority.REALTIME)).collect()
    return Staged(time.monotonic() - began + SILENCE, len(said.split()))


async def peer(questions: list[bytes], repeats: int, crowds: list[int]) -> tuple[list[Staged], dict[int, list[float]]]:
    """For each question the median of `repeats`, and the seconds of each session of a crowd."""
    runtime = Runtime(Config(profile="starter"), catalog.load())
    await runtime.start()
    try:
        recordings = [Audio(resample(from_pcm16(question), RATE, 16000), 16000) for question in questions]
        await staged(runtime, recordings[0])
        found = [[await staged(runtime, audio) for _ in range(repeats)] for audio in recordings]
        alone = [sorted(times, key=lambda one: one.seconds)[len(times) // 2] for times in found]

        async def asks(number: int) -> float:
            audio = recordings[number % len(recordings)]
            await asyncio.sleep(number * OFFSET + audio.duration + SILENCE)
            return (await staged(runtime, audio)).seconds

        return alone, {count: await asyncio.gather(*map(asks, range(count))) for count in crowds}
    finally:
        await runtime.close()


def scripted(repeats: int) -> list[Row]:
    """What the server adds: the models take no time."""
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    with TemporaryDirectory() as cache:
        own = {"SPEECHMLX_CATALOG": "support.scripted:extend", "SPEECHMLX_CACHE": cache, "PYTHONPATH": path}
        with server(SPEECHMLX_MODELS=scripted_conversation.MODELS, **own) as url:
            asyncio.run(text_turn(url))
            texts = sorted(asyncio.run(text_turn(url)) for _ in range(repeats))
            turns = [asyncio.run(turn(url, scripted_conversation.tone(0.6))) for _ in range(max(3, repeats // 5))]
            barged = [asyncio.run(barge_in(url)) for _ in range(max(3, repeats // 5))]
    after = sorted(one["first audio"] - one["turn over"] for one in turns)
    stops = sorted(one.from_detection for one in barged)
    return [
        *_quantiles("scripted: request by text to first audio", texts),
        *_quantiles("scripted: end of turn to first audio", after),
        *_quantiles("scripted: speech detected to answer stopped", stops),
        *_quantiles("scripted: first speech to answer stopped", [one.from_speech for one in barged]),
        Row("scripted: audio sent after speech was detected", max(one.late for one in barged), "bytes"),
    ]


def starter(sessions: tuple[int, ...], repeats: int) -> list[Row]:
    """What a person waits, with small real models."""
    with server("--asr", ASR, "--max-sessions", "32") as url:  # those of the crowd before may still be closing
        questions = [_asked(url, text) for text in QUESTIONS]
        asyncio.run(turn(url, questions[0]))
        turns = [[asyncio.run(turn(url, question, whole=True)) for _ in range(repeats)] for question in questions]
        crowds = {count: asyncio.run(_crowd(url, questions, count)) for count in sessions if count > 1}
    alone, together = asyncio.run(peer(questions, repeats, list(crowds)))
    rows = [
        Row(f"starter: end of speech to {name}", _ms([one[name] for one in turns[0]], 0.5), "ms") for name in BEFORE
    ]
    for mine, theirs in zip(turns, alone, strict=True):
        if {one["words"] for one in mine} != {theirs.words}:
            raise SystemExit(f"the answers differ: {theirs.words} words, ours {[one['words'] for one in mine]}")
        what = f"starter: end of speech to first audio, answer of {theirs.words} words"
        wait = _ms([one["first audio"] for one in mine], 0.5)
        rows.append(Row(what, wait, "ms", 1000 * theirs.seconds, "stage after stage"))
        dry = _ms([one["dry"] for one in mine], 0.5)
        rows.append(Row(f"starter: silent while the rest was late, of {theirs.words} words", dry, "ms"))
    for count, crowd in crowds.items():
        for name in ("transcript", "first token"):
            waits = [one[name] for one in crowd]
            rows.append(Row(f"starter: {count} sessions, end of speech to {name}, p50", _ms(waits, 0.5), "ms"))
        waits = [one["first audio"] for one in crowd]
        quantiles = _quantiles(f"starter: {count} sessions, end of speech to first audio", waits)
        for row, share in zip(quantiles, SHARES, strict=True):
            rows.append(replace(row, peer=_ms(together[count], share), peer_name="stage after stage"))
    return rows


def _asked(url: str, text: str) -> bytes:
    spoken = httpx.post(f"{url}/speak", json={"text": text}, timeout=BUDGET, trust_env=False)
    return _trimmed(spoken.content)


async def _crowd(url: str, questions: list[bytes], count: int) -> list[dict[str, float]]:
    async def asks(number: int) -> dict[str, float]:
        await asyncio.sleep(number * OFFSET)
        return await turn(url, questions[number % len(questions)])

    return await asyncio.gather(*map(asks, range(count)))


def _trimmed(wav: bytes) -> bytes:
    """The question without the silence around it: its end is what is timed from."""
    import numpy as np

    audio = decode(wav, RATE)
    loud = np.flatnonzero(np.abs(audio.samples) > 0.02)
    return to_pcm16(audio.samples[loud[0] : loud[-1]])


def _quantiles(what: str, seconds: list[float]) -> list[Row]:
    return [Row(f"{what}, p{share * 100:.0f}", _ms(seconds, share), "ms") for share in SHARES]


def _ms(seconds: list[float], share: float) -> float:
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, one session")
    parser.add_argument("--scripted", action="store_true", help="only what the server adds")
    args = parser.parse_args()
    rows = scripted(15 if args.quick else 50)
    if not args.scripted:
        rows += starter((1,) if args.quick else (1, 4, 16), 2 if args.quick else 5)
    show("A voice conversation (milliseconds; lower is better)", rows)


if __name__ == "__main__":
    main()
