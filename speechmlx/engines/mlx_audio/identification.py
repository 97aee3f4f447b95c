"""Which language is spoken, by the package's families that tell nothing else: `DetectLanguage`."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from speechmlx import languages
from speechmlx.audio import loudness_vad
from speechmlx.engines import Steps
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.cooperative import Emit
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import DetectLanguage, LanguageDetected, Request, Usage

LONGEST = 60.0
"""Seconds of a recording: the families look at all of it at once."""
SHORTEST = 1.0
"""Seconds; a shorter recording is filled up with silence."""


@dataclass(frozen=True)
class LanguageIdentifier:
    """A loaded model that tells languages apart. It holds no state of requests: each has a structural clone."""

    checkpoint: BridgedModel

    @property
    def nbytes(self) -> int:
        return self.checkpoint.nbytes

    def run(self, request: Request) -> Steps:
        """Tell the likeliest language. Raises Unsupported for another request, and BadRequest."""
        family, rate = self.checkpoint.family, self.checkpoint.rate
        if not isinstance(request, DetectLanguage):
            raise Unsupported(
                f"{family} tells which language is spoken, and recognises no words; "
                f"it cannot {type(request).__name__.lower()}"
            )
        if request.audio.rate != rate:
            raise BadRequest(f"{family} hears audio at {rate} Hz, not {request.audio.rate}")
        if not 0 < request.audio.duration <= LONGEST:
            raise BadRequest(
                f"{family} hears up to {LONGEST:g} s of a recording; this has {request.audio.duration:.1f} s"
            )
        return cooperative.steps(lambda emit: self._identify(request, emit), 0)

    def _identify(self, request: DetectLanguage, emit: Emit) -> None:
        samples, rate = request.audio.samples, request.audio.rate
        if request.vad and not loudness_vad.speech_spans(loudness_vad.levels(samples, rate)):
            emit(Usage(audio_in=request.audio.duration))
            return
        samples = np.pad(samples, (0, max(0, round(SHORTEST * rate) - len(samples))))
        ((label, probability),) = structural_clone(self.checkpoint.model).predict(mx.array(samples), top_k=1)
        if not np.isfinite(probability):
            raise NotFinite("the identification of the language")
        emit(LanguageDetected(languages.code(label) or label, float(probability)))
        emit(Usage(audio_in=request.audio.duration))
