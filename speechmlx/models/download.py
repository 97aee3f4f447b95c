"""Downloads a file over HTTP. Resumes after a lost connection, checks the SHA-256, and retries once if it is wrong."""

from __future__ import annotations

import queue
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
import urllib3

from speechmlx.models.digest import digest
from speechmlx.models.spec import SourceFailed

PIECE = 1 << 20
TIMEOUT = (5.0, 60.0)
"""Timeouts in seconds: to connect, and between two pieces."""
ATTEMPTS = 5
"""Tries in a row without new bytes before giving up."""
BACKOFF = 0.5
ANSWER = 60.0
"""Seconds until the body of an answer begins."""
MAX_FILE = 16 << 30
"""Bytes of a file whose size the index does not tell."""
MIN_RATE, PERIOD = 1024, 120.0
"""Bytes a second that must come on average, and the seconds of one average."""
RETRIED_STATUS = (408, 429, 500, 502, 503, 504)

T = TypeVar("T")
Advance = Callable[[int, int], None]
"""Called with the downloaded bytes and the total bytes (0 if unknown)."""


def download(
    url: str, target: Path, sha256: str | None, session: requests.Session, advance: Advance, limit: int = MAX_FILE
) -> None:
    """Download `url` to `target`. An earlier partial download, `target` + ".partial", is continued.

    A file with a wrong digest is deleted and downloaded once more; then SourceFailed, as for more than `limit` bytes or
    less than MIN_RATE. `file:` URLs are copied.
    """
    partial = target.with_name(target.name + ".partial")
    for whole in (target, partial):
        if sha256 and whole.is_file() and digest(whole) == sha256:
            advance(whole.stat().st_size, whole.stat().st_size)
            whole.replace(target)
            return
    for _ in range(2):
        if urlsplit(url).scheme == "file":
            shutil.copyfile(unquote(urlsplit(url).path), partial)
        else:
            _transfer(url, partial, session, advance, limit)
        actual = digest(partial)
        if sha256 is None or actual == sha256:
            partial.replace(target)
            return
        partial.unlink()
    raise SourceFailed(f"{redacted(url)} is corrupt: its sha256 is {actual}, not {sha256}, twice")


def redacted(url: str) -> str:
    """`url` without user, password and query, for messages."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _transfer(url: str, partial: Path, session: requests.Session, advance: Advance, limit: int) -> None:
    """Download all of `url` into `partial`, over as many connections as needed."""
    failures = 0
    while True:
        before = _size(partial)
        try:
            _receive(url, partial, session, advance, limit)
            return
        except requests.HTTPError as error:
            status = status_of(error)
            if status not in RETRIED_STATUS:
                raise SourceFailed(f"{redacted(url)} answered {status}") from error
            reason = f"answered {status}"
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            reason = plain(error)
        failures = 1 if _size(partial) > before else failures + 1
        if failures == ATTEMPTS:
            raise SourceFailed(f"{redacted(url)}: {reason} ({ATTEMPTS} attempts)")
        time.sleep(BACKOFF * 2 ** (failures - 1))


def _receive(url: str, partial: Path, session: requests.Session, advance: Advance, limit: int) -> None:
    """Append the remaining bytes to `partial` over one connection. Raises requests and urllib3 errors if it breaks."""
    have = _size(partial)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with within(ANSWER, lambda: session.get(url, headers=headers, stream=True, timeout=TIMEOUT)) as response:
        if have and response.status_code == 416:  # the file is not longer than the partial download: start again
            partial.unlink()
            raise requests.ConnectionError("the file changed while it was fetched")
        response.raise_for_status()
        have = _continues_at(response, have)
        length = int(response.headers.get("Content-Length", 0))
        total = have + length if length else 0
        _check_size(url, total, limit)
        speed = _Speed()
        with partial.open("ab" if have else "wb") as file:
            while piece := response.raw.read1(PIECE, decode_content=False):  # arrived bytes: none is lost
                file.write(piece)
                have += len(piece)
                advance(have, total)
                _check_size(url, have, limit)
                speed.check(url, len(piece))
    if total and have != total:
        raise requests.ConnectionError(f"ended after {have} of {total} bytes")


def _check_size(url: str, size: int, limit: int) -> None:
    if size > limit:
        raise SourceFailed(f"{redacted(url)} has more than the {limit} bytes that it should have")


class _Speed:
    """The bytes of the last PERIOD seconds or more."""

    def __init__(self) -> None:
        self._since, self._bytes = time.monotonic(), 0

    def check(self, url: str, size: int) -> None:
        """Raises SourceFailed when less than MIN_RATE came in a PERIOD."""
        self._bytes += size
        passed = time.monotonic() - self._since
        if passed < PERIOD:
            return
        if self._bytes < MIN_RATE * passed:
            raise SourceFailed(f"{redacted(url)} sends less than {MIN_RATE} bytes a second")
        self._since, self._bytes = time.monotonic(), 0


def within(seconds: float, call: Callable[[], T]) -> T:
    """The result of `call`, which runs in a thread. Raises requests.Timeout when it takes longer, and leaves it alone.

    The timeouts of sockets are for each piece: a server that sends a byte a minute never meets them.
    """
    done: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((call(), None))
        except BaseException as error:
            done.put((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if done.empty():
        raise requests.Timeout(f"no whole answer within {seconds:g} s")
    result, error = done.get()
    if error is not None:
        raise error
    return cast(T, result)


def _continues_at(response: requests.Response, have: int) -> int:
    """Offset of the body in the file. It is 0 if the server ignored the requested Range."""
    if response.status_code != 206:
        return 0
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return have if start and int(start[1]) == have else 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def status_of(error: requests.HTTPError) -> int:
    """The status of the response."""
    return error.response.status_code if error.response is not None else 0


def plain(error: Exception) -> str:
    """The innermost cause of a connection error, in plain words."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return str(cause) or type(cause).__name__
