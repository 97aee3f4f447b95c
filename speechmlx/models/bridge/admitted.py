"""The bridged models that the owner of this machine has admitted: by `pull`, a flag, or a client that may manage.

A row is kept as a small JSON file in `bridged/` of the cache, so that the server, the fetching process and the verbs
know it. Requests name admitted models alone: a stranger's request fetches no repository and reads no folder.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from speechmlx.errors import ModelUnavailable, UnknownModel
from speechmlx.models.admission import ADMITTED
from speechmlx.models.bridge import families
from speechmlx.models.bridge.convert import PATTERNS
from speechmlx.models.bridge.families import Family
from speechmlx.models.bridge.identify import identify, rate_of
from speechmlx.models.bridge.own import BASE, engine_of, is_narrow, runs_by_itself, speakers_of, variant_of, voices_of
from speechmlx.models.spec import REPOSITORY, HubFiles, LocalFiles, Model

log = logging.getLogger(__name__)

WIDENED = 4
"""Bytes in float32 for each of quantised weights and a codec together, about: the codec is in float32 already."""


def is_foreign(name: str) -> bool:
    """Whether `name` is a repository's or a folder's, and not one of the catalog's own form."""
    return bool(REPOSITORY.fullmatch(name)) or _is_path(name)


def _is_path(name: str) -> bool:
    return name.startswith(("/", "./", "../", "~/", ".\\")) or name in (".", "..")


def admit(name: str, cache: Path) -> Model:
    """Make `name` known: a repository "owner/name", of which config.json is fetched, or a local folder.

    Raises UnknownModel for what is no model that runs here, and ModelUnavailable where the hub cannot be asked.
    """
    try:
        record = _of_folder(name) if _is_path(name) else _of_repository(name)
        row = _row(record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of a value of another type, say
        raise UnknownModel(f"config.json of {name!r:.200} is not as it should be ({error!r:.200})") from error
    place = cache / ADMITTED / f"{row.name}.json"
    part = place.with_suffix(f".{threading.get_native_id()}")  # another process may admit it, too
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(record))
        part.replace(place)
    except OSError as error:
        raise ModelUnavailable(f"{name} cannot be kept in {place.parent}: {error.strerror or error}") from error
    return row


def admitted(cache: Path) -> tuple[Model, ...]:
    """The rows of all admitted models. A record that cannot be read is logged and left out."""
    rows = []
    for path in sorted((cache / ADMITTED).glob("*.json")):
        try:
            rows.append(_row(json.loads(path.read_bytes())))
        except (OSError, ValueError, KeyError, TypeError, UnknownModel) as error:
            _warn(path, str(error))
    return tuple(rows)


@lru_cache(maxsize=64)
def _warn(path: Path, reason: str) -> None:
    """Log it once: a server reads the records every second."""
    log.warning("%s is no record of a model: %s", path, reason)


def _of_folder(name: str) -> dict[str, Any]:
    home = Path(name).expanduser().resolve()
    try:
        config = json.loads((home / "config.json").read_bytes())
        if not isinstance(config, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError) as error:
        raise UnknownModel(f"the folder {str(home)!r} has no readable config.json: {error}") from error
    weights = list(home.glob("*.safetensors"))
    if not weights:
        raise UnknownModel(f"the folder {str(home)!r} has no weights: a file that ends in .safetensors")
    family = identify(config, home.name)
    size = sum(path.stat().st_size for path in home.rglob("*.safetensors"))
    changed = max(path.stat().st_mtime_ns for path in weights)
    return _record(family, config, size, name=_local_name(home), folder=str(home), stamp=f"{size}-{changed}")


def name_of(repository: str) -> str:
    """The name of the row of a repository "owner/name"."""
    return repository.replace("/", "--").lower()


def _local_name(home: Path) -> str:
    return "local--" + (re.sub(r"[^a-z0-9.]+", "-", home.name.lower()).strip("-.") or "model")


def _of_repository(name: str) -> dict[str, Any]:
    from speechmlx.models.bridge.hub import look_up

    if not REPOSITORY.fullmatch(name):
        raise UnknownModel(f"{name!r:.200} is neither a repository's name, such as owner/name, nor a folder's path")
    found = look_up(name)
    family = identify(found.config, name)
    where = {"name": name_of(name), "repo": name, "revision": found.revision, "licence": found.licence}
    return _record(family, found.config, found.size, **where)


def _record(family: Family, config: dict[str, Any], size: int, **where: str) -> dict[str, Any]:
    told: dict[str, Any] = {"part": family.part, "family": family.name, "rate": rate_of(family, config), "size": size}
    if runs_by_itself(family, config):
        widened = WIDENED if is_narrow(config) else 2
        told |= {"own": True, "memory": widened * size, "speakers": speakers_of(config), "variant": variant_of(config)}
    return {**told, **where}


def _row(record: dict[str, Any]) -> Model:
    """The row of a record. Raises UnknownModel for a family that this version leaves out."""
    family = families.find(record["part"], record["family"])
    if family is None or family.kind is None:
        raise UnknownModel(f"the family {record['family']} does not run here")
    conversion = f"speechmlx.models.bridge.convert:{family.part}.{family.name}"
    name, size, own = str(record["name"]), int(record["size"]), record.get("own") is True
    if "folder" in record:
        source: HubFiles | LocalFiles = LocalFiles(str(record["folder"]), conversion, str(record["stamp"]))
        aliases: Iterable[str] = (str(record["folder"]).lower(), name.removeprefix("local--"))
    else:
        source = HubFiles(str(record["repo"]), str(record["revision"]), PATTERNS, conversion)
        aliases = (str(record["repo"]).lower(),)
    return Model(
        name=name,
        kind=family.kind,
        engine=engine_of(family.name, own),
        sources=(source,),
        size=size,
        memory=int(record.get("memory", 2 * size)),
        narrow=size,
        rate=int(record["rate"]),
        licence=str(record.get("licence") or "as its repository says"),
        languages=(),
        aliases=tuple(aliases),
        untimed=family.untimed,
        voices=voices_of(record.get("speakers", ()), record.get("variant", BASE)),
        streams_text=own,
    )
