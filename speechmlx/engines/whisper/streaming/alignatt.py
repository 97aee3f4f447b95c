"""AlignAtt decoding: each token comes with the place in the audio that its attention is on.

A place is one position of the encoder's output, 20 ms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speechmlx.engines.whisper.decoding.quality import is_looping, without_loop
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.offline.word_timing import MARKS

if TYPE_CHECKING:
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
    no_speech: float = 0.0
    """Probability of silence."""

    def take(self, token: int, logprob: float, place: int) -> None:
        """Take the next token and the place that the step which chose it attends to."""
        if not math.isfinite(logprob):
            self.finished = self.failed = True
            return
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
        return AttendedTokens(*kept, self.no_speech, looped)
