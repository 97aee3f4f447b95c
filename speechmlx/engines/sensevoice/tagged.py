"""What was recognised in clips → segments of text with the times of words, the language, the emotion and events."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from speechmlx import languages
from speechmlx.engines.parts.recording_engine import RecognisedFamily
from speechmlx.engines.parts.recordings import (
    SpeechClip,
)
from speechmlx.engines.sensevoice.network import ClipPieces
from speechmlx.engines.sensevoice.text import spoken_words, tags_of, text_pieces
from speechmlx.types import Event, LanguageDetected, Segment, Transcribe, Word

if TYPE_CHECKING:
    pass

FAMILY = RecognisedFamily("SenseVoice", ("zh", "en", "yue", "ja", "ko"), "takes no hotwords; leave them out", 15.0)
"""The model hears more of a language and an emotion in longer clips."""


class TaggedWriter:
    """The segments of one recording, each with its tags."""

    def __init__(self, request: Transcribe, pieces: Sequence[str]) -> None:
        self._request = request
        self._pieces = pieces
        self._told = False

    def write(self, clip: SpeechClip[ClipPieces]) -> Iterator[Event | None]:
        assert clip.result is not None
        words, tags = spoken_words(clip.result, self._pieces), tags_of(clip.result, self._pieces)
        text = "".join(word.text for word in words).strip()
        if not text or not tags.is_speech:
            return
        language = languages.code(self._request.language) or tags.language
        if language and not self._told:
            self._told = True
            yield LanguageDetected(language, 1.0)
        timed = tuple(
            Word(word.text, clip.start + word.start, min(clip.end, clip.start + word.end), math.exp(word.logprob))
            for word in words
        )
        mean = sum(clip.result.logprobs) / len(clip.result.logprobs)
        yield Segment(
            text,
            clip.start,
            clip.end,
            math.exp(mean),
            timed if self._request.words else (),
            clip.result.pieces,
            avg_logprob=mean,
            logprobs=text_pieces(clip.result, self._pieces) if self._request.logprobs else (),
            emotion=tags.emotion,
            sound=tags.sound,
        )

    def close(self) -> Iterator[Event | None]:
        """Nothing is left."""
        return iter(())
