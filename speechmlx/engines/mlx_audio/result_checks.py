"""Whether what a network's layers compute are finite numbers, looked at where a job waits for its network anyway.

A maximum says it: NaN and plus infinity survive in it, the minus infinity of a mask does not. It is one small kernel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import mlx.core as mx

from speechmlx.engines.finite import NotFinite

TRACED = re.compile(r"during function transformations|array without a primitive")
"""What MLX says where an array is of a function that is being compiled, or was: it has no numbers."""
LARGEST = 1 << 21
"""Elements of a result that is noted, at most: families leave the logits of a long prompt uncomputed."""
MOST, MOST_BYTES = 64, 64 << 20
"""Maxima that wait, and bytes of their results, at most: each keeps its result in memory."""


class ResultChecks:
    """The maxima of results that were not looked at yet."""

    def __init__(self) -> None:
        self.waiting: list[mx.array] = []
        self._bytes = 0
        """Of what they are the maxima of."""

    def note(self, result: Any) -> None:
        """Look at the arrays in `result` with the next ones that are computed. Raises NotFinite where many wait."""
        noted = [array for array in _floats(arrays_in(result)) if array.size <= LARGEST]
        self.waiting += map(mx.max, noted)
        self._bytes += sum(array.nbytes for array in noted)
        if len(self.waiting) > MOST or self._bytes > MOST_BYTES:
            self.compute(())

    def compute(self, result: Any) -> bool:
        """Compute `result` and what waits; False where that cannot be. Raises NotFinite, also each time after."""
        arrays = arrays_in(result)
        self.waiting += map(mx.max, _floats(arrays))
        self._bytes = 0
        try:
            mx.eval(arrays, self.waiting)
        except (ValueError, RuntimeError) as error:
            if not TRACED.search(str(error)):
                raise
            self.waiting.clear()
            return False
        if not all(maximum.item() < math.inf for maximum in self.waiting):  # type: ignore[operator]
            raise NotFinite("the network")
        self.waiting.clear()
        return True


class CompiledStep:
    """A function, compiled with what is noted of the layers in it: nothing but results leaves a compiled function."""

    tracing: ResultChecks | None = None
    """Takes what is noted while one is being compiled."""

    def __init__(self, step: Callable[..., Any], computed: Callable[[Any, list[mx.array]], None]) -> None:
        """`computed` gets the results of each call, and the maxima."""
        self._step, self._computed = step, computed
        self._compiled = mx.compile(self._traced)

    def __call__(self, *given: mx.array) -> Any:
        found, maxima = self._compiled(*given)
        self._computed(found, maxima)
        return found

    def _traced(self, *given: mx.array) -> tuple[Any, list[mx.array]]:
        checks = CompiledStep.tracing = ResultChecks()
        try:
            return self._step(*given), checks.waiting
        finally:
            CompiledStep.tracing = None


def arrays_in(result: Any) -> list[mx.array]:
    """The arrays of a layer's result: itself, or those in its lists and tuples."""
    if isinstance(result, mx.array):
        return [result]
    if isinstance(result, (list, tuple)):
        return [array for item in result for array in arrays_in(item)]
    return []


def _floats(arrays: list[mx.array]) -> list[mx.array]:
    return [array for array in arrays if array.size and mx.issubdtype(array.dtype, mx.floating)]
