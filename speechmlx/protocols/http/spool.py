"""Temporary files of a request, and what is said when there is no room for them."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from speechmlx.errors import NoRoom

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNUSABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EIO)


class Spool(tempfile.SpooledTemporaryFile[bytes]):
    """In memory up to `max_size` bytes, then in a file of the temporary folder. Raises NoRoom where that is full."""

    def write(self, data: Any) -> int:
        with room():
            return super().write(data)

    def seek(self, *given: int) -> int:
        """Writes what is buffered, too."""
        with room():
            return super().seek(*given)

    def close(self) -> None:
        with suppress(OSError):  # what is buffered and does not fit: nobody wants it any more
            super().close()


@contextmanager
def room() -> Iterator[None]:
    """Where temporary files are written: raises NoRoom that names their folder when it cannot be."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*FULL, *UNUSABLE):
            raise
        folder = tempfile.tempdir or os.environ.get("TMPDIR") or "none found"
        what = "has no room for the request" if error.errno in FULL else "cannot be written"
        raise NoRoom(
            f"the folder for temporary files ({folder}) {what}: {error.strerror or error}; "
            "make room there, or start the server with TMPDIR set to another folder"
        ) from error
