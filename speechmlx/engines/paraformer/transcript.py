"""What was recognised in clips → segments of text, punctuated, with the times of words."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from speechmlx import languages
from speechmlx.engines.paraformer.network import ClipTokens
from speechmlx.engines.paraformer.punctuation import Punctuator
from speechmlx.engines.paraformer.words import NO_TEXT, PART, HeardWord, confidence, spaced, words_of
from speechmlx.engines.parts.recording_engine import RecognisedFamily
from speechmlx.engines.parts.recordings import (
    SpeechClip,
)
from speechmlx.types import Event, LanguageDetected, Segment, Transcribe, Word

if TYPE_CHECKING:
    pass

FAMILY = RecognisedFamily(
    "Paraformer", ("zh", "en"), "takes no hotwords: this checkpoint was trained without them; leave them out"
)


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
