"""The engine: recordings → segments of text, punctuated, with the times of words."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from speechmlx import languages
from speechmlx.engines.paraformer.network import ClipTokens, ParaformerNetwork
from speechmlx.engines.paraformer.punctuation import PunctuationNetwork, Punctuator
from speechmlx.engines.paraformer.words import NO_TEXT, PART, HeardWord, confidence, spaced, words_of
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
from speechmlx.errors import Unsupported
from speechmlx.types import Event, LanguageDetected, Request, Segment, Transcribe, Word

if TYPE_CHECKING:
    from speechmlx.types import Samples

STACKED, STEP = 7, 6
"""Frames of 10 ms that the encoder sees as one, one every 60 ms."""
NAME = "Paraformer"
LANGUAGES = ("zh", "en")


class Paraformer:
    """`Batched` for `Transcribe`. What it computes does not depend on how long its steps are."""

    max_batch = MAX_BATCH

    def __init__(
        self,
        network: ParaformerNetwork,
        normalise: Normalisation,
        vocabulary: Sequence[str],
        vad: FsmnNetwork,
        punctuation: PunctuationNetwork | None,
    ) -> None:
        self.nbytes = network.nbytes + vad.nbytes + (punctuation.nbytes if punctuation else 0)
        self._normalise = normalise
        self._vocabulary = vocabulary
        self._vad = vad
        self._punctuation = punctuation
        self._batch = RecordingBatch(network)

    @property
    def aim(self) -> float:
        """Seconds that a step should take."""
        return self._batch.pace.aim

    @aim.setter
    def aim(self, seconds: float) -> None:
        self._batch.pace.aim = seconds

    def begin(self, request: Request) -> RecordingState[ClipTokens]:
        """Take a recording. Raises BadRequest, and Unsupported for what the model cannot do."""
        wanted = accepted(request, NAME, LANGUAGES)
        if wanted.hotwords:
            raise Unsupported(f"{NAME} takes no hotwords: this checkpoint was trained without them; leave them out")
        punctuator = Punctuator(self._punctuation, self._batch.pace) if self._punctuation else None
        writer = TranscriptWriter(wanted, self._vocabulary, punctuator)
        return self._batch.begin(RecordingState(wanted, find_clips(wanted, self._vad, self.features), writer))

    def step(self, states: Sequence[RecordingState[ClipTokens]]) -> list[list[Event | Exception]]:
        return self._batch.step(states)

    def end(self, state: RecordingState[ClipTokens]) -> None:
        self._batch.end(state)

    def features(self, samples: Samples) -> Samples:
        """What the encoder sees of a clip [n]: [frames of 60 ms, 560]."""
        return self._normalise(stack(filter_bank(samples), STACKED, STEP))


class TranscriptWriter:
    """The segments of one recording. A segment waits until the punctuation of its last word is known."""

    def __init__(self, request: Transcribe, vocabulary: Sequence[str], punctuator: Punctuator | None) -> None:
        self._request = request
        self._vocabulary = vocabulary
        self._punctuator = punctuator
        self._waiting: deque[tuple[SpeechClip[ClipTokens], list[HeardWord]]] = deque()
        self._told = False

    def write(self, clip: SpeechClip[ClipTokens]) -> Iterator[Event | None]:
        assert clip.result is not None
        words = words_of(clip.result, self._vocabulary)
        if not words:
            return
        if self._punctuator is None:
            yield from self._segment(clip, words, plain(words))
            return
        self._waiting.append((clip, words))
        yield from self._punctuator.add([word.text for word in words])
        yield from self._punctuated(self._punctuator.written)

    def close(self) -> Iterator[Event | None]:
        if self._punctuator is not None:
            yield from self._punctuator.close()
            yield from self._punctuated(self._punctuator.written)

    def _punctuated(self, written: list[str]) -> Iterator[Event]:
        """The segments all of whose words are written."""
        while self._waiting and len(self._waiting[0][1]) <= len(written):
            clip, words = self._waiting.popleft()
            yield from self._segment(clip, words, written[: len(words)])
            del written[: len(words)]

    def _segment(
        self, clip: SpeechClip[ClipTokens], words: Sequence[HeardWord], texts: Sequence[str]
    ) -> Iterator[Event]:
        assert clip.result is not None
        if not self._told:
            self._told = True
            spoken = "en" if all(word.text.isascii() for word in words) else "zh"
            yield LanguageDetected(languages.code(self._request.language) or spoken, 1.0)
        timed = tuple(
            Word(text, clip.start + word.start, min(clip.end, clip.start + word.end), confidence([word.logprob]))
            for word, text in zip(words, texts, strict=True)
        )
        logprobs = clip.result.logprobs
        yield Segment(
            "".join(texts).strip(),
            clip.start,
            clip.end,
            confidence(logprobs),
            timed if self._request.words else (),
            clip.result.tokens,
            avg_logprob=sum(logprobs) / len(logprobs),
            logprobs=self._tokens(clip.result) if self._request.logprobs else (),
        )

    def _tokens(self, found: ClipTokens) -> tuple[tuple[bytes, float], ...]:
        """Each token that is text, and the logarithm of its probability."""
        texts = [
            (self._vocabulary[token], logprob) for token, logprob in zip(found.tokens, found.logprobs, strict=True)
        ]
        return tuple((text.removesuffix(PART).encode(), logprob) for text, logprob in texts if text not in NO_TEXT)


def plain(words: Sequence[HeardWord]) -> list[str]:
    """Words without punctuation, with the spaces between them."""
    texts = [word.text for word in words]
    return [" " + text if spaced(text, before) else text for before, text in zip(["", *texts], texts, strict=False)]
