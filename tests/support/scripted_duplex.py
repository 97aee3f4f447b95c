"""A model that hears and speaks at once, by a script: it waits until a tone ends, and answers it with as long a tone.

It stops when it hears another tone meanwhile. With the role "fail" it fails on its first frame, with "break" on the
first in which it speaks; with "work" each frame takes 0.3 s. A frame is 80 ms, and "word" its text.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.audio.pcm import from_pcm16
from speechmlx.errors import BadRequest
from speechmlx.models.voices import VoiceList
from speechmlx.types import Chunk, Converse, Event, Progress, Request, TextDelta, Usage

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from speechmlx.engines import LoadOptions
    from speechmlx.types import Samples

RATE, FRAME = 24000, 1920
VOICES = VoiceList(("cleo", "dirk"), {"alloy": "cleo"}, imitates=False)


def tone(frames: float, level: float = 0.5, rate: int = RATE) -> bytes:
    """So many frames of a tone as PCM16; silence at level 0."""
    at = np.arange(round(frames * FRAME * rate / RATE)) / rate
    return (np.sin(2 * np.pi * 440 * at) * level * 32767).astype("<i2").tobytes()


class Echo:
    """One conversation."""

    def __init__(self, request: Request) -> None:
        assert isinstance(request, Converse)
        self._role = request.instructions or ""
        self._samples = np.zeros(0, np.float32)
        self._heard = self._to_say = 0
        """Frames."""

    def feed(self, samples: Samples) -> Iterator[Event]:
        self._samples = np.concatenate([self._samples, samples])
        while len(self._samples) >= FRAME:
            frame, self._samples = self._samples[:FRAME], self._samples[FRAME:]
            yield from self._frame(float(np.abs(frame).mean()) > 0.01)

    def finish(self) -> Iterator[Event]:
        yield Usage(audio_in=0.08 * self._heard)

    end = finish

    def close(self) -> None:
        """Nothing is held."""

    def _frame(self, sounds: bool) -> Iterator[Event]:
        if "work" in self._role:
            time.sleep(0.3)
        if "fail" in self._role:
            raise BadRequest("this role cannot be played")
        if sounds:
            self._heard, self._to_say = self._heard + (self._to_say == 0), 0
        elif self._heard:
            self._to_say, self._heard = self._heard, 0
        if not self._to_say:
            yield Chunk(tone(1, 0), RATE)
            return
        if "break" in self._role:
            raise BadRequest("it broke")
        self._to_say -= 1
        yield TextDelta("word ")
        yield Chunk(tone(1), RATE)


class Echoer:
    """The engine."""

    nbytes = 1_000_000

    def open(self, request: Request) -> Echo:
        return Echo(request)


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Echoer]:
    yield Progress("load", 1, 1)
    return Echoer()


def level(pcm16: bytes) -> float:
    """The mean level of a sound."""
    return float(np.abs(from_pcm16(pcm16)).mean())
