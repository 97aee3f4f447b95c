"""The loop of frame after frame, for the rows of a batch: the only thing read from the device is what was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.batch_places import BatchPlaces, PlacedRow, SteppingPlaces
from speechmlx.engines.parts.kv_rows import KeyValuePrefix, KeyValueRows
from speechmlx.engines.parts.row_draws import NOBODY, Draw, choose, penalised
from speechmlx.engines.qwen3_tts.predictor import as_function
from speechmlx.engines.qwen3_tts.shape import CONTROLS, QwenTtsConfig
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.engines.qwen3_tts.wishes import Drawing

MOST = 128
"""Codes that are looked for before the likeliest are put in order, on a CPU."""
LEAST = 2
"""Codes of a part, at least, before the code that ends it can be drawn."""


@dataclass(eq=False)
class FrameRow(PlacedRow):
    """One sequence of the talker: a part of a text, from its prompt to its last frame."""

    drawing: Drawing
    drawn: int = 0
    """Number of first codes drawn."""
    goes_on: bool = False
    """The code that ends it may not be drawn now."""


@dataclass
class _Settings:
    """How the rows draw: the first code, the others, and the repetition penalty [rows]."""

    first: Draw
    others: Draw
    penalty: mx.array


@dataclass
class _Carried:
    """What goes from frame to frame on the device, a row each."""

    first: mx.array
    """The code of the first group that was drawn last, int32 [rows]."""
    state: mx.array
    """The talker's state that it was drawn from [rows, hidden]."""
    seen: mx.array = field(repr=False)
    """Which codes were drawn [rows, vocabulary]."""


class FrameLoop(BatchPlaces[FrameRow, _Carried]):
    """Makes frames of the rows that are named in a step."""

    def __init__(
        self, talker: Talker, config: QwenTtsConfig, dtype: mx.Dtype, fused: bool, pipelined: bool = False
    ) -> None:
        """`fused`: the predictor's graph is compiled. `pipelined`: a frame is launched before the last one is read."""
        self._talker, self._config, self._dtype = talker, config, dtype
        self._predict = as_function(talker.code_predictor, fused)
        self._most = None if fused else MOST
        vocabulary = np.arange(config.shape.vocabulary)
        silent = (vocabulary >= config.shape.vocabulary - CONTROLS) & (vocabulary != config.codec.eos)
        self._never = mx.array(silent)
        self._ends = mx.array(vocabulary == config.codec.eos)
        memory = KeyValueRows(config.shape.talker, dtype)
        super().__init__(memory, self._no_frames, end=config.codec.eos, pipelined=pipelined)

    def _no_frames(self, rows: int) -> _Carried:
        shape = self._config.shape
        return _Carried(
            mx.zeros((rows,), mx.int32),
            mx.zeros((rows, shape.talker.hidden), self._dtype),
            mx.zeros((rows, shape.vocabulary), mx.bool_),
        )

    def read(self, row: FrameRow, rows: mx.array, last: bool) -> None:
        """Read a piece of the prompt of `row`, inputs [n, hidden]; `last`: and draw its first code."""
        self.memory.fit(len(self._places), row.length + len(rows) + 1)
        state = self._talker.read(rows, self.memory, row.place, row.length)
        row.length += len(rows)
        row.spoilt = True
        if last:
            self._draw_alone(row, state)
        self.memory.evaluate()

    def recall(self, row: FrameRow, prefix: KeyValuePrefix) -> None:
        """Begin the sequence of `row` with what another one read before."""
        self.memory.fit(len(self._places), len(prefix) + 1)
        self.memory.put(row.place, prefix)
        row.length = len(prefix)

    def prefix(self, row: FrameRow, length: int) -> KeyValuePrefix:
        """What `row` knows of its first `length` positions."""
        return self.memory.copied(row.place, length)

    def _draw_alone(self, row: FrameRow, state: mx.array) -> None:
        settings = self._drawn_by([row])
        chance = mx.array(row.random.random(1, np.float32))
        seen = mx.zeros((1, self._config.shape.vocabulary), mx.bool_)
        code, seen, _ = self._first_code(state, seen, settings, chance, mx.array([True]))
        carried, place = self._carried, row.place
        carried.first[place], carried.state[place], carried.seen[place] = code[0], state[0], seen[0]
        row.drawn = 1

    def _first_code(
        self, state: mx.array, seen: mx.array, settings: _Settings, chance: mx.array, young: mx.array
    ) -> tuple[mx.array, mx.array, mx.array]:
        """Draw the first code of each row's next frame: the code, what is seen with it, whether all was finite."""
        logits = self._talker.codec_head(state).astype(mx.float32)
        good = mx.isfinite(logits.sum(axis=-1))
        never = self._never | (young[:, None] & self._ends)
        scores = mx.where(never, -mx.inf, penalised(logits, seen, settings.penalty))
        code = choose(scores, settings.first, chance * settings.first.luck)
        return code, seen | (mx.arange(logits.shape[-1]) == code[:, None]), good

    def _drawn_by(self, rows: Sequence[FrameRow | None]) -> _Settings:
        """The settings of the rows as arrays."""
        drawings = [row.drawing if row else None for row in rows]
        first = [(one.temperature, one.top_k, one.top_p) if one else NOBODY for one in drawings]
        others = [(one.sub_temperature, one.sub_top_k, one.sub_top_p) if one else NOBODY for one in drawings]
        penalty = mx.array([one.penalty if one else 1.0 for one in drawings])
        return _Settings(Draw.of(first, self._most), Draw.of(others, self._most), penalty)

    def launch(self, rows: Sequence[FrameRow], texts: Sequence[int]) -> None:
        """Begin to compute the next frame of each of `rows`, whose prompts are read; `texts`: the token beside each."""
        now = self._stepping(rows, self._config.shape.groups)
        young = np.zeros(len(self._places), np.bool_)
        text = np.full(len(self._places), self._config.text.pad, np.int32)
        for row, token in zip(rows, texts, strict=True):
            young[row.place], text[row.place] = row.goes_on or row.drawn < LEAST, token
            row.drawn += 1
        self._launched(rows, now, self._frames(now, text, young))

    def _frames(self, now: SteppingPlaces, text: NDArray[np.int32], young: NDArray[np.bool_]) -> mx.array:
        """Begin to compute a frame of every place: its codes, the next frame's first one, and whether all is good."""
        talker, carried = self._talker, self._carried
        settings = self._settings = self._settings or self._drawn_by(self._places)
        chances, steps = mx.array(now.chance), mx.array(now.steps)
        embedded = talker.model.codec_embedding(carried.first)
        codes, total, good = self._predict(carried.state, embedded, settings.others, chances[:, 1:])
        state = talker.step(total + talker.text(mx.array(text)), self.memory, now.lengths)
        first, seen, fine = self._first_code(state, carried.seen, settings, chances[:, 0], mx.array(young))
        good = (good & fine).astype(mx.int32)
        found = mx.concatenate([carried.first[:, None], codes, first[:, None], good[:, None]], axis=1)
        waits = ~steps[:, None]
        carried.first = mx.where(steps, first, carried.first)
        carried.state = mx.where(waits, carried.state, state)
        carried.seen = mx.where(waits, carried.seen, seen)
        mx.async_eval(found, carried.first, carried.state, carried.seen)  # not the memory: see KeyValueRows
        return found
