"""The cache of models. A folder is either complete, with a manifest, or absent."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechmlx.config import Config
from speechmlx.errors import Busy, ModelUnavailable, NoRoom
from speechmlx.models import in_use, verified
from speechmlx.models.digest import digest
from speechmlx.models.spec import Companion, HubFiles, IndexFiles, LocalFiles, Model, Source, SourceFailed
from speechmlx.types import Progress

if TYPE_CHECKING:
    from filelock import BaseFileLock

MANIFEST = "manifest.json"
CONFIG, WEIGHTS = "config.json", "*.safetensors"
STALE = 7 * 24 * 3600
"""Seconds after which the files of an abandoned fetch are deleted."""

OnProgress = Callable[[Progress], None]


def cache_folder(config: Config | None = None) -> Path:
    """The cache folder: from the config, else $SPEECHMLX_CACHE, else the user's cache folder on this platform."""
    if config is not None and config.cache is not None:
        return config.cache.expanduser()
    if chosen := os.environ.get("SPEECHMLX_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("speechmlx", appauthor=False)


def folder(row: Model, cache: Path) -> Path | None:
    """The folder of `row` if it is complete and from a current source, else None. Checks file sizes, not digests."""
    home = _home(row, cache)
    manifest = _manifest(home)
    if manifest.get("key") not in {_key(row, source) for source in row.sources}:
        return None
    files: dict[str, int] = manifest["files"]
    try:
        whole = all((home / name).stat().st_size == size for name, size in files.items())
    except (FileNotFoundError, NotADirectoryError):  # perhaps just now
        return None
    return home if whole else None


def size(row: Model, cache: Path) -> int:
    """Size in bytes of the folder of `row`; 0 if it is not there."""
    return sum(_manifest(_home(row, cache)).get("files", {}).values())


def fetch(row: Model, cache: Path, on_progress: OnProgress = lambda progress: None) -> Path:
    """Return the folder of `row`; fetch and convert it first if needed. Waits while another process fetches it.

    Raises ModelUnavailable, with the error of each source or of the disk and a remedy, and NoRoom if the disk is full.
    """
    if (ready := folder(row, cache)) is not None:
        return ready
    try:
        with _locked(row, cache):
            return folder(row, cache) or _fetch(row, cache, on_progress)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (NoRoom if full else ModelUnavailable)(_disk_trouble(row, cache, error, full)) from error


def remove(row: Model, cache: Path) -> int:
    """Delete the folder of `row` and its partial download. Returns the bytes freed.

    Raises Busy during a fetch, and while a server uses the model.
    """
    freed = size(row, cache)
    with _locked(row, cache, wait=False), in_use.alone(row.name, cache):
        _discard(_home(row, cache))
        _discard(_workshop(row, cache))
    return freed


def damage(row: Model, cache: Path, fully: bool = False) -> str | None:
    """What is wrong with a file in the folder of `row`, by the digests that its fetch recorded; None if nothing.

    Reads the files that changed since they were last found whole, or with `fully` all. A folder that an older version
    fetched has no digests; nothing is known of it.
    """
    home = _home(row, cache)
    return verified.first_damage(home, _manifest(home).get("sha256", {}), fully)


def has_digests(row: Model, cache: Path) -> bool:
    """Whether the fetch of `row` recorded digests."""
    return bool(_manifest(_home(row, cache)).get("sha256"))


def quarantine(row: Model, cache: Path) -> Path:
    """Move the folder of `row` away, so that the next fetch brings a new one. Returns where it is now.

    Only the last such folder of a model is kept, and for STALE seconds at most.
    """
    place = cache / "damaged" / row.name
    with _locked(row, cache):
        place.parent.mkdir(parents=True, exist_ok=True)
        _discard(place)
        if _home(row, cache).exists():
            _home(row, cache).rename(place)
            os.utime(place)
    return place


# --- Places ------------------------------------------------------------------------------------------------------


def _home(row: Model, cache: Path) -> Path:
    return cache / "models" / row.name


def _workshop(row: Model, cache: Path) -> Path:
    return cache / "partial" / row.name


@contextmanager
def _locked(row: Model, cache: Path, wait: bool = True) -> Iterator[None]:
    """Lock `row` for one process. The system releases the lock of a process that dies."""
    from filelock import Timeout

    try:
        with _lock(cache, row.name).acquire(timeout=-1 if wait else 0):
            yield
    except Timeout:
        raise Busy(f"{row.name} is being fetched by another process", retry_after=5) from None


def _lock(cache: Path, name: str) -> BaseFileLock:
    from filelock import FileLock

    locks = cache / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    return FileLock(locks / f"{name}.lock")


def _discard(path: Path) -> None:
    """Delete a folder. It is renamed first, so that no process sees a partly deleted folder."""
    if path.exists():
        doomed = path.with_name(f".{path.name}.{os.getpid()}.deleted")
        path.rename(doomed)
        shutil.rmtree(doomed)


# --- Manifest ----------------------------------------------------------------------------------------------------


def _key(row: Model, source: Source) -> str:
    """Identifier of a source of `row`. A changed source has another key, so the model is fetched again.

    The names of classes, fields and converters are not in it: these may change without a new download.
    """
    companions = [(companion.name, [each.identity for each in companion.sources]) for companion in row.companions]
    return hashlib.sha256(json.dumps((row.name, source.identity, companions)).encode()).hexdigest()


def _manifest(home: Path) -> dict[str, Any]:
    """The manifest of the folder; {} if there is none or it is broken."""
    try:
        manifest = json.loads((home / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else {}


def _write_manifest(made: Path, row: Model, source: Source) -> None:
    """Write the manifest as the last file. A folder without manifest is incomplete."""
    files = {str(f.relative_to(made)): f.stat().st_size for f in sorted(made.rglob("*")) if f.is_file()}
    manifest = {
        "model": row.name,
        "source": describe(source),
        "key": _key(row, source),
        "files": files,
        "sha256": {name: digest(made / name) for name in files},
    }
    (made / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


# --- Fetching ----------------------------------------------------------------------------------------------------


def _fetch(row: Model, cache: Path, on_progress: OnProgress) -> Path:
    """Fetch from the first source that works. The caller holds the lock."""
    _sweep(cache)
    reasons = []
    for source in row.sources:
        try:
            made = _make(row, source, _workshop(row, cache), on_progress)
        except SourceFailed as error:
            reasons.append(f"{describe(source)}: {error}")
            continue
        home = _home(row, cache)
        _discard(home)
        home.parent.mkdir(parents=True, exist_ok=True)
        made.rename(home)
        _discard(_workshop(row, cache))
        return home
    raise ModelUnavailable(f"{row.name} could not be fetched. {'. '.join(reasons)}. {_way_out(row)}")


def _make(row: Model, source: Source, workshop: Path, on_progress: OnProgress) -> Path:
    """Fetch and convert the files of `source` to a complete folder, with manifest, below `workshop`."""
    made = workshop / "made"
    _discard(made)
    made.mkdir(parents=True)

    arrived = latest = 0  # bytes of the parts before this one, and of this one

    def report(done: int, total: int, detail: str) -> None:
        nonlocal latest
        latest = done
        on_progress(Progress("fetch", arrived + done, max(arrived + total, row.size, arrived + done), detail))

    files = _bring(source, workshop, report)
    brought = [(source, files, made)]
    for companion in row.companions:
        arrived, latest = arrived + latest, 0
        brought.append((*_bring_companion(companion, workshop, report), made / companion.name))
    on_progress(Progress("convert", 0, 1, row.name))
    for origin, found, target in brought:
        target.mkdir(exist_ok=True)
        _convert(origin, found, target)
    if not (made / CONFIG).is_file() or not list(made.glob(WEIGHTS)):
        raise SourceFailed(f"what came has no {CONFIG} or no {WEIGHTS}")
    _write_manifest(made, row, source)
    on_progress(Progress("convert", 1, 1, row.name))
    return made


def _bring_companion(
    companion: Companion, workshop: Path, report: Callable[[int, int, str], None]
) -> tuple[Source, Path]:
    """Fetch the files of `companion` from the first source that works, to a folder of its own below `workshop`."""
    own = workshop / companion.name
    own.mkdir(exist_ok=True)
    reasons = []
    for source in companion.sources:
        try:
            return source, _bring(source, own, report)
        except SourceFailed as error:
            reasons.append(f"{describe(source)}: {error}")
    raise SourceFailed(f"what it needs for {companion.name} did not come. {'. '.join(reasons)}")


def _bring(source: Source, workshop: Path, report: Callable[[int, int, str], None]) -> Path:
    """Fetch the files of `source` to a folder below `workshop`. Returns that folder, or the folder it names."""
    if isinstance(source, LocalFiles):
        if not Path(source.path).is_dir():
            raise SourceFailed("the folder is not there any more")
        return Path(source.path)
    if isinstance(source, HubFiles):
        from speechmlx.models.hub_source import fetch_hub

        arrived = workshop / f"hub-{source.revision}"
        fetch_hub(source, arrived, report)
        return arrived
    from speechmlx.models.pypi_source import fetch_index

    files = workshop / "files"
    _discard(files)
    files.mkdir()
    fetch_index(source, workshop / "downloads", files, report)
    return files


def _convert(source: Source, files: Path, made: Path) -> None:
    """Convert the fetched files to the layout of the engine. Raises SourceFailed if the conversion fails."""
    module, _, function = (source.convert or "speechmlx.models.convert.hub:as_it_is").partition(":")
    try:
        getattr(import_module(module), function)(files, made)
    except OSError:
        raise
    except Exception as error:
        raise SourceFailed(
            f"its files ({', '.join(sorted(file.name for file in files.iterdir()))}) are not what the conversion "
            f"expects ({type(error).__name__}: {error})"
        ) from error


def _sweep(cache: Path) -> None:
    """Delete partial downloads older than STALE, except those of a fetch in progress."""
    from filelock import Timeout

    old = time.time() - STALE
    for left in [*cache.glob("partial/*"), *cache.glob("damaged/*"), *cache.glob("models/.*.deleted")]:
        try:
            fresh = left.stat().st_mtime >= old
        except FileNotFoundError:  # another process deletes it
            continue
        if not fresh:
            doomed = left.name.startswith(".")  # .NAME.PID.deleted: see _discard
            name = left.name[1:].rsplit(".", 2)[0] if doomed else left.name
            with suppress(Timeout), _lock(cache, name).acquire(timeout=0):
                shutil.rmtree(left, ignore_errors=True)


# --- Words -------------------------------------------------------------------------------------------------------


def describe(source: Source) -> str:
    """A short description of a source."""
    if isinstance(source, HubFiles):
        return f"hub repository {source.repo}"
    if isinstance(source, LocalFiles):
        return f"folder {source.path}"
    return f"package index ({', '.join(dict.fromkeys(file.package for file in source.files))})"


def _way_out(row: Model) -> str:
    ways = []
    if any(isinstance(source, HubFiles) for source in row.sources):
        ways.append(
            "set HF_ENDPOINT to a mirror of the hub that this machine reaches (HF_TOKEN for a private one); a service "
            "takes it along by `audio-server service install --env HF_ENDPOINT`"
        )
    if any(isinstance(source, IndexFiles) for source in row.sources):
        ways.append("point pip or uv at a package index that this machine reaches")
    if any(isinstance(source, LocalFiles) for source in row.sources):
        return f"To fix this: `audio-server pull FOLDER` with the folder as it is now, or `audio-server rm {row.name}`."
    ways.append(f"run `audio-server pull {row.name}` where there is a network and copy the cache folder")
    if not any(isinstance(source, IndexFiles) for source in row.sources):
        ways.append("choose a starter model, which comes from the package index (`audio-server models`)")
    return f"To fix this: {'; or '.join(ways)}."


def _disk_trouble(row: Model, cache: Path, error: OSError, full: bool) -> str:
    if full:
        free = shutil.disk_usage(cache).free // 1_000_000
        return (
            f"{row.name} could not be stored: the disk is full ({free} MB free at {cache}, the download "
            f"has {row.size // 1_000_000} MB). To fix this: free some; or set cache in config.toml, or "
            "SPEECHMLX_CACHE, to a folder on another disk."
        )
    return (
        f"{row.name} could not be stored in {cache}: {error.strerror or error}. "
        "To fix this: set cache in config.toml, or SPEECHMLX_CACHE, to a folder that can be written."
    )
