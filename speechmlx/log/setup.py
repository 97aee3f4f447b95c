"""Starting the log of a process: where its lines go, in which format, from which level."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from speechmlx.errors import BadRequest
from speechmlx.log.lines import OWN, Hiding, JsonLines, TextLines

MODE = 0o600
"""The log names clients: its owner alone can read it."""
QUIET = 60.0
"""Seconds between two complaints that the log's file cannot be written."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LogSettings:
    """`level` and `format` (auto, text or json) of the log. `file`: where it goes, "" standard error.

    A file of `file_bytes` bytes is renamed and a new one begun; `kept` older ones stay, one at least.
    """

    level: str = "info"
    format: str = "auto"
    file: str = ""
    file_bytes: int = 20_000_000
    kept: int = 5

    def to_text(self) -> str:
        """As an argument of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> LogSettings:
        """What `to_text` wrote."""
        return cls(**json.loads(text))


def start(settings: LogSettings, secrets: Iterable[str] = (), engine: bool = False) -> None:
    """Start logging. Other packages log warnings and errors only: the rest may contain addresses and keys.

    `secrets` are never written. `engine`: this is the engine process, which says so in every line and leaves the
    renaming of the file to the server. Raises BadRequest for a file that cannot be written.
    """
    level = settings.level.upper()
    hide = Hiding(secrets)
    handlers: list[logging.Handler] = []
    if settings.file:
        handlers.append(_to_file(settings, engine))
        handlers[0].setFormatter(_formatter(settings.format, False, engine, hide))
    if not settings.file or sys.stderr.isatty():
        handlers.append(ErrorLines())
        handlers[-1].setFormatter(_formatter(settings.format, sys.stderr.isatty(), engine, hide))
    logging.basicConfig(handlers=handlers, level=max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    for name in OWN:
        logging.getLogger(name).setLevel(level)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every broken form; the client is told
    logging.captureWarnings(True)
    sys.excepthook = _log_end
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread


def _formatter(format: str, is_terminal: bool, engine: bool, hide: Hiding) -> logging.Formatter:
    if format == "text" or (format == "auto" and is_terminal):
        return TextLines("engine: " if engine else "", hide)
    return JsonLines("engine" if engine else "server", hide)


def _to_file(settings: LogSettings, engine: bool) -> logging.Handler:
    path = Path(settings.file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if engine:
            return FollowedFile(path)
        return RotatedFile(path, settings.file_bytes, settings.kept)
    except OSError as error:
        reason = error.strerror or error
        raise BadRequest(f"log_file = {settings.file!r} cannot be written: {reason}; name another file") from error


def _open(path: str) -> TextIO:
    def private(name: str, flags: int) -> int:
        return os.open(name, flags, MODE)

    return open(path, "a", encoding="utf-8", errors="backslashreplace", opener=private)


class _Complaints:
    """Says on standard error, at most once in QUIET seconds, that lines of the log are lost."""

    _said = -QUIET

    def handleError(self, record: logging.LogRecord) -> None:
        """Called in the handling of the exception that stopped a line."""
        now = time.monotonic()
        if now - self._said >= QUIET:
            self._said = now
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"the log cannot be written, lines are lost: {sys.exc_info()[1]!r}\n")


class ErrorLines(_Complaints, logging.StreamHandler[TextIO]):
    """The log on standard error."""


class RotatedFile(_Complaints, RotatingFileHandler):
    """The server's file of the log: it is renamed when it is full."""

    def __init__(self, path: Path, nbytes: int, kept: int) -> None:
        # Without a file to rename to, the standard library's handler would let the file grow without end.
        RotatingFileHandler.__init__(self, path, maxBytes=nbytes, backupCount=max(1, kept))

    def shouldRollover(self, record: logging.LogRecord) -> int:
        """Whether the file is full. The engine process writes it too, so its size is asked for."""
        if self.stream is None:  # it could not be renamed: it must not grow
            self.stream = self._open()
        return int(os.fstat(self.stream.fileno()).st_size >= self.maxBytes > 0)

    def _open(self) -> Any:
        return _open(self.baseFilename)


class FollowedFile(_Complaints, WatchedFileHandler):
    """The same file in the engine process: it goes on in the new one when the server has renamed it.

    It is opened with the first line: a process that finds no place for its log can work.
    """

    def __init__(self, path: Path) -> None:
        WatchedFileHandler.__init__(self, path, delay=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. The standard library's handler raises where the file cannot be opened again."""
        try:
            WatchedFileHandler.emit(self, record)
        except OSError:
            self.handleError(record)

    def _open(self) -> Any:
        return _open(self.baseFilename)


def _log_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """In place of Python's, which writes what an exception says as it is."""
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("the process ends", exc_info=(kind, error, traceback))


def _log_unraisable(unraisable: Any) -> None:
    error = unraisable.exc_value or unraisable.exc_type()
    what = unraisable.err_msg or "Exception ignored in"
    log.error("%s %r", what, unraisable.object, exc_info=(type(error), error, error.__traceback__))


def _log_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_type is SystemExit:
        return
    name = arguments.thread.name if arguments.thread else "-"
    error = arguments.exc_value or arguments.exc_type()
    log.error("the thread %s ended", name, exc_info=(arguments.exc_type, error, arguments.exc_traceback))
