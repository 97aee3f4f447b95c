"""Whether MLX compiles what asks for it: not on a CPU, where a C++ compiler would take seconds for each graph."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import mlx.core as mx

HEADER = "mlx/backend/cpu/compiled_preamble.h"
"""What each graph's code includes."""
FLAGS = ("-std=c++17", "-O3", "-Wall", "-fPIC")
"""MLX's own: with others the compiler reads the header itself."""


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
    if on and sys.platform == "linux":
        _read_header_once()
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


@cache
def _read_header_once() -> None:
    """Give this process a g++ that finds MLX's header compiled. It builds the same code in a quarter of the time."""
    compiler, include = shutil.which("g++"), Path(mx.__file__).parent / "include"
    if compiler is None:
        return
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    found = folder / f"{HEADER}.gch"
    found.parent.mkdir(parents=True)
    header = ("-x", "c++-header", include / HEADER, "-o", found)
    subprocess.run([compiler, *FLAGS, "-I", include, *header], check=True, capture_output=True)
    ours = folder / "g++"
    ours.write_text(f'#!/bin/sh\nexec "{compiler}" -I "{folder}" "$@"\n')
    ours.chmod(0o700)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
