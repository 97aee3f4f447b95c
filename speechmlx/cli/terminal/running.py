"""How a verb runs and ends: its exit code, its errors on standard error, Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from speechmlx.errors import BadRequest, SpeechError

FAILED, WRONG, INTERRUPTED = 1, 2, 130
"""Exit codes: something failed; the command itself is wrong; Ctrl-C."""


def run(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Run the work of a verb, and exit with the code that it returns."""
    with exits():
        code = asyncio.run(_interruptible(work))
        sys.stdout.flush()
        raise typer.Exit(code)
    raise AssertionError("a verb always exits")


async def _interruptible(work: Coroutine[Any, Any, int]) -> int:
    """Ctrl-C cancels the work: an error that this brings about is none."""
    try:
        return await work
    except Exception:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from None
        raise


@contextmanager
def exits() -> Iterator[None]:
    """In the block, an error and Ctrl-C end the program with their exit codes."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except SpeechError as error:
        tell(str(error))
        raise typer.Exit(WRONG if isinstance(error, BadRequest) else FAILED) from None
    except BrokenPipeError:  # the reader of standard output is gone: nothing more can be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None


def tell(text: str) -> None:
    """A line on standard error, with the name of the program before it."""
    sys.stderr.write(f"audio-server: {text}\n")
    sys.stderr.flush()


def hint(text: str) -> None:
    """A line on standard error for a person at a terminal; nothing where nobody reads along."""
    if sys.stderr.isatty():
        typer.secho(text, err=True, dim=True)


def say(text: str) -> None:
    """A line on standard output, at once."""
    print(text, flush=True)


def json_line(value: dict[str, Any]) -> str:
    """A line of JSON, with its line end."""
    return json.dumps(value, ensure_ascii=False) + "\n"


def say_json(value: dict[str, Any]) -> None:
    """A line of JSON on standard output, at once."""
    print(json_line(value), end="", flush=True)


async def feed_and_read(feed: Coroutine[Any, Any, None], read: Coroutine[Any, Any, None]) -> None:
    """Run both until `read` ends. Raises what either of them does."""
    feeding, reading = asyncio.create_task(feed), asyncio.create_task(read)
    try:
        await asyncio.wait([feeding, reading], return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            feeding.result()
        await reading
    finally:
        feeding.cancel()
        reading.cancel()
        await asyncio.gather(feeding, reading, return_exceptions=True)


@contextmanager
def on_interrupt(finish: Callable[[], None]) -> Iterator[None]:
    """In the block, the first Ctrl-C calls `finish`, and the second ends the program as elsewhere."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)

    def restore() -> None:
        if loop.remove_signal_handler(signal.SIGINT):
            signal.signal(signal.SIGINT, before)

    def first() -> None:
        restore()
        finish()

    loop.add_signal_handler(signal.SIGINT, first)
    try:
        yield
    finally:
        restore()
