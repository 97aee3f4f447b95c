"""Progress on standard error: a bar for each file, and one for all. Where nobody reads along, nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SHOWN = 8
"""Bars of files that are done stay until so many are shown."""


class FileBars:
    """Use it with `with`. A file's bar comes with `begin`, and goes when others need its place."""

    def __init__(self, total: int, what: str) -> None:
        """`total` files; `what` is done to them, for the bar of all."""
        self._bars: Bars | None = None
        self._all: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._done: list[str] = []
        if sys.stderr.isatty():
            self._bars = _bars()
            if total > 1:
                self._all = self._bars.add_task(f"{what} {total} files", total=total)

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """In the block, no bar is shown, so that lines can be written. Bars come back while files are under way."""
        if self._bars is None:
            yield
            return
        self._bars.stop()
        try:
            yield
        finally:
            if not self._bars.finished:
                self._bars.start()

    def begin(self, name: str) -> None:
        """Work on the file `name` begins."""
        if self._bars is not None:
            self._tasks[name] = self._bars.add_task(name, total=None)

    def show(self, name: str, part: float) -> None:
        """The `part` of a file is done, from 0 to 1."""
        if self._bars is not None:
            self._bars.update(self._tasks[name], total=1.0, completed=min(part, 1.0))

    def end(self, name: str) -> None:
        """A file is done."""
        if self._bars is None:
            return
        self.show(name, 1.0)
        if self._all is not None:
            self._bars.advance(self._all)
        self._done.append(name)
        if len(self._done) > SHOWN:
            self._bars.remove_task(self._tasks.pop(self._done.pop(0)))


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
