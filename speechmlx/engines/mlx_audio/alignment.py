"""When each word of a known text is said, by a forced aligner of the package: `Align`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines import Steps
from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.arguments import Accepted, known_languages, spelt_language
from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.cooperative import Emit
from speechmlx.errors import BadRequest, ModelUnavailable, Unsupported
from speechmlx.types import Align, Request, Segment, Usage, Word

LANGUAGES = "Chinese Cantonese English French German Italian Japanese Korean Portuguese Russian Spanish".split()
"""Those that the published aligners were trained with, by the names that they know them by."""
LONGEST = 300.0
"""Seconds of a recording: the published aligners were made for that."""
SHORTEST = 0.1
"""Seconds; a shorter recording is filled up with silence."""


def aligns(model: Any) -> bool:
    """Whether the model of an STT family gives times to a text, and recognises nothing."""
    return "text" in Accepted.by("", model.generate)


@dataclass(frozen=True)
class ForcedAligner:
    """A loaded aligner. It holds no state of requests: each has a structural clone, and one pass that keeps no keys."""

    checkpoint: BridgedModel

    @property
    def nbytes(self) -> int:
        return self.checkpoint.nbytes

    def run(self, request: Request) -> Steps:
        """Give times to a text. Raises Unsupported for another request or language, and BadRequest."""
        family = self.checkpoint.family
        if not isinstance(request, Align):
            raise Unsupported(
                f"{family} gives times to a text that is known, and recognises nothing; "
                f"it cannot {type(request).__name__.lower()}"
            )
        if request.audio.rate != self.checkpoint.rate:
            raise BadRequest(f"{family} hears audio at {self.checkpoint.rate} Hz, not {request.audio.rate}")
        if request.audio.duration > self.longest:
            raise BadRequest(
                f"{family} gives times to {self.longest:g} s of a recording at most; this has "
                f"{request.audio.duration:.1f} s"
            )
        language = spelt_language(request.language or "en", known_languages(self.checkpoint.model) or LANGUAGES)
        words = self._words(request.text, language)
        return cooperative.steps(lambda emit: self._align(request, language, words, emit), 0)

    @property
    def longest(self) -> float:
        """Seconds of the longest recording."""
        config = self.checkpoint.model.config
        return min(LONGEST, config.classify_num * config.timestamp_segment_time / 1000)

    def _words(self, text: str, language: str) -> list[str]:
        """The words of `text`, without marks. Raises BadRequest for none, ModelUnavailable for a missing package."""
        try:
            words: list[str] = self.checkpoint.model.aligner_processor.encode_timestamp(text, language)[0]
        except ImportError as error:
            name = getattr(error.__context__, "name", None) or error.name or str(error)
            raise ModelUnavailable(
                f"times of words in {language} need the package {name!r}, which is not here"
            ) from error
        if not words:
            raise BadRequest(f"there is no word in the text {text!r:.80}")
        return words

    def _align(self, request: Align, language: str, words: Sequence[str], emit: Emit) -> None:
        samples, rate, duration = request.audio.samples, request.audio.rate, request.audio.duration
        samples = np.pad(samples, (0, max(0, round(SHORTEST * rate) - len(samples))))
        own = structural_clone(self.checkpoint.model)
        found = own.generate(mx.array(samples), text=request.text, language=language).items
        texts = written(request.text, words)
        end, timed = 0.0, []
        for text, item in zip(texts, found, strict=True):
            start = max(end, min(float(item.start_time), duration))
            end = max(start, min(float(item.end_time), duration))
            timed.append(Word(text, start, end, 1.0))
        emit(Segment(request.text, timed[0].start, timed[-1].end, 1.0, tuple(timed)))
        emit(Usage(audio_in=duration))


def written(text: str, words: Sequence[str]) -> list[str]:
    """The stretch of `text` that each of `words` is, with the marks beside it. Together they are `text`.

    `words` have the letters of `text` in order, and leave out marks and blanks.
    """
    spans, at = [], 0
    for word in words:
        places = []
        for letter in word:
            found = text.find(letter, at)
            if found >= 0:
                places.append(found)
                at = found + 1
        spans.append((places[0], places[-1] + 1) if places else (at, at))
    cuts = [0]
    for (_, end), (begin, _) in pairwise(spans):
        between = text[end:begin]
        blank = next((place for place, sign in enumerate(between) if sign.isspace()), len(between))
        cuts.append(end + blank)
    return [text[first:last] for first, last in pairwise([*cuts, len(text)])]
