"""One frame of 80 ms of several conversations: what is heard goes in, what is said comes out. One read of the device.

Tokens of the frames around the present one are in a window of three columns for each row: the column before, which the
network reads, the present one, which it predicts, and the one after, into which streams with a delay are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines.moshi.network import MoshiNetwork
from speechmlx.engines.moshi.ring import MoshiRing
from speechmlx.engines.moshi.sizes import DELAYS, STREAMS, VOICED
from speechmlx.engines.parts.mimi import NO_CODE, Mimi

NOT_FINITE, NOT_HEARD, NOT_VOICED = -1, -2, -3
"""In the place of a text token where no finite numbers give the text, the codes of what is heard or of what is said."""
STAGES = {NOT_FINITE: "the network", NOT_HEARD: "the codec's encoder", NOT_VOICED: "the network's codebooks"}
"""Where they come from."""
COLUMNS = 3
IS_LATE = np.array(DELAYS) > 0
"""Whether a stream has a delay [STREAMS]."""

FrameState = dict[str, Any]
"""Of each row: the codec's states `hearing` and `sounding`, the window's `tokens` [b, STREAMS, COLUMNS] and which of
them are `forced`, and the `key` of its random numbers [b, 2]."""


@dataclass(frozen=True)
class MoshiSampling:
    """How text and codes are drawn, as the references have it. Temperature 0 takes the likeliest."""

    temperature: float = 0.8
    top_k: int = 250
    text_temperature: float = 0.7
    text_top_k: int = 25


class MoshiFrames:
    """The step of a frame for the rows of one state. It keeps nothing of them."""

    def __init__(self, network: MoshiNetwork, codec: Mimi, sampling: MoshiSampling, device: str) -> None:
        """On a GPU what has the same shapes in every frame is compiled: the codec, and the loop over codebooks."""
        self.network, self.codec = network, codec
        self._sampling = sampling
        compiled: Callable[[Any], Any] = mx.compile if device == "gpu" else _as_it_is
        self._listen, self._predict, self._sound = map(compiled, (self._listened, self._predicted, codec.decode))
        cells = np.zeros((STREAMS, COLUMNS), bool)
        self._heard = 1 if network.sizes.hears_ahead else 0
        """The column of the person's first code in a frame."""
        for stream in range(1 + VOICED, STREAMS):
            cells[stream, self._heard + DELAYS[stream]] = True
        self._person = mx.array(cells)
        """Which cells of the window a frame of the person goes to."""

    def start(self, tokens: mx.array, forced: mx.array, seed: int) -> FrameState:
        """The state of one row before its first frame; `tokens` and `forced` [STREAMS, COLUMNS] as its prompt ended."""
        return {
            "hearing": self.codec.encoding(1),
            "sounding": self.codec.decoding(1),
            "tokens": tokens[None],
            "forced": forced[None],
            "key": mx.random.key(seed)[None],
        }

    def __call__(
        self, samples: mx.array, state: FrameState, rings: Sequence[MoshiRing], sounds: bool = True
    ) -> tuple[mx.array, mx.array, FrameState]:
        """A frame of the person for each row [b, frame] → the model's frame [b, frame], its text [b], the state after.

        Nothing is computed yet. Without `sounds` the rows have no frame of their own yet; theirs is silence.
        """
        x, hearing, tokens, forced = self._listen(samples, state["hearing"], state["tokens"], state["forced"])
        hidden = self.network.hear(x, rings)
        codes, text, tokens, forced, key = self._predict(hidden, tokens, forced, state["key"])
        sounding, sound = state["sounding"], mx.zeros_like(samples)
        if sounds:
            sound, sounding = self._sound(codes, sounding)
        after = {"hearing": hearing, "sounding": sounding, "tokens": tokens, "forced": forced, "key": key}
        return sound, text, after

    def _listened(
        self, samples: mx.array, hearing: list[mx.array], tokens: mx.array, forced: mx.array
    ) -> tuple[mx.array, list[mx.array], mx.array, mx.array]:
        """Write what is heard into the window, where nothing stands; embed the column that the network reads."""
        codes, hearing = self.codec.encode(samples, hearing)
        heard = mx.pad(codes, [(0, 0), (1 + VOICED, 0)])[:, :, None]
        tokens = mx.where(self._person & ~forced, heard, tokens)
        return self.network.embed(tokens[:, None, :, 0]), hearing, tokens, forced | self._person

    def _predicted(
        self, hidden: mx.array, tokens: mx.array, forced: mx.array, key: mx.array
    ) -> tuple[mx.array, mx.array, mx.array, mx.array, mx.array]:
        """Predict the present column. Returns the codes and the text of the last whole frame, and the window after."""
        depth = self.network.sizes.depth
        noise, key = self._noise(key)
        logits = self.network.text_linear(hidden)[:, 0].astype(mx.float32)
        text = self._drawn(logits, noise, 0, self._sampling.text_temperature, self._sampling.text_top_k)
        now, is_forced = tokens[:, :, 1], forced[:, :, 1]
        read, voiced = mx.where(is_forced[:, 0], now[:, 0], text), list[mx.array]()

        def draw(logits: mx.array, place: int) -> mx.array:
            voiced.append(logits)
            start = self.network.sizes.text_count + place * logits.shape[1]
            return self._drawn(logits, noise, start, self._sampling.temperature, self._sampling.top_k)

        codes = self.network.depformer(hidden, read, now[:, 1 : depth + 1], is_forced[:, 1 : depth + 1], draw)
        found = mx.concatenate([text[:, None], codes, now[:, depth + 1 :]], axis=1)
        now = mx.where(is_forced, now, found)
        frame = mx.where(mx.array(IS_LATE), now, tokens[:, :, 0])
        # What is no finite number in `hidden` makes the text's logits none, too.
        said = mx.where(_is_finite(reduce(mx.add, voiced)), frame[:, 0], NOT_VOICED)
        said = mx.where(_is_finite(logits), said, NOT_FINITE)
        said = mx.where(tokens[:, 1 + VOICED, self._heard] == NO_CODE, NOT_HEARD, said)
        tokens = mx.stack([now, tokens[:, :, 2], mx.zeros_like(now)], axis=2)
        forced = mx.stack([is_forced, forced[:, :, 2], mx.zeros_like(is_forced)], axis=2)
        return frame[:, 1 : VOICED + 1], said, tokens, forced, key

    def _noise(self, keys: mx.array) -> tuple[mx.array | None, mx.array]:
        """Gumbel noise for all that a frame draws [b, texts + depth * codes], of each row's own key; the next keys."""
        sampling, sizes = self._sampling, self.network.sizes
        if not (sampling.temperature or sampling.text_temperature):
            return None, keys
        count = sizes.text_count + sizes.depth * sizes.code_count
        pairs = [mx.random.split(keys[row]) for row in range(len(keys))]
        noise = mx.stack([mx.random.gumbel((count,), key=pair[1]) for pair in pairs])
        return noise, mx.stack([pair[0] for pair in pairs])

    @staticmethod
    def _drawn(logits: mx.array, noise: mx.array | None, start: int, temperature: float, top_k: int) -> mx.array:
        """One of the `top_k` likeliest of logits [b, n] by their probabilities: int32 [b]."""
        if noise is None or temperature == 0:
            return mx.argmax(logits, axis=-1).astype(mx.int32)
        scores = logits + temperature * noise[:, start : start + logits.shape[1]]
        if top_k < logits.shape[1]:
            least = mx.min(mx.topk(logits, top_k, axis=-1), axis=-1, keepdims=True)
            scores = mx.where(logits >= least, scores, -mx.inf)
        return mx.argmax(scores, axis=-1).astype(mx.int32)


def _is_finite(logits: mx.array) -> mx.array:
    """Whether all of each row [b, n] are finite numbers: bool [b]. A sum with NaN or infinity is no finite number."""
    return mx.abs(mx.sum(logits, axis=1)) < mx.inf


def _as_it_is(function: Any) -> Any:
    return function
