"""Speech recognition by any STT family of the package: `Transcribe`, window by window; `Listen` where it can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from weakref import WeakSet

import mlx.core as mx
import numpy as np

from speechmlx import languages
from speechmlx.audio import loudness_vad
from speechmlx.engines import Room, Steps
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.arguments import Accepted, check_unchosen, known_languages, spelt_language
from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
from speechmlx.engines.mlx_audio.claims import ClaimedMemory, claim_room, holding
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.cooperative import Emit
from speechmlx.engines.mlx_audio.live import LIVE, LiveRecognition
from speechmlx.engines.mlx_audio.recognition_memory import most_tokens, window_bytes
from speechmlx.engines.mlx_audio.results import HeardSpeech, heard
from speechmlx.engines.mlx_audio.tree import floating_type
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import LanguageDetected, Listen, Request, Segment, Transcribe, Usage, Word

WINDOW = 30.0
"""Seconds of a recording that the family gets at once."""
LANGUAGE = ("source_language", "language", "source_lang", "lang_code")
"""Names of the language that is spoken. Where a family has the first, its `language` is the one to translate into."""
CLOCKED = ("qwen2_audio",)
"""Families that give the time of their own work as the end of what they heard."""
SHORTEST = 0.1
"""Seconds; a shorter window is filled up with silence."""


@dataclass(eq=False)
class Recognizer:
    """A loaded STT model. Each request has a structural clone; those with keys and values claim their memory."""

    checkpoint: BridgedModel
    room: Room = field(default_factory=Unlimited)
    _claims: WeakSet[LiveRecognition | ClaimedMemory] = field(default_factory=WeakSet)

    @property
    def nbytes(self) -> int:
        return self.checkpoint.nbytes

    @property
    def held(self) -> int:
        """Bytes of the keys and values of the requests, at their full length."""
        return sum(claim.held for claim in self._claims)

    @cached_property
    def accepted(self) -> Accepted:
        """What the family's `generate` takes."""
        return Accepted.by(self.checkpoint.family, self.checkpoint.model.generate)

    def run(self, request: Request) -> Steps:
        """Recognise a recording. Raises Unsupported for what the family does not take, and BadRequest.

        Raises Busy where others hold the memory for its keys and values, BadRequest where it could never have it.
        `vad` leaves out what cannot be speech. Segments have words where the family tells their times.
        """
        if not isinstance(request, Transcribe):
            raise Unsupported(
                f"{self.checkpoint.family} recognises recordings; it cannot {type(request).__name__.lower()}"
            )
        if request.audio.rate != self.checkpoint.rate:
            raise BadRequest(
                f"{self.checkpoint.family} hears audio at {self.checkpoint.rate} Hz, not {request.audio.rate}"
            )
        arguments = self._arguments(request)
        seconds = max(SHORTEST, min(WINDOW, request.audio.duration))
        claim = ClaimedMemory(window_bytes(self.checkpoint.family, self.checkpoint.model, seconds, arguments))
        self._claim(claim, f"a recording of {request.audio.duration:.0f} s")
        return holding(claim, cooperative.steps(lambda emit: self._recognise(request, arguments, emit), 0))

    def open(self, request: Request) -> LiveRecognition:
        """Recognise a live stream. Raises Unsupported for a family that cannot, and for what it does not take.

        Raises Busy where others hold the memory for its keys and values, BadRequest where it could never have it.
        """
        if not isinstance(request, Listen):
            raise Unsupported(f"{self.checkpoint.family} recognises speech; it cannot {type(request).__name__.lower()}")
        if (begin := LIVE.get(self.checkpoint.family)) is None:
            raise Unsupported(
                f"{self.checkpoint.family} recognises recordings and whole turns, and gives no words while a person "
                f"speaks; of mlx-audio's families these do: {', '.join(LIVE)}"
            )
        stream = begin(self.checkpoint, request)
        self._claim(stream, "a live stream")
        return stream

    def _claim(self, claim: LiveRecognition | ClaimedMemory, what: str) -> None:
        """Have the memory of a request. Raises Busy and BadRequest as `run` and `open`."""
        claim_room(self.room, self.held, claim.held, self.checkpoint.family, what)
        if claim.held:
            self._claims.add(claim)

    def _arguments(self, request: Transcribe) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if request.language is not None:
            arguments |= self._language(request.language)
            if "target_lang" in self.accepted:
                arguments["target_lang"] = languages.code(request.language) or request.language
        if request.task == "translate":
            arguments.pop("source_language", None)  # a family that has it hears it by itself where it translates
            arguments |= self._translation()
        for value, names in ((request.prompt, ("initial_prompt", "context")), (list(request.hotwords), ("hotwords",))):
            if value and (name := self.accepted.first(*names)):
                arguments[name] = value
        if "dtype" in self.accepted:
            arguments["dtype"] = floating_type(self.checkpoint.model)
        if "verbose" in self.accepted:
            arguments["verbose"] = False
        return arguments

    def _translation(self) -> dict[str, Any]:
        if "target_lang" in self.accepted:
            return {"target_lang": "en"}
        if "source_language" in self.accepted:
            return {"language": "en"}
        raise Unsupported(f"{self.checkpoint.family} does not translate; it writes what is said")

    def _language(self, language: str) -> dict[str, Any]:
        name = self.accepted.first(*LANGUAGE)
        if name is None:
            check_unchosen(self.checkpoint.family, self.checkpoint.model, language)
            return {}
        known = known_languages(self.checkpoint.model)
        return {name: spelt_language(language, known) if known else languages.code(language) or language}

    @property
    def _timed(self) -> bool:
        return self.checkpoint.family not in CLOCKED

    def _recognise(self, request: Transcribe, arguments: dict[str, Any], emit: Emit) -> None:
        own = structural_clone(self.checkpoint.model)
        rate, told = self.checkpoint.rate, False
        for start, end in spans(request, rate):
            samples = request.audio.samples[round(start * rate) : round(end * rate)]
            short = round(SHORTEST * rate) - len(samples)
            samples = np.pad(samples, (0, max(0, short)))
            if "max_tokens" in self.accepted:
                arguments["max_tokens"] = most_tokens(end - start)
            result = heard(own.generate(mx.array(samples), **arguments), end - start, self._timed)
            if not told and (language := request.language or result.language):
                told = True
                emit(LanguageDetected(languages.code(language) or language, 1.0))
            for segment in segments(result, start, request.words):
                emit(segment)
        emit(Usage(audio_in=request.audio.duration))


def spans(request: Transcribe, rate: int) -> list[tuple[float, float]]:
    """The windows of the recording to recognise, in seconds: cut where it is quiet, each WINDOW at most."""
    level = loudness_vad.levels(request.audio.samples, rate)
    found = loudness_vad.speech_spans(level) if request.vad else [(0.0, request.audio.duration)]
    wanted = loudness_vad.inside(found, request.clips)
    return [(start, min(end, request.audio.duration)) for start, end in loudness_vad.windows(wanted, level, WINDOW)]


def segments(result: HeardSpeech, offset: float, words: bool) -> Iterator[Segment]:
    """What was heard, with times from the start of the recording."""
    for part in result.parts:
        if not part.text.strip():
            continue
        told = tuple(Word(w.text, w.start + offset, w.end + offset, w.confidence, w.speaker) for w in part.words)
        yield Segment(
            part.text.strip(),
            part.start + offset,
            part.end + offset,
            1.0,
            told if words else (),
            speaker=part.speaker,
            emotion=part.emotion,
            sound=part.sound,
        )
