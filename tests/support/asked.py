"""Two engines more for scripted.py's catalog: one hears the characters in the samples, one writes to a script.

A question is "STEPS | SENTENCE": the language model says SENTENCE at each of its scripted steps, and SENTENCE is the
script of the synthesiser in turn.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from support import scripted

from speechmlx.audio.encode import wav_header
from speechmlx.engines import LoadOptions
from speechmlx.models.spec import Catalog
from speechmlx.types import Event, Generate, Kind, LanguageDetected, Progress, Request, Segment, TextDelta, Transcribe

ROWS = (
    replace(scripted.ROW, name="hearing", kind=Kind.ASR, engine="support.asked:load_hearing"),
    replace(scripted.ROW, name="writing", kind=Kind.LLM, engine="support.asked:load_writing"),
)


def extend(catalog: Catalog) -> Catalog:
    """The scripted catalog with these two; named by SPEECHMLX_CATALOG."""
    extended = scripted.extend(catalog)
    return replace(extended, rows=extended.rows + ROWS)


def sound(text: str) -> bytes:
    """The WAV in which the hearing engine hears `text`."""
    samples = np.array([ord(character) for character in text], "<i2")
    return wav_header(scripted.RATE, len(samples)) + samples.tobytes()


class TurnTranscription:
    nbytes = 1_000_000

    def run(self, request: Request) -> Iterator[Event | None]:
        assert isinstance(request, Transcribe)
        yield LanguageDetected("en", 1.0)
        text = "".join(chr(round(float(sample) * 32768)) for sample in request.audio.samples)
        yield Segment(text, 0.0, request.audio.duration, 0.9)


class Writing:
    nbytes = 1_000_000

    def run(self, request: Request) -> Iterator[Event | None]:
        assert isinstance(request, Generate)
        steps, _, sentence = request.messages[-1].content.partition("|")
        script = scripted.Script.read(steps)
        try:
            for number in range(script.steps):
                script.step(number)
                yield TextDelta(sentence.strip() + " ")
                yield None
        finally:
            script.note("close")


def load_hearing(folder: Path, options: LoadOptions) -> Generator[Progress, None, TurnTranscription]:
    yield Progress("load", 1, 1)
    return TurnTranscription()


def load_writing(folder: Path, options: LoadOptions) -> Generator[Progress, None, Writing]:
    yield Progress("load", 1, 1)
    return Writing()
