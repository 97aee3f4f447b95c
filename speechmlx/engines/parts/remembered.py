"""What was computed of a few recordings, so that a voice is encoded once for a model and not for each request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """The values of the last `most` keys that were asked for. One thread only."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of `key`; where it is not known, what `make` gives, which is kept. What `make` raises is not."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        return self._keep(key, make())

    def get_in_steps(
        self, key: Hashable, make: Callable[[], Generator[None, None, Value]]
    ) -> Generator[None, None, Value]:
        """`get`, where what `make` gives is known at the end of steps."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        return self._keep(key, (yield from make()))

    def _keep(self, key: Hashable, value: Value) -> Value:
        """Keep a value; another job may have made the same meanwhile."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return value

    def clear(self) -> None:
        self._values.clear()

    def values(self) -> Iterable[Value]:
        return self._values.values()
