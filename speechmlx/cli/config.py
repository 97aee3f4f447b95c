"""`audio-server config`: every setting, its value and where it comes from; and the settings file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechmlx.cli.serve import given_flags, setting_options

if TYPE_CHECKING:
    from speechmlx.config import Config
    from speechmlx.config_sources import GivenSetting

HIDDEN = "•••"
"""Shown in place of a secret."""


@dataclass(frozen=True)
class Setting:
    """One setting in force. `source`: default, file, environment or flag; `place`: which file, variable or flag."""

    name: str
    value: Any
    source: str
    place: str


def config(**options: Any) -> None:
    """Show every setting, its value and its source; --write makes a settings file of them.

    It takes the flags of `serve` too, and shows what they would change.
    """
    from speechmlx.config_sources import build, default_file, gather

    as_json, write, force = (options.pop(name) for name in ("as_json", "write", "force"))
    file, flags = given_flags(options)
    target = file or default_file(os.environ)
    if write and not target.exists():
        file = None if target == default_file(os.environ) else Path(os.devnull)
    given = gather(flags, os.environ, file)
    made = build(given, os.environ)
    if write:
        write_settings(target, made, given, force)
        return
    rows = settings(made, given)
    if as_json:
        found = [{"name": row.name, "value": row.value, "source": row.source, "place": row.place} for row in rows]
        typer.echo(json.dumps({"file": str(target), "file_exists": target.is_file(), "settings": found}))
        return
    _print(rows, target)


def write_settings(target: Path, made: Config, given: dict[str, GivenSetting], force: bool) -> None:
    """Write the settings file. Where there is one, raises BadRequest, or with `force` keeps it under another name."""
    from speechmlx.errors import BadRequest
    from speechmlx.settings_file import settings_text

    old = target.with_name(f"{target.name}.old")
    try:
        if target.exists():
            if not force:
                raise BadRequest(
                    f"{target} is there already; `audio-server config --write --force` writes it anew, with its "
                    f"values, and keeps the old one as {old.name}"
                )
            target.replace(old)
            typer.echo(f"Kept {old}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)  # it may hold keys
        target.write_text(settings_text(made, given), encoding="utf-8")
    except OSError as error:
        raise BadRequest(f"{target} cannot be written: {error.strerror}") from error
    typer.echo(f"Wrote {target}")


def settings(made: Config, given: dict[str, GivenSetting]) -> list[Setting]:
    """All settings in force, and the default model of each kind. Secrets are hidden."""
    from speechmlx import foreign_names
    from speechmlx.config import KINDS, LISTEN, SECRETS, Config
    from speechmlx.models import catalog

    rows = []
    effective = _effective(made)
    for entry in fields(Config):
        name = entry.name
        if name == "models":
            continue
        value = getattr(made, name)
        source, place = (given[name].source, given[name].place) if name in given else ("default", "")
        if name == "bind" and name not in given and value:
            source, place = "environment", ", ".join(port for port in foreign_names.PORTS if os.environ.get(port))
        if name in SECRETS and value:
            value = HIDDEN
        elif source == "default" and name in effective:
            value = effective[name]
        rows.append(Setting(name, _plain(value), source, place))
    known = catalog.load()
    defaults: dict[str, str] = dict(known.of_config(made).items())
    defaults[LISTEN] = known.listener(made).name
    by_language = known.by_languages(made)
    for kind in KINDS:
        one = given.get(f"models.{kind}")
        if one is not None and one.value:
            rows.append(Setting(f"models.{kind}", made.models[kind], one.source, one.place))
        else:
            spoken = f", languages {','.join(made.languages)}" if kind in by_language else ""
            place = f"profile {catalog.profile(made)}{spoken}"
            rows.append(Setting(f"models.{kind}", defaults.get(kind), "default", place))
    return rows


def _effective(made: Config) -> dict[str, Any]:
    """What defaults that depend on the machine are here."""
    from speechmlx.config_sources import key_file
    from speechmlx.jobs.files import default_folder
    from speechmlx.models import catalog, store, voice_store

    return {
        "profile": catalog.profile(made),
        "cache": store.cache_folder(made),
        "key_file": key_file(made, os.environ),
        "job_folder": default_folder(made),
        "voice_folder": voice_store.default_folder(made),
        "lexicon": made.lexicon,
        "log_file": made.log_file,
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _print(rows: list[Setting], target: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from speechmlx.config import Config, default_text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold", ratio=3)
    table.add_column("source", overflow="fold", ratio=2)
    texts = {entry.name: default_text(entry) for entry in fields(Config)}
    for row in rows:
        style = None if row.source == "default" else "bold"
        unset = row.source == "default" and row.value in (None, 0, [], {})
        value = texts[row.name] if unset and row.name in texts else _shown(row.value)
        place = row.place if row.source != "default" else ", ".join(filter(None, ("default", row.place)))
        table.add_row(row.name, value, place, style=style)
    console.print(table)
    there = "" if target.is_file() else " (not there; `audio-server config --write` makes it)"
    console.print(f"\nSettings file: {target}{there}", soft_wrap=True, markup=False)


def _shown(value: Any) -> str:
    """A value as a person reads it."""
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}={one}" for name, one in value.items())
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else "none" if value in (None, "") else str(value)


def _own(name: str, flag: str, help: str) -> Parameter:
    return Parameter(
        name, Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, typer.Option(flag, help=help)]
    )


def _options() -> list[Parameter]:
    """Its own options, and those of `serve`, of which the help shows --config alone."""
    taken = []
    for option in setting_options():
        type_, info = option.annotation.__origin__, option.annotation.__metadata__[0]
        info.hidden = option.name != "config"
        taken.append(option.replace(annotation=Annotated[type_, info]))
    return [
        _own("as_json", "--json", "As a JSON object, for programs."),
        _own("write", "--write", "Write the settings file: every setting with its help, and the values in force."),
        _own("force", "--force", "With --write: also where the file is there. The old one is kept as FILE.old."),
        *taken,
    ]


# typer reads the options from the signature and the annotations.
config.__signature__ = Signature(_options())  # type: ignore[attr-defined]
config.__annotations__ = {option.name: option.annotation for option in _options()}
