"""AlignAtt decoding: each token comes with the place in the audio that its attention is on.

A place is one position of the encoder's output, 20 ms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.engines.whisper.decoding.quality import is_looping, without_loop
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.offline.word_timing import MARKS, MEDIAN_WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.engines.whisper.model.network import Pair

STUCK = 12
"""So many tokens attended within STUCK_PLACES of each other are an error of the model."""
STUCK_PLACES = 2
BACKWARDS = 200
"""Places that attention may fall back; a token further back ends the decoding."""


@dataclass(frozen=True)
class AttendedTokens:
    """Decoded tokens with the place and the log-probability of each.

    `looped`: decoding stopped because it repeated itself; the repetition is left out. `no_speech` is the probability
    of silence.
    """

    tokens: tuple[int, ...]
    places: tuple[int, ...]
    logprobs: tuple[float, ...]
    no_speech: float
    looped: bool


class AttentionTracker:
    """The place that the newest token attends to, relative to all tokens so far (mean and spread per place)."""

    def __init__(self, scores: NDArray[np.float32]) -> None:
        """`scores` [heads, tokens, places] of the alignment heads for the prompt, before the softmax."""
        weights = _softmax(scores)
        self._count = weights.shape[1]
        self._sum = weights.sum(axis=1)
        self._squares = (weights**2).sum(axis=1)
        self._last = weights[:, -1]

    def add(self, scores: NDArray[np.float32]) -> None:
        """Add the scores [heads, places] of one more token."""
        self._last = _softmax(scores)
        self._count += 1
        self._sum += self._last
        self._squares += self._last**2

    def place(self) -> int:
        """The place that the last token attends to most, beyond the attention that every token pays to it."""
        mean = self._sum / self._count
        spread = np.sqrt(np.maximum(self._squares / self._count - mean**2, 1e-12))
        weights = (self._last - mean) / spread if self._count > 1 else self._last
        half = MEDIAN_WIDTH // 2
        if weights.shape[-1] > half:
            padded = np.pad(weights, ((0, 0), (half, half)), mode="reflect")
            views = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_WIDTH, axis=-1)
            weights = np.partition(views, half, axis=-1)[..., half]
        return int(weights.mean(axis=0).argmax())


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    softmax: NDArray[np.float32] = weights / weights.sum(axis=-1, keepdims=True)
    return softmax


@dataclass(eq=False)
class LiveSequence:
    """Greedy decoding of one buffer, without timestamps.

    It ends at the end token, after `limit` tokens, in a loop, or at a token attended too late: from place `late` on, or
    from place `late_mark` on for a closing mark. `prompt` ends with the words committed before. `cross` holds each
    decoder layer's keys and values [1, h, n, d] of the audio until the batch has taken them.
    """

    vocabulary: Vocabulary
    prompt: Sequence[int]
    cross: Sequence[Pair]
    suppress: tuple[int, ...]
    late: int
    late_mark: int
    limit: int
    tokens: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finished: bool = False
    failed: bool = False
    """A log-probability was no finite number: it is finished, and its keys and values are garbage."""
    _attention: AttentionTracker | None = None
    _no_speech: float = 0.0

    def begin(self, scores: NDArray[np.float32], no_speech: float) -> None:
        """Start with the prompt's attention scores [heads, tokens, places] and probability of silence."""
        self._attention, self._no_speech = AttentionTracker(scores), no_speech

    def attend(self, scores: NDArray[np.float32]) -> None:
        """Add the attention scores [heads, places] of the token taken last."""
        assert self._attention is not None
        self._attention.add(scores)

    def take(self, token: int, logprob: float) -> None:
        """Take the next token. It was chosen by the step whose attention scores were added last."""
        assert self._attention is not None
        if not math.isfinite(logprob):
            self.finished = self.failed = True
            return
        place = self._attention.place()
        is_mark = self.vocabulary.decode([token]) in MARKS
        late = place >= (self.late_mark if is_mark else self.late)
        backwards = bool(self.places) and place < max(self.places) - BACKWARDS
        if token == self.vocabulary.eot or late or backwards or len(self.tokens) >= self.limit or self._is_stuck:
            self.finished = True
            return
        self.tokens.append(token)
        self.places.append(place)
        self.logprobs.append(logprob)

    @property
    def _is_stuck(self) -> bool:
        """Whether tokens repeat in a loop, or STUCK of them attend to one moment of the audio."""
        recent = self.places[-STUCK:]
        return is_looping(self.tokens) or (len(recent) == STUCK and max(recent) - min(recent) <= STUCK_PLACES)

    @property
    def result(self) -> AttendedTokens:
        """The tokens to use, without a loop at their end."""
        looped = self._is_stuck
        count = min(without_loop(self.tokens), len(self.tokens) - STUCK * looped) if looped else len(self.tokens)
        kept = tuple(self.tokens[:count]), tuple(self.places[:count]), tuple(self.logprobs[:count])
        return AttendedTokens(*kept, self._no_speech, looped)
