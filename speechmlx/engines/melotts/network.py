"""MeloTTS's network before its vocoder, VITS with a transformer in its flow: phones → latent frames. In float32."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.finite import finite
from speechmlx.engines.melotts.durations import DrawnDurations, PlainDurations
from speechmlx.engines.melotts.relative_encoder import RelativeEncoder
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.tensors import Tensors

Integers = NDArray[np.int32]


@dataclass(frozen=True)
class PhoneLine:
    """A text as the network reads it: numbers of phones, tones and languages [t], and BERT's features [t, f]."""

    phones: mx.array
    tones: mx.array
    languages: mx.array
    features: mx.array | None
    """None: the checkpoint was trained without them."""


@dataclass(frozen=True)
class Encoded:
    """What the encoder tells of each phone: hidden channels [1, t, c], means and logarithms of deviations [1, t, l]."""

    hidden: mx.array
    means: mx.array
    deviations: mx.array


class MeloNetwork:
    """The weights, and what is computed with them. Keeps nothing of a request."""

    def __init__(self, tensors: Tensors, heads: int, pace: LayerPace, *, tells_encoder: bool = True) -> None:
        """`tells_encoder`: whether the encoder of the text knows the speaker."""
        self._tensors, self._pace, self._tells_encoder = tensors, pace, tells_encoder
        self._encoder = RelativeEncoder(tensors.under("enc_p.encoder"), heads)
        couplings = tensors.under("flow").count("flows")
        self._couplings = tuple(tensors.under(f"flow.flows.{2 * number}") for number in reversed(range(couplings)))
        self._flow = tuple(RelativeEncoder(coupling.under("enc"), heads) for coupling in self._couplings)
        self._plain, self._drawn = PlainDurations(tensors.under("dp")), DrawnDurations(tensors.under("sdp"))

    def speaker(self, number: int) -> mx.array:
        """The channels of a speaker [1, 1, g]."""
        return self._tensors["emb_g.weight"][number][None, None]

    def encode(self, line: PhoneLine, speaker: mx.array) -> Generator[None, None, Encoded]:
        """Read a text, in steps."""
        tensors = self._tensors.under("enc_p")
        x = tensors["emb.weight"][line.phones] + tensors["tone_emb.weight"][line.tones]
        x = x + tensors["language_emb.weight"][line.languages] + tensors["bert_proj.bias"]
        if line.features is None:
            x = (x + tensors["ja_bert_proj.bias"])[None]
        else:
            x = x[None] + tensors.conv("ja_bert_proj", line.features[None])
        x = x * x.shape[-1] ** 0.5
        x = yield from self._pace.run(self._encoder.layers(speaker if self._tells_encoder else None), x)
        means, deviations = mx.split(tensors.conv("proj", x), 2, axis=-1)
        return Encoded(x, means, deviations)

    def durations(self, text: Encoded, speaker: mx.array, noise: mx.array, drawn: float, speed: float) -> Integers:
        """Frames of each phone [t], at least 1. `noise` [1, t, 2]; `drawn`: share of the drawn durations, 0 to 1."""
        logs = self._plain(text.hidden, speaker) * (1 - drawn)
        if drawn:
            logs = logs + self._drawn(text.hidden, speaker, noise) * drawn
        frames = finite(np.array(mx.ceil(mx.exp(logs) / speed)), "the prediction of durations")
        return np.clip(frames, 1, 1 << 20).astype(np.int32)

    def latent(
        self, text: Encoded, frames: Integers, speaker: mx.array, noise: mx.array
    ) -> Generator[None, None, mx.array]:
        """The latent frames [1, n, l] of phones that last `frames`, with `noise` [1, n, l], in steps."""
        spread = mx.array(np.repeat(np.arange(len(frames)), frames))
        z = text.means[:, spread] + noise * mx.exp(text.deviations[:, spread])
        for coupling, encoder in zip(self._couplings, self._flow, strict=True):
            first, second = mx.split(z[..., ::-1], 2, axis=-1)
            inner = yield from self._pace.run(encoder.layers(speaker), coupling.conv("pre", first))
            z = mx.concatenate([first, second - coupling.conv("post", inner)], axis=-1)
        return z
