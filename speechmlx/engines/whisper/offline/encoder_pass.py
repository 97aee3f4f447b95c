"""Windows in the encoder: a pass of slices, which are sized by the time that they take."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from speechmlx.engines import AIM
from speechmlx.engines.step_size import StepSize
from speechmlx.engines.whisper.model.mel import FRAMES_PER_SECOND
from speechmlx.engines.whisper.model.network import Network, Pair
from speechmlx.engines.whisper.offline.window import Stage, Window

GPU_WINDOWS = 4
"""Windows that a GPU encodes at once, at most. A CPU gains nothing from more than one."""
PIECE = 5 * FRAMES_PER_SECOND // 2
"""Frames of a unit of work: one of the encoder's blocks on so many frames of one window."""
FIRST = {"cpu": 1, "gpu": 64}
MOST = {"cpu": 1, "gpu": 1024}
"""Units in a slice: the first time and at most. A slice has one block at least.

On a CPU there is no launch to save: four blocks in one evaluation took longer than one by one, about 30 ms each beside
27 (whisper-base, 11 s of audio, 2 cores of Linux).
"""
CROSS = 6
"""Layers of the decoder whose keys and values cost about as much as a block: 2 products of 12, of one size."""
START = 4
"""What comes before the blocks costs about one in so many of them, in the largest models."""


class EncoderPass:
    """Windows of one length, from their spectrograms to the keys and values that the decoder attends to."""

    def __init__(self, network: Network, size: StepSize, windows: Sequence[Window], x: mx.array) -> None:
        """`x` [windows, t, width]: what the encoder's blocks begin with."""
        self.windows = list(windows)
        self._network, self._size, self._x = network, size, x
        self._blocks = 0
        """Blocks of the encoder that are done."""
        self._cross: list[Pair] = []
        """Keys and values [windows, h, n, d] of the decoder's layers that are done."""

    @classmethod
    def begin(cls, network: Network, size: StepSize, windows: Sequence[Window], aim: float) -> EncoderPass:
        """Start a pass, which should take `aim` seconds."""
        mel = mx.array(np.stack([window.state.mel_of(window) for window in windows])).astype(network.dtype)
        with size.timed(aim, -(-units_of(windows[0]) * len(windows) // START)):
            x = network.encoder.start(mel)
            mx.eval(x)
        for window in windows:
            window.stage = Stage.ENCODING
        return cls(network, size, windows, x)

    @property
    def is_fresh(self) -> bool:
        return self._blocks == 0

    @property
    def is_done(self) -> bool:
        return len(self._cross) == len(self._network.decoder.blocks)

    def split(self) -> list[EncoderPass]:
        """A pass for each of the windows, as far as they have come."""
        passes = []
        for index, window in enumerate(self.windows):
            row = slice(index, index + 1)
            one = EncoderPass(self._network, self._size, [window], self._x[row])
            # A part of an array would keep that of all windows.
            one._blocks, one._cross = self._blocks, [(k[row] + 0, v[row] + 0) for k, v in self._cross]
            mx.eval(one._cross)
            passes.append(one)
        return passes

    def advance(self, aim: float) -> None:
        """Do a slice that should take `aim` seconds. The last one gives the windows their keys and values."""
        unit = units_of(self.windows[0]) * len(self.windows)
        blocks = max(1, self._size.units(aim) // unit)
        if (left := len(self._network.encoder.blocks) - self._blocks) > 0:
            blocks = min(blocks, left)
            with self._size.timed(aim, blocks * unit):
                self._encode(blocks)
        else:
            layers = min(CROSS * blocks, len(self._network.decoder.blocks) - len(self._cross))
            with self._size.timed(aim, -(-layers * unit // CROSS)):
                self._attend(layers)

    def _encode(self, blocks: int) -> None:
        encoder = self._network.encoder
        for _ in range(blocks):
            self._x = encoder.block(self._blocks, self._x)
            self._blocks += 1
        if self._blocks == len(encoder.blocks):
            self._x = encoder.ln_post(self._x)
        mx.eval(self._x)

    def _attend(self, layers: int) -> None:
        done = len(self._cross)
        cross = self._network.cross(self._x, slice(done, done + layers))
        mx.eval(cross)
        self._cross += cross
        if self.is_done:
            for index, window in enumerate(self.windows):
                row = slice(index, index + 1)
                window.cross, window.stage = [(k[row], v[row]) for k, v in self._cross], Stage.ENCODED
                if len(self.windows) > 1 and window.state.beams > 1:
                    # A search keeps it to its end, and with a part of an array that of all windows.
                    window.cross = [(k + 0, v + 0) for k, v in window.cross]
                    mx.eval(window.cross)


def units_of(window: Window) -> int:
    """Units of work of one block on one window."""
    return max(1, round(window.encoded_frames / PIECE))


def windows_at_once(device: str, units: int, window: Window, aim: float) -> int:
    """How many windows like `window` enter the encoder together where a slice has `units`: one while somebody waits."""
    if device == "cpu" or aim <= AIM:
        return 1
    return max(1, min(GPU_WINDOWS, units // units_of(window)))
