"""Whether MLX compiles what asks for it: not on a CPU, where a C++ compiler would take seconds for each graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mlx.core as mx


@contextmanager
def compilation(on: bool) -> Iterator[None]:
    """MLX compiles, or does not, while it is open; then what it was before."""
    before = _is_on()
    _switch(on)
    try:
        yield
    finally:
        _switch(before)


def _switch(on: bool) -> None:
    (mx.enable_compile if on else mx.disable_compile)()


def _is_on() -> bool:
    """MLX does not tell. What it compiles it calls once, to see what it does; what it does not compile, each time."""
    calls = 0

    def seen(x: mx.array) -> mx.array:
        nonlocal calls
        calls += 1
        return x + 1

    function = mx.compile(seen)
    function(mx.array(0))
    function(mx.array(0))
    return calls == 1
