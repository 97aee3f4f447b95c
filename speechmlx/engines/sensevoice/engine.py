"""The engine: recordings → segments of text with the times of words, the language, the emotion and events."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from speechmlx import languages
from speechmlx.engines.parts.fbank import Normalisation, filter_bank, stack
from speechmlx.engines.parts.fsmn_vad import FsmnNetwork
from speechmlx.engines.parts.recordings import (
    MAX_BATCH,
    RecordingBatch,
    RecordingState,
    SpeechClip,
    accepted,
    find_clips,
)
from speechmlx.engines.sensevoice.network import ClipPieces, SenseVoiceNetwork
from speechmlx.engines.sensevoice.text import spoken_words, tags_of, text_pieces
from speechmlx.errors import Unsupported
from speechmlx.types import Event, LanguageDetected, Request, Segment, Transcribe, Word

if TYPE_CHECKING:
    from speechmlx.types import Samples

STACKED, STEP = 7, 6
"""Frames of 10 ms that the encoder sees as one, one every 60 ms."""
JOINED = 15.0
"""Seconds to which segments of speech are joined: the model hears more of a language and an emotion in longer clips."""
NAME = "SenseVoice"
LANGUAGES = ("zh", "en", "yue", "ja", "ko")


class SenseVoice:
    """`Batched` for `Transcribe`. What it computes does not depend on how long its steps are."""

    max_batch = MAX_BATCH

    def __init__(
        self, network: SenseVoiceNetwork, normalise: Normalisation, pieces: Sequence[str], vad: FsmnNetwork
    ) -> None:
        self.nbytes = network.nbytes + vad.nbytes
        self._normalise = normalise
        self._pieces = pieces
        self._vad = vad
        self._batch = RecordingBatch(network)

    @property
    def aim(self) -> float:
        """Seconds that a step should take."""
        return self._batch.pace.aim

    @aim.setter
    def aim(self, seconds: float) -> None:
        self._batch.pace.aim = seconds

    def begin(self, request: Request) -> RecordingState[ClipPieces]:
        """Take a recording. Raises BadRequest, and Unsupported for what the model cannot do."""
        wanted = accepted(request, NAME, LANGUAGES)
        if wanted.hotwords:
            raise Unsupported(f"{NAME} takes no hotwords; leave them out")
        finding: Iterator[SpeechClip[ClipPieces] | None] = find_clips(wanted, self._vad, self.features, JOINED)
        return self._batch.begin(RecordingState(wanted, finding, TaggedWriter(wanted, self._pieces)))

    def step(self, states: Sequence[RecordingState[ClipPieces]]) -> list[list[Event | Exception]]:
        return self._batch.step(states)

    def end(self, state: RecordingState[ClipPieces]) -> None:
        self._batch.end(state)

    def features(self, samples: Samples) -> Samples:
        """What the encoder sees of a clip [n]: [frames of 60 ms, 560]."""
        return self._normalise(stack(filter_bank(samples), STACKED, STEP))


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
