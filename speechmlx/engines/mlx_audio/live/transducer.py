"""Greedy decoding of an RNN transducer, which goes on from one stretch of encoder frames to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines.finite import NotFinite


class GreedyTransducer:
    """The state of one stream: the last token and the predictor's hidden state, both of a constant size.

    All frames that are left are joined with the predictor's output at once, so a stretch costs one read of the device
    for each token and one more.
    """

    def __init__(self, model: Any) -> None:
        """`model` has a `decoder` (predictor), a `joint`, a `blank_id`, and the `max_symbols` of a frame (or None)."""
        self._model = model
        self._last: int | None = None
        self._hidden: Any = None
        self._prediction: Any = None

    def decode(self, frames: mx.array) -> Iterator[tuple[int, int, float]]:
        """(frame, token, probability) of each token in `frames` [1, n, d]; blanks are left out. Raises NotFinite."""
        at, symbols = 0, 0
        most = self._model.max_symbols
        while at < frames.shape[1]:
            tokens, chances, hidden = self._joined(frames[:, at:])
            said = np.flatnonzero(tokens != self._model.blank_id)
            if not len(said):
                return
            step = int(said[0])
            at, symbols = at + step, 1 if step else symbols + 1
            self._last, self._hidden, self._prediction = int(tokens[step]), hidden, None
            yield at, self._last, float(chances[step])
            if most is not None and symbols >= most:
                at, symbols = at + 1, 0

    def _joined(self, frames: mx.array) -> tuple[Any, Any, Any]:
        """The likeliest class of each frame and its probability, and the hidden state behind the last token."""
        if self._prediction is None:
            last = None if self._last is None else mx.array([[self._last]], dtype=mx.int32)
            self._prediction = self._model.decoder(last, self._hidden)
        output, hidden = self._prediction
        logits = self._model.joint(frames, output.astype(frames.dtype))[0, :, 0].astype(mx.float32)
        best = mx.argmax(logits, axis=-1)
        sure = mx.exp(mx.max(logits, axis=-1) - mx.logsumexp(logits, axis=-1))
        hidden = tuple(part.astype(frames.dtype) for part in hidden)
        mx.eval(best, sure, *hidden)
        chances = np.array(sure)
        if not np.isfinite(chances).all():
            raise NotFinite("the recognition of speech")
        return np.array(best), chances, hidden
