"""scripted.py's catalog with two more engines, so that one text drives recognition, language model and synthesis.

The ASR engine reads each sample of the audio as a character. The text is "SCRIPT | SENTENCE": the language model runs
SCRIPT and writes SENTENCE at each of its steps. SENTENCE is the script of the synthesiser.
`scripted-live` of scripted_live.py is there, too.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from support import scripted
from support.scripted_live import LIVE_ROW

from speechmlx.audio.encode import wav_header
from speechmlx.engines import LoadOptions
from speechmlx.models.spec import Catalog
from speechmlx.types import Event, Generate, Kind, LanguageDetected, Progress, Request, Segment, TextDelta, Transcribe

ROWS = (
    replace(scripted.ROW, name="hearing", kind=Kind.ASR, engine="support.scripted_cascade:load_hearing"),
    replace(scripted.ROW, name="writing", kind=Kind.LLM, engine="support.scripted_cascade:load_writing"),
)


def extend(catalog: Catalog) -> Catalog:
    """Add these rows to the scripted catalog; SPEECHMLX_CATALOG names this function."""
    extended = scripted.extend(catalog)
    return replace(extended, rows=(*extended.rows, *ROWS, LIVE_ROW))


def sound(text: str) -> bytes:
    """A WAV file that the ASR engine transcribes as `text`."""
    samples = np.array([ord(character) for character in text], "<i2")
    return wav_header(scripted.RATE, len(samples)) + samples.tobytes()


class CharacterTranscriber:
    nbytes = 1_000_000

    def run(self, request: Request) -> Iterator[Event | None]:
        assert isinstance(request, Transcribe)
        yield LanguageDetected("en", 1.0)
        text = "".join(chr(round(float(sample) * 32768)) for sample in request.audio.samples)
        yield Segment(text, 0.0, request.audio.duration, 0.9)


class ScriptedWriter:
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


def load_hearing(folder: Path, options: LoadOptions) -> Generator[Progress, None, CharacterTranscriber]:
    yield Progress("load", 1, 1)
    return CharacterTranscriber()


def load_writing(folder: Path, options: LoadOptions) -> Generator[Progress, None, ScriptedWriter]:
    yield Progress("load", 1, 1)
    return ScriptedWriter()
