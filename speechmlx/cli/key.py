"""`audio-server key`: add, list and remove the named keys of the server. A running server sees it at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from speechmlx.cli.options import AsJson, SettingsFile

key = typer.Typer(
    help="Keys that clients must send. While there is a file of keys, the server asks everybody for one.",
    no_args_is_help=True,
)
SCOPE_HELP = "What it may do: use, manage (models and stored voices), metrics. Can be given again. [default: use]"


@key.command()
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is, for the log and for rm.")],
    scope: Annotated[list[str] | None, typer.Option(help=SCOPE_HELP)] = None,
    requests_per_minute: Annotated[int | None, typer.Option(help="Requests a minute.")] = None,
    audio_seconds_per_day: Annotated[int | None, typer.Option(help="Seconds of audio that it sends a day.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Requests at once that do work.")] = None,
    sessions: Annotated[int | None, typer.Option(help="Live sessions at once.")] = None,
    config: SettingsFile = None,
) -> None:
    """Make a key and print it, once: the file holds its hash."""
    from speechmlx.key_file import USE, ClientLimits, KeyFile, make_key

    limits = ClientLimits(
        requests_per_minute=requests_per_minute,
        audio_seconds_per_day=audio_seconds_per_day,
        jobs=jobs,
        sessions=sessions,
    )
    made, text = make_key(name, scope or [USE], limits)
    file = KeyFile(_path(config))
    first = not file.exists
    file.add(made)
    typer.echo(text)
    typer.echo(f"The key of {name}, shown this once. Its hash is in {file.path}.", err=True)
    if first:
        typer.echo("From now on the server answers nobody without a key. Delete that file to open it again.", err=True)


@key.command("list")
def list_(as_json: AsJson = False, config: SettingsFile = None) -> None:
    """List the keys: names, scopes and limits."""
    import json
    from dataclasses import asdict

    from speechmlx.key_file import KeyFile

    file = KeyFile(_path(config))
    if as_json:
        rows = [{"name": one.name, "scopes": list(one.scopes), "limits": asdict(one.limits)} for one in file.read()]
        typer.echo(json.dumps(rows))
        return
    for one in file.read():
        limits = [f"{name} {value}" for name, value in asdict(one.limits).items() if value is not None]
        typer.echo("  ".join([one.name, ",".join(one.scopes), *limits]))
    if not file.exists:
        typer.echo(f"There are no keys: {file.path} is not there.", err=True)


@key.command()
def rm(
    names: Annotated[list[str], typer.Argument(help="Names of keys.", show_default=False)], config: SettingsFile = None
) -> None:
    """Remove keys. Who has one is refused from the next request on; open sockets stay open."""
    from speechmlx.key_file import KeyFile

    file = KeyFile(_path(config))
    for name in names:
        file.remove(name)
        typer.echo(f"{name}: removed")
    if not file.read():
        typer.echo(f"No key is left: the server answers nobody. Delete {file.path} to open it to everybody.", err=True)


def _path(config: Path | None) -> Path:
    """The file of keys in the settings."""
    from speechmlx.config_sources import key_file, load

    return key_file(load({}, os.environ, config), os.environ)
