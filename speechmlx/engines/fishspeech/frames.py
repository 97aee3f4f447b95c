"""The loop of frame after frame, for the rows of a batch: the only thing read from the device is what was drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.fishspeech.drawing import FishDraw, draw
from speechmlx.engines.fishspeech.network import DualAr
from speechmlx.engines.fishspeech.settings import FishSettings
from speechmlx.engines.fishspeech.shape import DualArShape
from speechmlx.engines.parts.batch_places import BatchPlaces, PlacedRow, SteppingPlaces
from speechmlx.engines.parts.kv_rows import KeyValueRows

WINDOW = 16
"""Frames of a turn whose codes the penalty makes less likely."""

Complete = Callable[..., tuple[mx.array, mx.array]]
"""state, first, window, temperature, top_p, penalty, chance → as DualAr.complete."""


@dataclass(eq=False)
class FishRow(PlacedRow):
    """One sequence: the turns of a request."""

    settings: FishSettings


@dataclass
class _Carry:
    """What goes from frame to frame on the device, a row each."""

    first: mx.array
    """The first code of the next frame, int32 [rows]."""
    state: mx.array
    """What it was drawn from [rows, hidden]."""
    window: mx.array = field(repr=False)
    """The codes of the turn's last frames, int32 [rows, codebooks, WINDOW]; -1 before its first one."""


class FishLoop(BatchPlaces[FishRow, _Carry]):
    """Makes frames of the rows that are named in a step."""

    def __init__(
        self, model: DualAr, shape: DualArShape, dtype: mx.Dtype, fused: bool, pipelined: bool = False
    ) -> None:
        """`fused`: completing a frame is one compiled graph. `pipelined`: a frame is launched before one is read."""
        self._model, self._shape, self._dtype = model, shape, dtype
        self._complete = _as_function(model, fused)
        super().__init__(KeyValueRows(shape.slow, dtype), self._no_frames, end=shape.codes, pipelined=pipelined)

    def _no_frames(self, rows: int) -> _Carry:
        return _Carry(
            mx.zeros((rows,), mx.int32),
            mx.zeros((rows, self._shape.slow.hidden), self._dtype),
            mx.full((rows, self._shape.codebooks, WINDOW), -1, mx.int32),
        )

    def read(self, row: FishRow, prompt: NDArray[np.int32], last: bool) -> None:
        """Read a piece of a turn's prompt [n, 1 + codebooks]; `last`: and draw the first code of its first frame."""
        self.memory.fit(len(self._places), row.length + len(prompt) + 1)
        state = self._model.read(self._model.embed(prompt.T), self.memory, row.place, row.length)
        row.length += len(prompt)
        row.spoilt = True
        if last:
            window = mx.full((1, self._shape.codebooks, WINDOW), -1, mx.int32)
            chance = mx.array(row.random.random(1, np.float32))
            logits = self._model.logits(state)[:, : self._shape.codes]  # the turn has a frame at least
            carry = self._carried
            carry.first[row.place] = draw(logits, window[:, 0], _how([row]), chance)[0]
            carry.state[row.place], carry.window[row.place] = state[0], window[0]
            mx.eval(carry.first, carry.state, carry.window)
        self.memory.evaluate()

    def launch(self, rows: Sequence[FishRow]) -> None:
        """Begin to compute the next frame of each of `rows`, whose prompts are read."""
        now = self._stepping(rows, self._shape.codebooks)
        self._launched(rows, now, self._frames(now))

    def _frames(self, now: SteppingPlaces) -> mx.array:
        """Begin to compute a frame of every place: its codes, the next frame's first one, and whether all is good."""
        model, carry = self._model, self._carried
        chance, steps = mx.array(now.chance), mx.array(now.steps)
        how = self._settings = self._settings or _how(self._places)
        others, good = self._complete(
            carry.state, carry.first, carry.window, how.temperature, how.top_p, how.penalty, chance[:, 1:]
        )
        codes = mx.concatenate([carry.first[:, None], others], axis=1)
        window = mx.concatenate([carry.window[:, :, 1:], codes[:, :, None]], axis=2)
        state = model.step(model.frames(codes), self.memory, now.lengths)
        logits = model.logits(state)
        first = draw(logits, window[:, 0], how, chance[:, 0])
        good = good & mx.isfinite(logits).all(axis=-1)
        found = mx.concatenate([codes, first[:, None], good[:, None].astype(mx.int32)], axis=1)
        # The end of a turn is no code: what follows it is a prompt, whose end draws the next one.
        carry.first = mx.where(steps, mx.minimum(first, self._shape.codes - 1), carry.first)
        carry.state = mx.where(steps[:, None], state, carry.state)
        carry.window = mx.where(steps[:, None, None], window, carry.window)
        mx.async_eval(found, carry.first, carry.state, carry.window)
        return found


def _as_function(model: DualAr, fused: bool) -> Complete:
    """The fast transformer as a function of arrays; `fused`: compiled, once for each size of batch."""

    def complete(
        state: mx.array,
        first: mx.array,
        window: mx.array,
        temperature: mx.array,
        top_p: mx.array,
        penalty: mx.array,
        chance: mx.array,
    ) -> tuple[mx.array, mx.array]:
        return model.complete(state, first, window, FishDraw(temperature, top_p, penalty), chance)

    return mx.compile(complete) if fused else complete


def _how(rows: Sequence[FishRow | None]) -> FishDraw:
    """The settings of the rows as arrays; an empty place takes the likeliest, which nobody reads."""
    settings = [row.settings if row else None for row in rows]
    return FishDraw(
        mx.array([one.temperature if one else 0.0 for one in settings]),
        mx.array([one.top_p if one else 1.0 for one in settings]),
        mx.array([one.penalty if one else 1.0 for one in settings]),
    )
