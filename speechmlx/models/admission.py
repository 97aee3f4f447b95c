"""Models besides the catalog's rows: those of repositories and folders that the owner of the machine has admitted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from speechmlx.config import LISTEN, Config
from speechmlx.errors import ModelUnavailable, UnknownModel
from speechmlx.models.spec import Catalog, Model
from speechmlx.types import Kind

ADMITTED = "bridged"
"""Folder of the cache with the records of admitted models, which `models/bridge/admitted.py` reads and writes."""


def admit(known: Catalog, names: Iterable[str], cache: Path) -> None:
    """Make those of `names` known that are a repository's ("owner/name") or a folder's and that no row has.

    For the owner of the machine alone. Asks the hub for config.json of a repository, its newest commit's; where it does
    not answer, a model that was admitted before stays. Raises UnknownModel and ModelUnavailable.
    """
    from speechmlx.models.bridge import admitted

    for name in names:
        if not admitted.is_foreign(name) or _has(replace(known, admitted=tuple), name):
            continue
        try:
            admitted.admit(name, cache)
            known.look_again()
        except ModelUnavailable:
            if not _has(known, name):
                raise


def admit_settings(known: Catalog, config: Config) -> Catalog:
    """Admit the models that the settings name and that are not known yet: whoever writes them owns the machine.

    Where the hub does not answer they are among the `absent` of what is returned. Raises UnknownModel.
    """
    new = {kind: name for kind, name in config.models.items() if not _has(known, name)}
    absent = []
    for kind, name in new.items():
        from speechmlx.models import store

        try:
            admit(known, [name], store.cache_folder(config))
        except ModelUnavailable as error:
            if kind in {*Kind, LISTEN}:  # else `check` tells
                absent.append(_absent(name, Kind.ASR if kind == LISTEN else Kind(kind), error.message))
    return replace(known, absent=tuple(absent))


def _absent(repository: str, kind: Kind, reason: str) -> Model:
    from speechmlx.models.bridge.admitted import name_of

    name, aliases = name_of(repository), (repository.lower(),)
    return Model(
        name=name,
        kind=kind,
        engine="",
        sources=(),
        size=0,
        memory=0,
        rate=16000,
        licence="",
        languages=(),
        aliases=aliases,
        absent=reason,
    )


def forget(row: Model, cache: Path) -> None:
    """Let an admitted model be unknown again. Does nothing for a row of the catalog."""
    (cache / ADMITTED / f"{row.name}.json").unlink(missing_ok=True)


def _has(known: Catalog, name: str) -> bool:
    try:
        replace(known, absent=()).resolve(name)
    except UnknownModel:
        return False
    return True


def admitted(cache: Path) -> tuple[Model, ...]:
    """The rows of the models that are admitted in this cache folder."""
    if not (cache / ADMITTED).is_dir():
        return ()
    from speechmlx.models.bridge import admitted  # here: it reads the families of a package

    return admitted.admitted(cache)
