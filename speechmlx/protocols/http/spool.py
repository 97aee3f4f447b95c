"""Temporary files of a request, and the errors where there is no room for them."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from speechmlx.errors import Busy, NoRoom

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TOO_MANY = (errno.EMFILE, errno.ENFILE)
UNUSABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EIO)


class Spool(tempfile.SpooledTemporaryFile[bytes]):
    """A file in memory up to `max_size` bytes, then in the temporary folder. Raises NoRoom where that is full."""

    on_disk = False

    def rollover(self) -> None:
        """Go on in the temporary folder."""
        self.on_disk = True
        super().rollover()

    def write(self, data: Any) -> int:
        """Write bytes. Raises NoRoom."""
        with room():
            return super().write(data)

    def seek(self, *position: int) -> int:
        """Seek, which writes the buffer to disk. Raises NoRoom."""
        with room():
            return super().seek(*position)

    def close(self) -> None:
        """Close the file, and ignore that its buffer may not fit on the disk."""
        with suppress(OSError):
            super().close()

    async def aclose(self) -> None:
        """Close the file off the event loop where it is on disk: the system takes 8 ms to give 64 MB back."""
        if self.on_disk:
            await asyncio.to_thread(self.close)
        else:
            self.close()


@contextmanager
def room() -> Iterator[None]:
    """A block that writes temporary files. Raises NoRoom, which names their folder, where they cannot be written.

    Raises Busy where the process, or the machine, has too many files and connections open.
    """
    try:
        yield
    except OSError as error:
        if error.errno in TOO_MANY:
            raise Busy("the server has too many files and connections open", retry_after=2.0) from error
        if error.errno not in (*FULL, *UNUSABLE):
            raise
        folder = tempfile.tempdir or os.environ.get("TMPDIR") or "none found"
        what = "has no room for the request" if error.errno in FULL else "cannot be written"
        raise NoRoom(
            f"the folder for temporary files ({folder}) {what}: {error.strerror or error}; "
            "make room there, or start the server with TMPDIR set to another folder"
        ) from error
