"""Temporary folders, named after their process, so that those of killed processes can be deleted."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

NAME = re.compile(r"speechmlx-(\d+)-\w+")


def folder() -> tempfile.TemporaryDirectory[str]:
    """A new temporary folder that only this user can read."""
    return tempfile.TemporaryDirectory(prefix=f"speechmlx-{os.getpid()}-", ignore_cleanup_errors=True)


def sweep() -> None:
    """Delete the temporary folders of this user whose process has ended."""
    for path in Path(tempfile.gettempdir()).glob("speechmlx-*"):
        name = NAME.fullmatch(path.name)
        try:
            if name and path.lstat().st_uid == os.getuid() and path.is_dir() and not path.is_symlink():
                os.kill(int(name[1]), 0)
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except (OSError, OverflowError):
            pass  # the folder is gone, or another user's process has the id now
