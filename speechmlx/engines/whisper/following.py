"""Decoding that watches where it listens: each token comes with the place in the audio its attention was on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.align import CLOSING, MEDIAN_WIDTH
from speechmlx.engines.whisper.heads import Heads
from speechmlx.engines.whisper.network import Network, Pair
from speechmlx.engines.whisper.rules import Chooser, Rules, Trace, trace
from speechmlx.engines.whisper.seats import Prompt, Seats, causal
from speechmlx.engines.whisper.tokens import Vocabulary
from speechmlx.engines.whisper.windows import is_looping, without_loop

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOKENS_PER_STEP = 4
"""Tokens decoded between two yields."""
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


def follow(
    network: Network,
    vocabulary: Vocabulary,
    heads: Heads,
    cross: Sequence[Pair],
    prompt: Sequence[int],
    suppress: tuple[int, ...],
    stop: int,
    end: int,
    limit: int,
) -> Generator[None, None, Followed]:
    """Decode greedily without timestamps until the end of text, `limit` tokens, or a token heard too late.

    Too late is from place `stop` on, for a closing mark from place `end` on.

    `cross` is the audio's keys and values [1, h, n, d]; `prompt` ends with what is already known to be said.
    """
    decoder = network.decoder
    begun = Prompt()
    length = len(prompt)
    mask = causal(length, network.dtype)
    hidden, looked = decoder(mx.array([prompt]), mx.arange(length)[None], begun, cross, mask, look=heads)
    sot = list(prompt).index(vocabulary.sot)
    logits = decoder.logits(mx.stack([hidden[0, sot], hidden[0, -1]]))
    silence = mx.exp(logits[0, vocabulary.no_speech] - mx.logsumexp(logits[0]))
    chooser = Chooser([Rules(suppress, timestamps=False)], vocabulary, network.kernels.logsumexp)
    token, logprob, after = chooser.choose(logits[1:], trace([[]], vocabulary), first=True)
    scores = mx.concatenate(looked, axis=1)[0]
    mx.eval(token, logprob, silence, scores)
    attention = Attention(np.array(scores))
    seats = Seats(network.dims, 1, hidden.dtype)
    seats.take(cross)
    seats.begin(0, begun.pairs, length)
    marks = tuple(CLOSING)
    tokens: list[int] = []
    places: list[int] = []
    logprobs: list[float] = []
    while True:
        place = attention.place()
        value = int(np.array(token)[0])
        backwards = bool(places) and place < max(places) - BACKWARDS
        late = place >= (end if vocabulary.decode([value]) in marks else stop)
        if value == vocabulary.eot or late or backwards or len(tokens) >= limit or _is_stuck(tokens, places):
            break
        tokens.append(value)
        places.append(place)
        logprobs.append(float(np.array(logprob)[0]))
        token, logprob, after, scores = _next(network, chooser, heads, seats, after)
        attention.add(np.array(scores))
        if len(tokens) % TOKENS_PER_STEP == 0:
            yield
    looped = _is_stuck(tokens, places)
    count = min(without_loop(tokens), len(tokens) - STUCK * looped) if looped else len(tokens)
    kept = tuple(tokens[:count]), tuple(places[:count]), tuple(logprobs[:count])
    return Followed(*kept, float(np.array(silence)), looped)


def _is_stuck(tokens: Sequence[int], places: Sequence[int]) -> bool:
    """The same tokens over and over, or many of them heard in a moment: nobody says so much in so little time."""
    recent = places[-STUCK:]
    return is_looping(tokens) or (len(recent) == STUCK and max(recent) - min(recent) <= STUCK_PLACES)


def _next(
    network: Network, chooser: Chooser, heads: Heads, seats: Seats, after: Trace
) -> tuple[mx.array, mx.array, Trace, mx.array]:
    seats.begin_step()
    positions = mx.array([[seats.lengths[0] - 1]])
    hidden, looked = network.decoder(after.last[:, None], positions, seats, seats.cross(), None, look=heads)
    token, logprob, after = chooser.choose(network.decoder.logits(hidden[:, -1]), after, first=False)
    scores = mx.concatenate(looked, axis=1)[0, :, 0]
    mx.eval(token, logprob, scores)
    return token, logprob, after, scores
