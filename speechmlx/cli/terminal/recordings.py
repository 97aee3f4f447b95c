"""The files that a verb reads, and those that it writes."""

from __future__ import annotations

import glob
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from speechmlx.errors import BadRequest

STANDARD = "-"
"""Standard input, or standard output."""
ENDINGS = frozenset(
    ".wav .wave .flac .mp3 .ogg .oga .opus .m4a .m4b .mp4 .mov .aac .amr .webm .mkv .mka .aif .aiff .aifc .caf".split()
)
"""Files of a folder with these are recordings."""
READ = 1 << 16


@dataclass(frozen=True)
class RecordingFile:
    """A recording to work on."""

    path: Path
    name: str
    """As the person called it."""
    inner: Path
    """Its path below the folder that was named; else its name alone."""


def find_recordings(names: Sequence[str], standard_input: Path | None = None) -> list[RecordingFile]:
    """The files that names of files, folders and globs mean, each once; those of a folder in order of their paths.

    `standard_input` holds what "-" means. Raises BadRequest for a name that means none.
    """
    found: dict[Path, RecordingFile] = {}
    for name in names:
        for file in _of_name(name, standard_input):
            found.setdefault(file.path.absolute(), file)
    return list(found.values())


def _of_name(name: str, standard_input: Path | None) -> Iterator[RecordingFile]:
    if name == STANDARD and standard_input is not None:
        yield RecordingFile(standard_input, "standard input", Path("stdin"))
        return
    path = Path(name).expanduser()
    if path.is_dir():
        yield from _of_folder(path)
    elif path.exists() or not glob.has_magic(name):
        if not path.exists():
            raise BadRequest(f"{name} cannot be read: there is no such file or folder")
        yield RecordingFile(path, name, Path(path.name))
    else:
        paths = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        if not paths:
            raise BadRequest(f"no file matches {name}")
        for match in paths:
            yield from _of_folder(match) if match.is_dir() else [RecordingFile(match, str(match), Path(match.name))]


def _of_folder(folder: Path) -> Iterator[RecordingFile]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
    if not files:
        raise BadRequest(f"the folder {folder} has no recordings; their names end in {', '.join(sorted(ENDINGS))}")
    for file in files:
        yield RecordingFile(file, str(file), file.relative_to(folder))


def output_paths(files: Sequence[RecordingFile], output: str, ending: str) -> list[Path]:
    """The file that each result is written to, with `ending` for the format. The folders of them are made.

    `output` is a folder where it exists as one, ends in a slash, or there are several files; else the file itself. Of
    recordings whose results would have one name, each keeps its own ending: talk.mp3.srt. Raises BadRequest where a
    result would replace a recording, or another result.
    """
    target = Path(output).expanduser()
    if len(files) == 1 and not target.is_dir() and not output.endswith("/"):
        paths = [target]
    else:
        names = [file.inner.with_suffix(ending) for file in files]
        counts = Counter(names)
        paths = [
            target / (name if counts[name] == 1 else file.inner.with_name(file.inner.name + ending))
            for name, file in zip(names, files, strict=True)
        ]
    check_targets(files, paths)
    for path in paths:
        make_folder(path.parent)
    return paths


def check_targets(files: Sequence[RecordingFile], paths: Sequence[Path]) -> None:
    """Raises BadRequest where one of `paths` is a recording, or is there twice."""
    inputs = {file.path.absolute() for file in files}
    seen: set[Path] = set()
    for path in paths:
        absolute = path.absolute()
        if absolute in inputs:
            raise BadRequest(f"{path} is the recording itself; name another output")
        if absolute in seen:
            raise BadRequest(f"several results would be written to {path}; take these files, or formats, one at a time")
        seen.add(absolute)


def make_folder(folder: Path) -> None:
    """Raises BadRequest where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(f"the folder {folder} cannot be made: {error.strerror or error}") from error


@contextmanager
def kept_input(names: Sequence[str]) -> Iterator[Path | None]:
    """In the block, a file with all of standard input, if a name is "-"; else None."""
    if STANDARD not in names:
        yield None
        return
    with tempfile.NamedTemporaryFile(prefix="speechmlx-") as file:
        while block := os.read(0, READ):
            file.write(block)
        file.flush()
        yield Path(file.name)


def one_recording(name: str, standard_input: Path | None) -> Path:
    """The one recording that a name means. Raises BadRequest where it means several, or none."""
    found = find_recordings([name], standard_input)
    if len(found) > 1:
        raise BadRequest(f"{name} is {len(found)} recordings; name one")
    return found[0].path
