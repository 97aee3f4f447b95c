"""Temporary folders that are private, named after the process that owns them, and swept when it was killed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

NAME = re.compile(r"speechmlx-(\d+)-\w+")


def folder() -> tempfile.TemporaryDirectory[str]:
    """A new one, which only this user can enter."""
    return tempfile.TemporaryDirectory(prefix=f"speechmlx-{os.getpid()}-", ignore_cleanup_errors=True)


def sweep() -> None:
    """Delete this user's folders whose owner is no more."""
    for left in Path(tempfile.gettempdir()).glob("speechmlx-*"):
        named = NAME.fullmatch(left.name)
        try:
            if named and left.lstat().st_uid == os.getuid() and left.is_dir() and not left.is_symlink():
                os.kill(int(named[1]), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except (OSError, OverflowError):
            pass  # it left by itself, or its number is now somebody else's
