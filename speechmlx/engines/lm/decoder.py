"""The next tokens of several sequences, from one network: the loop of token after token, pipelined where that helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from speechmlx.engines.lm.batch import Batch, Cached
from speechmlx.engines.lm.kv_cache import beside_tokens
from speechmlx.engines.lm.sampling import TokenSampler, sample


class Drawn(Cached, Protocol):
    """A sequence that is drawn. Its cache holds the keys and values of all `tokens` but the last, or of more."""

    tokens: list[Any]
    """What is known of it: the prompt and the answer so far. Each is a number, or as many as others of the batch."""
    ahead: Any
    """Its next token, where that was computed before somebody asked for it. The loop's own."""

    @property
    def last(self) -> int:
        """Number of tokens with which it ends, whatever they are."""


class Decoded(Drawn, Protocol):
    """A sequence of one network's tokens."""

    @property
    def sampler(self) -> TokenSampler: ...


Row = TypeVar("Row", bound=Drawn)
DecodedRow = TypeVar("DecodedRow", bound=Decoded)


@dataclass(frozen=True)
class _Launched(Generic[Row]):
    """The next `tokens` [rows, ...] of `rows`, on the device: perhaps not computed yet."""

    rows: list[Row]
    tokens: mx.array


class TokenLoop(Generic[Row]):
    """Draws the tokens of rows that come and go between two steps.

    With `pipelined`, token n + 1 is launched before token n is read, so that the device does not wait for Python. A row
    that turns out to end with token n was then computed once in vain. Nothing else depends on it.

    Metal holds what a command buffer reads until that one has ended, and MLX is ahead of the GPU by ten of them at
    most. Where a step is fewer, a layer's keys and values may still be read when the next step writes to them: then MLX
    copies them. That is by MLX's source, and unmeasured.
    """

    def __init__(self, pipelined: bool) -> None:
        self._pipelined = pipelined
        self._batch = Batch[Row]()
        self._pending: _Launched[Row] | None = None

    def step(self, rows: Sequence[Row]) -> list[tuple[Row, Any]]:
        """The next token of each row, which the caller appends to the row's tokens.

        A row that joins others may get none: theirs were computed without it.
        """
        if self._pending is not None and not _same(self._pending.rows, rows):
            self._settle()
        if ready := [row for row in rows if row.ahead is not None]:
            return [(row, _take(row)) for row in ready]
        step = self._pending
        if step is None:
            self._batch.select(rows)
            step = self._launch(mx.array(np.array([row.tokens[-1] for row in self._batch.members], np.int32)))
        go_on = self._pipelined and any(len(row.tokens) + 1 < row.last for row in step.rows)
        self._pending = self._launch(step.tokens) if go_on else None
        return list(zip(step.rows, np.array(step.tokens).tolist(), strict=True))

    def remove(self, row: Row) -> None:
        """Let a row go that is not decoded any further. It gets its keys and values back."""
        self._batch.remove([row])
        if not self._batch.members:
            self._pending = None

    def pause(self, row: Row) -> None:
        """Let a row go for a while. It gets its keys and values back, perhaps with those of a token more than is known.

        A token that was launched for it is forgotten.
        """
        self.remove(row)
        if self._pending is not None:
            self._settle()
        row.ahead = None

    def _settle(self) -> None:
        """Read the launched tokens, for rows that are about to part."""
        assert self._pending is not None
        for row, token in zip(self._pending.rows, np.array(self._pending.tokens).tolist(), strict=True):
            row.ahead = token
        self._pending = None

    def _launch(self, last: mx.array) -> _Launched[Row]:
        """Begin to compute the token after `last` [rows, ...] for each row of the batch."""
        rows, cache = list(self._batch.members), self._batch.cache
        tokens = self._next(rows, cache, last)
        mx.async_eval(tokens, beside_tokens(cache))
        return _Launched(rows, tokens)

    def _next(self, rows: Sequence[Row], cache: list[Any], last: mx.array) -> mx.array:
        """The tokens of `rows` after `last` [rows, ...], as int32 of this shape, not computed yet."""
        raise NotImplementedError


class Decoder(TokenLoop[DecodedRow]):
    """The loop of a network from tokens to logits."""

    def __init__(self, model: nn.Module, pipelined: bool) -> None:
        super().__init__(pipelined)
        self._model = model

    def _next(self, rows: Sequence[DecodedRow], cache: list[Any], last: mx.array) -> mx.array:
        logits: mx.array = self._model(last[:, None], cache=cache)[:, -1].astype(mx.float32)
        return sample(logits, [row.sampler for row in rows], [row.tokens for row in rows])


def _same(rows: Sequence[Row], others: Sequence[Row]) -> bool:
    return len(rows) == len(others) and all(any(row is other for other in others) for row in rows)


def _take(row: Drawn) -> Any:
    token, row.ahead = row.ahead, None
    return token
