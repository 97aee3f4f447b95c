"""What a device computes while the host goes on."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray


class Launched:
    """An array that was launched for several readers. It is read from the device once."""

    def __init__(self, array: mx.array) -> None:
        self._array = array

    @property
    def is_read(self) -> bool:
        return "numbers" in vars(self)

    @cached_property
    def numbers(self) -> NDArray[Any]:
        """Its numbers. Waits until they are computed."""
        return np.array(self._array)

    def wait(self) -> None:
        """Wait until they are computed."""
        mx.eval(self._array)
