"""Parakeet's recognisers live: the last seconds are recognised again twice a second, and what stays is committed.

Their encoders look at a whole recording, so no part of it can be kept exactly. A word is committed once two passes in a
row have it and some sound follows it, and all words where a pause ends the utterance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.live.blocks import SampleBlocks
from speechmlx.engines.mlx_audio.live.named import NamedLanguage
from speechmlx.engines.mlx_audio.results import heard
from speechmlx.engines.mlx_audio.tree import floating_type
from speechmlx.engines.parts.speech_buffer import SpeechBuffer
from speechmlx.errors import Unsupported
from speechmlx.types import Hypothesis, Usage, Word

if TYPE_CHECKING:
    from speechmlx.engines import Steps
    from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
    from speechmlx.engines.mlx_audio.cooperative import Emit
    from speechmlx.types import Listen, Samples

STEP = 0.5
"""Seconds between two passes."""
MARGIN = 0.5
"""Seconds before the end of the sound from which on a word may still change."""
LONGEST = 12.0
"""Seconds that a pass looks at, at most."""
KEPT = 4.0
"""Seconds that stay, at least, when the sound before a committed word leaves."""
BEFORE = 1.0
"""Seconds of committed words that stay with them: the encoder hears into what comes after."""
SHORTEST = 0.1
"""Seconds; a shorter input is filled up with silence."""
NEAR = 0.4
"""Seconds by which a word may move from pass to pass."""


class ParakeetStream:
    """One live input: a `Stream`, on a clone of the model. It holds LONGEST seconds of sound and the words in it."""

    held = 0
    """It keeps no keys and values from pass to pass."""

    def __init__(self, checkpoint: BridgedModel, request: Listen) -> None:
        """Raises Unsupported for a translation, and for a language that the model does not hear.

        One that it hears changes nothing: it tells them apart by itself.
        """
        if request.task == "translate":
            raise Unsupported(f"{checkpoint.family} does not translate; it writes what is said")
        self._named = NamedLanguage(checkpoint, request.language)
        self._own = structural_clone(checkpoint.model)
        self._dtype = floating_type(checkpoint.model)
        self._rate = checkpoint.rate
        self._buffer = SpeechBuffer()
        self._blocks = SampleBlocks(round(STEP * self._rate))
        self._committed: list[Word] = []
        """Those that lie in the buffer."""
        self._end = 0.0
        """Where the word committed last ends."""
        self._tail: tuple[Word, ...] = ()

    def feed(self, samples: Samples) -> Steps:
        yield from self._named.tell()
        for block in self._blocks.push(samples):
            self._buffer.append(block)
            speaking, paused = self._buffer.speech()
            if speaking or self._tail:
                last = paused or not speaking
                yield from cooperative.steps(partial(self._pass, last=last), 0)
            if paused or not speaking:
                self._start_over()
            else:
                yield from self._shorten()

    def finish(self) -> Steps:
        if len(rest := self._blocks.rest()):
            self._buffer.append(rest)
        if self._tail or (self._buffer.places and self._buffer.speech()[0]):
            yield from cooperative.steps(partial(self._pass, last=True), 0)
        yield Usage(audio_in=self._blocks.given / self._rate)

    def close(self) -> None:
        self._own = None
        self._buffer = SpeechBuffer()
        self._committed, self._tail = [], ()

    def _pass(self, emit: Emit, last: bool) -> None:
        """Recognise the buffer; commit what stays, or all where it is the `last` pass over it."""
        words = self._fresh(self._recognised())
        until = (self._buffer.origin + len(self._buffer)) / self._rate - MARGIN
        count = len(words) if last else agreed(words, self._tail, until)
        self._tell(words, count, emit)

    def _tell(self, words: Sequence[Word], count: int, emit: Callable[[Hypothesis], None]) -> None:
        """Commit the first `count` of `words`; the others are the tail."""
        in_order: list[Word] = []
        end = self._end
        for word in words:
            start = max(end, word.start)
            end = max(start, word.end)
            in_order.append(replace(word, start=round(start, 3), end=round(end, 3)))
        committed, tail = tuple(in_order[:count]), tuple(in_order[count:])
        if committed:
            self._end = committed[-1].end
            self._committed += committed
        if committed or tail != self._tail:
            self._tail = tail
            emit(Hypothesis(committed, tail))

    def _recognised(self) -> list[Word]:
        """The words in the buffer; seconds of the stream."""
        samples = self._buffer.audio
        samples = np.pad(samples, (0, max(0, round(SHORTEST * self._rate) - len(samples))))
        mel = self._own._log_mel_spectrogram(mx.array(samples)).astype(self._dtype)
        result, origin = self._own.decode(mel)[0], self._buffer.origin / self._rate
        duration = len(self._buffer) / self._rate
        return [
            replace(word, start=origin + min(word.start, duration), end=origin + min(word.end, duration))
            for part in heard(result, duration).parts
            for word in part.words
        ]

    def _fresh(self, words: list[Word]) -> list[Word]:
        """Those of `words` behind the word committed last: found by its text where it was, else by its time."""
        if not self._committed:
            return words
        known = self._committed[-1]
        same = [place for place, word in enumerate(words) if bare(word) == bare(known)]
        near = [place for place in same if abs(words[place].end - known.end) < NEAR]
        if near:
            return words[1 + min(near, key=lambda place: abs(words[place].end - known.end)) :]
        return [word for word in words if (word.start + word.end) / 2 > known.end]

    def _start_over(self) -> None:
        """Begin another utterance. The last STEP stays: its first word may have begun there."""
        self._buffer.drop(max(0, len(self._buffer) - round(STEP * self._rate)))
        self._committed, self._tail = [], ()

    def _shorten(self) -> Steps:
        """Cut a long buffer behind a committed word; without one, the words that leave it are committed."""
        length = len(self._buffer) / self._rate
        if length <= LONGEST:
            return
        origin = self._buffer.origin / self._rate
        behind = [word.end for word in self._committed if word.end <= origin + length - KEPT]
        cut = behind[-1] - BEFORE if behind else origin
        if cut <= origin:
            cut = origin + length - KEPT
            told: list[Hypothesis] = []
            self._tell(self._tail, sum(word.end <= cut + BEFORE for word in self._tail), told.append)
            yield from told
        self._buffer.drop(round((cut - origin) * self._rate))
        self._committed = [word for word in self._committed if word.end > cut]


def agreed(words: Sequence[Word], before: Sequence[Word], until: float) -> int:
    """How many of `words` are those of the pass `before`, too, and end before `until`."""
    count = 0
    for word, earlier in zip(words, before, strict=False):
        if bare(word) != bare(earlier) or word.end > until:
            break
        count += 1
    return count


def bare(word: Word) -> str:
    """The letters of a word, to compare it with another pass's."""
    return word.text.strip().strip(".,!?;:").lower()
