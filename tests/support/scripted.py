"""Engines that follow a script in their request, in the real engine process: for tests of order, faults and timing.

A script is words of the form "name=value". The engine makes `steps` steps of `work` seconds and sends a chunk of
`bytes` at each. It raises at step `fail`, as MLX does where the GPU fails at step `gpu`, or with `free=gpu` when it is
freed, and kills its process at step `die`. It takes `take` bytes of memory for each step. `trace=FILE` appends a line
to FILE at open, for each pronunciation or name of the request, at each step and at close.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.errors import WeightsDamaged
from speechmlx.models.spec import Catalog, IndexFiles, Model
from speechmlx.types import (
    Checkpoint,
    Chunk,
    Diarize,
    Enhance,
    Event,
    Generate,
    Kind,
    LanguageDetected,
    Progress,
    Request,
    Segment,
    Speak,
    SpeakerTurn,
    TextDelta,
    Transcribe,
    Usage,
    Word,
)

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 24000
LARGE = 6_000_000
"""Bytes of the weights of scripted-large."""
ROW = Model(
    name="scripted",
    kind=Kind.TTS,
    engine="support.scripted:load",
    sources=(IndexFiles((), "support.scripted:convert"),),
    size=0,
    memory=1_000_000,
    rate=RATE,
    licence="none",
)
ROWS = (
    ROW,
    replace(ROW, name="scripted-big", memory=900_000_000),
    replace(ROW, name="scripted-broken", engine="support.scripted:load_broken"),
    replace(ROW, name="scripted-damaged", engine="support.scripted:load_damaged"),
    replace(ROW, name="scripted-slow", engine="support.scripted:load_slow"),
    replace(ROW, name="scripted-stuck", engine="support.scripted:load_stuck"),
    replace(ROW, name="scripted-enhance", kind=Kind.ENHANCE),
    replace(ROW, name="scripted-asr", kind=Kind.ASR, rate=16000),
    replace(ROW, name="scripted-llm", kind=Kind.LLM, engine="support.scripted:load_batched"),
    replace(ROW, name="scripted-diarizer", kind=Kind.DIARIZE, engine="support.scripted:load_diarizer", rate=16000),
    replace(ROW, name="scripted-nowhere", sources=()),
    replace(ROW, name="scripted-large", sources=(IndexFiles((), "support.scripted:convert_large"),), size=LARGE),
    replace(ROW, name="scripted-held", sources=(IndexFiles((), "support.scripted:convert_held"),)),
)


def extend(catalog: Catalog) -> Catalog:
    """Add the scripted rows to the catalog; SPEECHMLX_CATALOG names this function."""
    from support import scripted_conversation, scripted_loudness

    unwritten = replace(ROW, name="scripted-unwritten", engine="support.unwritten:load")
    return replace(
        catalog, rows=(*catalog.rows, *ROWS, unwritten, *scripted_conversation.ROWS, *scripted_loudness.ROWS)
    )


def stand_in(catalog: Catalog) -> Catalog:
    """The catalog with a scripted engine behind every ASR model, for clients that send real model names."""
    mine: dict[str, Any] = {"engine": ROW.engine, "sources": ROW.sources, "companions": (), "size": 0}
    mine["memory"] = ROW.memory
    return replace(catalog, rows=tuple(replace(row, **mine) if row.kind is Kind.ASR else row for row in catalog.rows))


def convert(files: Path, folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").touch()


def convert_large(files: Path, folder: Path) -> None:
    convert(files, folder)
    (folder / "model.safetensors").write_bytes(bytes(LARGE))


def convert_held(files: Path, folder: Path) -> None:
    """Wait while the file named by $SCRIPTED_HOLD exists; ValueError if it contains "fail"."""
    hold = Path(os.environ["SCRIPTED_HOLD"])
    with hold.with_suffix(".tries").open("a") as tries:
        tries.write("x")
    with contextlib.suppress(FileNotFoundError):
        while hold.read_text() != "fail":
            time.sleep(0.01)
        raise ValueError("scripted not to arrive")
    convert(files, folder)


GPU_FAILURE = "[METAL] Command buffer execution failed: Caused GPU Timeout Error (00000002)"


@dataclass(frozen=True)
class Script:
    steps: int = 3
    work: float = 0.0
    size: int = 4800
    fail: int = -1
    die: int = -1
    gpu: int = -1
    free: str = ""
    take: int = 0
    trace: str = ""
    stamp: bool = False

    @classmethod
    def read(cls, text: str) -> Script:
        values = dict(word.split("=", 1) for word in text.split() if "=" in word)
        kinds: dict[str, Any] = {
            "steps": int,
            "work": float,
            "bytes": int,
            "fail": int,
            "die": int,
            "gpu": int,
            "free": str,
            "take": int,
            "trace": str,
            "stamp": bool,
        }
        read = {name: kinds[name](value) for name, value in values.items() if name in kinds}
        return cls(size=read.pop("bytes", cls.size), **read)

    def note(self, what: str) -> None:
        if self.trace:
            with open(self.trace, "a") as trace:
                trace.write(json.dumps({"what": what, "at": time.monotonic()}) + "\n")

    def step(self, number: int) -> None:
        self.note(f"step {number}")
        if self.work:
            time.sleep(self.work)
        if self.take:
            np.ones(self.take, np.uint8)
        if number == self.fail:
            raise RuntimeError(f"scripted to fail at step {number}")
        if number == self.gpu:
            raise RuntimeError(GPU_FAILURE)
        if number == self.die:
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None:
        self.note("close")
        if self.free == "gpu":
            raise RuntimeError(GPU_FAILURE)

    def pcm16(self, number: int) -> bytes:
        if self.stamp:
            return np.float64(time.monotonic()).tobytes()
        return np.full(self.size // 2, 1000 + number, "<i2").tobytes()


class Scripted:
    nbytes = 1_000_000

    def run(self, request: Request) -> Iterator[Event | None]:
        if isinstance(request, Transcribe):
            yield from self._transcribe(request)
            return
        assert isinstance(request, Speak)
        script = Script.read(request.text)
        script.note("open")
        for entry in request.pronunciations:
            script.note(f"{entry.spelling} = {entry.sounds_like}{entry.phonemes}")
        try:
            for number in range(script.steps):
                if number:
                    yield None
                script.step(number)
                yield Chunk(script.pcm16(number), RATE)
            yield Usage(audio_out=script.steps * script.size / 2 / RATE, tokens_in=len(request.text.split()))
        finally:
            script.close()

    def _transcribe(self, request: Transcribe) -> Iterator[Event | None]:
        """Write a segment of one second per step, with a checkpoint behind it if asked; the prompt is the script."""
        script = Script.read(request.prompt or "")
        for name in request.names:
            script.note(name)
        if request.resume is None:
            yield LanguageDetected(request.language or "en", 1.0 if request.language else 0.5)
        for number in range(int(request.resume.state) if request.resume else 0, script.steps):
            script.step(number)
            words = (Word(f" part {number}.", number, number + 1.0, 0.5),) if request.words else ()
            logprobs = ((f" part {number}.".encode(), -0.5),) if request.logprobs else ()
            yield Segment(f" part {number}.", number, number + 1.0, 0.5, words, (number,), logprobs=logprobs)
            if request.checkpoints:
                yield Checkpoint(number + 1.0, str(number + 1))
            yield None
        yield Usage(audio_in=request.audio.duration, tokens_out=script.steps)

    def open(self, request: Request) -> Echo:
        assert isinstance(request, Enhance)
        return Echo()


class Echo:
    """Returns the audio that it is fed."""

    def feed(self, samples: Samples) -> Iterator[Event | None]:
        yield None
        yield Chunk((samples * 32767).astype("<i2").tobytes(), RATE)

    def finish(self) -> Iterator[Event | None]:
        yield Usage()

    def close(self) -> None:
        pass


@dataclass
class Seat:
    script: Script
    said: int = 0
    finished: bool = False


class Batched:
    nbytes = 1_000_000
    max_batch = max_open = 4
    aim = 0.0

    def begin(self, request: Request) -> Seat:
        assert isinstance(request, Generate)
        seat = Seat(Script.read(request.messages[-1].content))
        seat.script.note("open")
        return seat

    def step(self, states: Sequence[Seat]) -> list[list[Event | Exception]]:
        said: list[list[Event | Exception]] = []
        for seat in states:
            try:
                seat.script.step(seat.said)
            except RuntimeError as error:
                said.append([error])
                continue
            seat.said += 1
            seat.finished = seat.said >= seat.script.steps
            said.append([TextDelta(f"{seat.said}/{len(states)} ")])
        return said

    def end(self, state: Seat) -> None:
        state.script.close()


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Scripted]:
    yield Progress("load", 1, 1)
    return Scripted()


class Diarizer:
    """Hears the known speakers and then "0" and "1" in turn, a second each."""

    nbytes = 1_000_000

    def run(self, request: Request) -> Iterator[Event | None]:
        assert isinstance(request, Diarize) and request.audio.rate == 16000
        names = [known.name for known in request.speakers.known] or ["0", "1"]
        names = names[: request.speakers.max_speakers]
        for second in range(math.ceil(request.audio.duration)):
            end = min(second + 1.0, request.audio.duration)
            yield SpeakerTurn(float(second), end, names[second % len(names)])
            yield None
        yield Usage(audio_in=request.audio.duration)


def load_diarizer(folder: Path, options: LoadOptions) -> Generator[Progress, None, Diarizer]:
    yield Progress("load", 1, 1)
    return Diarizer()


def load_batched(folder: Path, options: LoadOptions) -> Generator[Progress, None, Batched]:
    yield Progress("load", 1, 1)
    return Batched()


def load_slow(folder: Path, options: LoadOptions) -> Generator[Progress, None, Scripted]:
    for number in range(20):
        time.sleep(0.05)
        yield Progress("load", number, 20)
    return Scripted()


def load_stuck(folder: Path, options: LoadOptions) -> Generator[Progress, None, Scripted]:
    """Load in one slice, which lasts as long as there is the file named by $SCRIPTED_HOLD."""
    while Path(os.environ["SCRIPTED_HOLD"]).exists():
        time.sleep(0.01)
    yield Progress("load", 1, 1)
    return Scripted()


def load_broken(folder: Path, options: LoadOptions) -> Generator[Progress, None, Scripted]:
    yield Progress("load", 0, 1)
    raise ValueError("scripted not to load")


def load_damaged(folder: Path, options: LoadOptions) -> Generator[Progress, None, Scripted]:
    yield Progress("load", 0, 1)
    raise WeightsDamaged("scripted not to be finite")
