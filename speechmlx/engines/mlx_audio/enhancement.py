"""Less noise, or voices alone, by the package's families that look at whole stretches of sound: `Enhance`.

A stream is worked on in windows that overlap. At each inner end of a window the edge is left out, where a network knows
too little of what comes before or behind: it lies inside of the next window or the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines import Steps
from speechmlx.engines.finite import finite
from speechmlx.engines.mlx_audio import cooperative, tree
from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.cooperative import Emit
from speechmlx.errors import BadAudio, Unsupported
from speechmlx.types import Chunk, Enhance, Request, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

SHORTEST, BEHIND = 1.0, 0.1
"""Seconds; a shorter window is filled up with silence, and behind the last one there is some."""
COMPILED, PLAIN = "_forward_compiled", "_forward"
"""A network as one compiled function, and layer by layer, which gives control back in between."""


@dataclass(frozen=True)
class EnhancedWindow:
    """How a family works: `seconds` of a window, of its `edge`, and the function of (model, samples [n]) to [n]."""

    seconds: float
    edge: float
    enhance: Callable[[Any, mx.array], Any]


def _voices(model: Any, samples: mx.array) -> mx.array:
    """The network takes two channels."""
    return model(mx.broadcast_to(samples, (1, 2, len(samples))))[0].mean(axis=0)


def merged(split: Any, masks: Sequence[mx.array], width: int) -> mx.array:
    """The masks of the bands [1, frames, 2 n] of a RoFormer as one of the spectrum [1, `width`, frames, 2].

    Bands overlap, and there they are averaged. The package adds row after row: thousands of copies of the spectrum.
    """
    rows = [mask.reshape(*mask.shape[:2], -1, 2).transpose(0, 2, 1, 3) for mask in masks]
    batch, _, frames, _ = rows[0].shape
    bank = split.filterbank
    places = mx.concatenate(bank.freq_indices)
    summed = mx.zeros((batch, width, frames, 2)).at[:, places].add(mx.concatenate(rows, axis=1))
    return summed / mx.array(bank.num_bands_per_freq)[None, :, None, None]


FAMILIES: Mapping[str, EnhancedWindow] = {
    "mossformer2_se": EnhancedWindow(4.0, 0.5, lambda model, samples: model.generate(samples).audio),
    "mel_roformer": EnhancedWindow(8.0, 2.0, _voices),
}
"""The families, each with the window and the overlap of its own code for long recordings."""


class WindowedEnhancer:
    """A loaded model that enhances speech. It holds no state of requests: each has a structural clone."""

    def __init__(self, checkpoint: BridgedModel) -> None:
        self.checkpoint = checkpoint
        self.nbytes = checkpoint.nbytes
        for module in list(tree.modules(checkpoint.model)):
            if hasattr(module, COMPILED):
                setattr(module, COMPILED, getattr(module, PLAIN))
            if hasattr(module, "filterbank"):
                module.merge = MethodType(merged, module)

    def open(self, request: Request) -> EnhancedStream:
        """Enhance a stream at the model's rate; raises Unsupported for another request."""
        if not isinstance(request, Enhance):
            raise Unsupported(f"{self.checkpoint.family} enhances speech; it cannot {type(request).__name__.lower()}")
        return EnhancedStream(self.checkpoint)


class EnhancedStream:
    """One stream: a window behind its input, and as long as it in the end."""

    def __init__(self, checkpoint: BridgedModel) -> None:
        self._family, self._rate = checkpoint.family, checkpoint.rate
        self._window = FAMILIES[checkpoint.family]
        self._size, self._edge = (round(part * self._rate) for part in (self._window.seconds, self._window.edge))
        self._own = structural_clone(checkpoint.model)
        self._waiting = np.zeros(0, np.float32)
        """The samples of the next window that are there."""
        self._before = 0
        """How many of them have come out: the edge of the window before."""
        self._given = 0

    def feed(self, samples: Samples) -> Steps:
        """Chunks of what is complete with `samples` [n]. Raises BadAudio unless these are finite and one channel."""
        if samples.ndim != 1 or not np.isfinite(samples).all():
            raise BadAudio("audio must be one channel of finite samples")
        self._waiting = np.concatenate([self._waiting, samples.astype(np.float32, copy=False)])
        while len(self._waiting) >= self._size:
            yield from self._enhanced(self._size, self._size - self._edge)

    def finish(self) -> Steps:
        """Chunks of the rest."""
        if len(self._waiting) > self._before:
            yield from self._enhanced(len(self._waiting), len(self._waiting))
        yield Usage(audio_in=self._given / self._rate, audio_out=self._given / self._rate)

    def close(self) -> None:
        self._own = None
        self._waiting = self._waiting[:0]

    def _enhanced(self, count: int, until: int) -> Steps:
        """A window of the first `count` waiting samples, of which those up to `until` come out."""
        window = self._waiting[:count]
        yield from cooperative.steps(lambda emit: self._pass(window, until, emit), 0)
        self._given += until - self._before
        self._waiting = self._waiting[max(0, until - self._edge) :]
        self._before = min(until, self._edge)

    def _pass(self, window: Samples, until: int, emit: Emit) -> None:
        short = 0 if len(window) == self._size else max(BEHIND, SHORTEST - len(window) / self._rate)
        padded = np.pad(window, (0, round(short * self._rate)))
        sound = np.array(self._window.enhance(self._own, mx.array(padded)), np.float32)[self._before : until]
        emit(Chunk(to_pcm16(finite(sound, self._family)), self._rate))
