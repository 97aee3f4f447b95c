"""The loop of frame after frame, for the rows of a batch: the package's network over keys and values of our own.

The package's own session has one set of options and one state of random numbers for all of its texts. Here each row
has its own, and the only thing read from the device is what was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.batch_places import BatchPlaces, DrawnFrame, PlacedRow, SteppingPlaces
from speechmlx.engines.parts.kv_rows import KeyValueRows, Remember, span_of
from speechmlx.engines.parts.row_draws import NOBODY, Draw, choose


@dataclass(frozen=True)
class HiggsDrawing:
    """How a row draws its codes."""

    temperature: float
    """0 takes the likeliest."""
    top_k: int
    """0 leaves nothing out."""
    top_p: float
    """1 leaves nothing out."""


@dataclass(frozen=True)
class HiggsShape:
    """The sizes of the network that the loop needs."""

    layers: int
    kv_heads: int
    head: int
    hidden: int
    codebooks: int
    vocabulary: int
    """Codes of a codebook, with those that begin and end the sound."""
    begin: int
    end: int

    @classmethod
    def of(cls, config: Any) -> HiggsShape:
        """That of a model of the package, by its configuration."""
        text = config.text_config
        return cls(
            text.num_hidden_layers,
            text.num_key_value_heads,
            text.head_dim,
            text.hidden_size,
            config.audio_num_codebooks,
            config.audio_codebook_size,
            config.audio_boc_token_id,
            config.audio_eoc_token_id,
        )


@dataclass(eq=False)
class HiggsRow(PlacedRow):
    """One sequence: the sentences of a request, each behind the recording that is imitated."""

    drawing: HiggsDrawing
    drawn: int = 0
    """Frames of this sentence that were taken."""
    left: int | None = None
    """Frames that come after the one taken last; None: the end was not drawn."""


@dataclass
class _LastState:
    """What goes from frame to frame on the device, a row each."""

    state: mx.array
    """What the next frame is drawn from [rows, hidden]."""


@dataclass(frozen=True)
class LayerPast:
    """The keys and values of one layer, as the package's attention asks a cache for them."""

    remember: Remember
    offset: int | mx.array
    """The position of the first input, of each row [rows] or of the only one."""
    mask: mx.array | str | None

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        return self.remember(keys, values)

    def make_mask(self, length: int, **_: Any) -> mx.array | str | None:
        return self.mask


class HiggsLoop(BatchPlaces[HiggsRow, _LastState]):
    """Makes frames of the rows that are named in a step."""

    def __init__(self, model: Any, shape: HiggsShape, pipelined: bool = False) -> None:
        """`model`: the package's, whose embeddings of codes are its head as well.

        `pipelined`: a frame is launched before the last one is read.
        """
        self._model, self.shape = model, shape
        self._dtype = model.backbone.norm.weight.dtype
        super().__init__(KeyValueRows(shape, self._dtype), self._no_state, pipelined=pipelined)

    def _no_state(self, rows: int) -> _LastState:
        return _LastState(mx.zeros((rows, self.shape.hidden), self._dtype))

    def read(self, row: HiggsRow, rows: mx.array, last: bool) -> None:
        """Read a piece of the prompt of `row`, inputs [n, hidden]; `last`: its next frame may be drawn."""
        count, memory = rows.shape[0], self.memory
        memory.fit(len(self._places), row.length + count + 1)
        mask = "causal" if count > 1 else None
        past = [
            LayerPast(memory.prompt(layer, row.place, row.length), row.length, mask)
            for layer in range(self.shape.layers)
        ]
        hidden = self._model.backbone(None, cache=past, input_embeddings=rows[None])
        row.length += count
        row.spoilt = True
        if last:
            self._carried.state[row.place] = hidden[0, -1]
            row.drawn, row.left = 0, None
            mx.eval(self._carried.state)
        memory.evaluate()

    def launch(self, rows: Sequence[HiggsRow]) -> None:
        """Begin to compute the next frame of each of `rows`, whose prompts are read."""
        now = self._stepping(rows, self.shape.codebooks)
        young = np.array([one.drawn + len(one.ahead) if one else 0 for one in self._places], np.int32)
        self._launched(rows, now, self._frames(now, mx.array(young)))

    def _frames(self, now: SteppingPlaces, young: mx.array) -> mx.array:
        """Begin to compute a frame of every place: its codes, and whether all of it is good [places, codebooks + 1]."""
        model, carry, books = self._model, self._carried, self.shape.codebooks
        self._settings = self._settings or _settings(self._places, books)
        logits = model._audio_logits(carry.state).astype(mx.float32)
        good = mx.isfinite(logits).all(axis=(1, 2))
        chance = mx.array(now.chance).reshape(-1) * self._settings.luck
        chosen = choose(logits.reshape(-1, self.shape.vocabulary), self._settings, chance)
        late = mx.arange(books)[None] > young[:, None]  # its sound has not begun
        codes = mx.where(late, self.shape.begin, chosen.reshape(-1, books))
        state = self._advanced(model._embed_audio_codes(codes), now.lengths)
        good = good & mx.isfinite(state).all(axis=-1)  # what it leaves in the row, which may be its last frame
        found = mx.concatenate([codes, good[:, None].astype(mx.int32)], axis=1)
        carry.state = mx.where(mx.array(now.steps)[:, None], state, carry.state)
        mx.async_eval(found, carry.state)
        return found

    def _advanced(self, x: mx.array, lengths: NDArray[np.int32]) -> mx.array:
        """One position of each row: inputs [rows, hidden] behind `lengths` [rows] → the states [rows, hidden]."""
        memory = self.memory
        span = min(span_of(int(lengths.max()) + 1), memory.room)
        at = mx.array(lengths)
        mask = (mx.arange(span)[None] <= at[:, None])[:, None, None]
        places = memory.places_at(at)
        past = [LayerPast(memory.frame(layer, places, span), at, mask) for layer in range(self.shape.layers)]
        hidden: mx.array = self._model.backbone(None, cache=past, input_embeddings=x[:, None])
        return hidden[:, 0]

    def _frame(self, row: HiggsRow, drawn: NDArray[np.int32]) -> DrawnFrame:
        """A frame of `row`. The first codebook draws the end; the frames behind it hold the others' last codes.

        Each codebook is one frame behind the one before.
        """
        codes = drawn[:-1]
        if row.left is not None:
            row.left -= 1
        elif row.drawn >= self.shape.codebooks and codes[0] == self.shape.end:
            row.left = max(0, self.shape.codebooks - 2)
        row.drawn += 1
        return DrawnFrame(codes, row.left == 0, not row.spoilt)


def _settings(rows: Sequence[HiggsRow | None], books: int) -> Draw:
    """How each codebook of each row draws."""
    drawings = [row.drawing if row else None for row in rows]
    each = [(one.temperature, one.top_k, one.top_p) if one else NOBODY for one in drawings]
    return Draw.of([one for one in each for _ in range(books)])
