"""Decoding that watches where it listens: each token comes with the place in the audio its attention was on."""

from __future__ import annotations

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
"""Tokens heard within STUCK_PLACES of each other that are not believed."""
STUCK_PLACES = 2
BACKWARDS = 200
"""Places attention may fall back before what follows is not believed."""


@dataclass(frozen=True)
class Followed:
    """What was heard: tokens, the place of the encoder's output each was heard at, and their log-probabilities.

    `looped`: decoding was stopped because it went round in circles; what it said of that is not here.
    """

    tokens: tuple[int, ...]
    places: tuple[int, ...]
    logprobs: tuple[float, ...]
    no_speech: float
    looped: bool


class Attention:
    """Where the newest token looks, from the alignment heads' scores of all tokens so far."""

    def __init__(self, scores: NDArray[np.float32]) -> None:
        """`scores` [heads, tokens, places] of the prompt."""
        weights = _softmax(scores)
        self._count = weights.shape[1]
        self._sum = weights.sum(axis=1)
        self._squares = (weights**2).sum(axis=1)
        self._last = weights[:, -1]

    def add(self, scores: NDArray[np.float32]) -> None:
        """Scores [heads, places] of one more token."""
        self._last = _softmax(scores)
        self._count += 1
        self._sum += self._last
        self._squares += self._last**2

    def place(self) -> int:
        """The place most looked at by the last token, beyond what every token looks at."""
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
    found: NDArray[np.float32] = weights / weights.sum(axis=-1, keepdims=True)
    return found


@dataclass(eq=False)
class Following:
    """Greedy decoding of one buffer, without timestamps, until the end of text, `limit` tokens, or one heard too late.

    Too late is from place `stop` on, for a closing mark from place `end` on. `prompt` ends with what is already known
    to be said; `cross` is the audio's keys and values [1, h, n, d], until it is seated.
    """

    vocabulary: Vocabulary
    prompt: Sequence[int]
    cross: Sequence[Pair]
    suppress: tuple[int, ...]
    stop: int
    end: int
    limit: int
    tokens: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finished: bool = False
    _attention: Attention | None = None
    _no_speech: float = 0.0

    def begin(self, scores: NDArray[np.float32], no_speech: float) -> None:
        """`scores` [heads, tokens, places] of the prompt."""
        self._attention, self._no_speech = Attention(scores), no_speech

    def look(self, scores: NDArray[np.float32]) -> None:
        """`scores` [heads, places] of the token taken last."""
        assert self._attention is not None
        self._attention.add(scores)

    def take(self, token: int, logprob: float) -> None:
        """The next token, chosen after the last look; the first after `begin`."""
        assert self._attention is not None
        place = self._attention.place()
        late = place >= (self.end if self.vocabulary.decode([token]) in MARKS else self.stop)
        backwards = bool(self.places) and place < max(self.places) - BACKWARDS
        if token == self.vocabulary.eot or late or backwards or len(self.tokens) >= self.limit or self._is_stuck:
            self.finished = True
            return
        self.tokens.append(token)
        self.places.append(place)
        self.logprobs.append(logprob)

    @property
    def _is_stuck(self) -> bool:
        """The same tokens over and over, or many of them heard in a moment: nobody says so much in so little time."""
        recent = self.places[-STUCK:]
        return is_looping(self.tokens) or (len(recent) == STUCK and max(recent) - min(recent) <= STUCK_PLACES)

    @property
    def followed(self) -> Followed:
        looped = self._is_stuck
        count = min(without_loop(self.tokens), len(self.tokens) - STUCK * looped) if looped else len(self.tokens)
        kept = tuple(self.tokens[:count]), tuple(self.places[:count]), tuple(self.logprobs[:count])
        return Followed(*kept, self._no_speech, looped)
