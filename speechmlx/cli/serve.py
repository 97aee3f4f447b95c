"""`audio-server serve`: run the server. Its flags are generated from the fields of Config."""

from __future__ import annotations

import os
from dataclasses import Field, fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer

from speechmlx import __version__
from speechmlx.cli.quick_serve import start
from speechmlx.config import KINDS, Config, default_text
from speechmlx.config_sources import load


def serve(**options: Any) -> None:
    """Run the server: what audio-server does without a verb."""
    options.pop("version")
    file, flags = given_flags(options)
    start(load(flags, os.environ, file))


def given_flags(options: dict[str, Any]) -> tuple[Path | None, dict[str, Any]]:
    """The settings file and the settings among the values of the options. A flag that is not given is None."""
    file = options.pop("config")
    return file, {name: value or None if isinstance(value, list) else value for name, value in options.items()}


def _print_version(requested: bool) -> None:
    """Show the version and exit, if `requested`."""
    if requested:
        typer.echo(__version__)
        raise typer.Exit


def _option(name: str, type_: Any, help: str) -> Parameter:
    """The parameter of an option. Its flag has hyphens for underscores."""
    flag = f"--{name.replace('_', '-')}"
    annotation = Annotated[type_, typer.Option(flag, help=help)]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _setting_option(entry: Field[Any]) -> Parameter:
    """The option of a field of Config. Sizes in bytes are text, since they may have a unit."""
    unit = entry.metadata.get("unit")
    type_: Any = str
    if isinstance(entry.default, tuple):
        type_ = list[str]
    elif isinstance(entry.default, bool | int | float) and unit != "bytes":
        type_ = type(entry.default)
    notes = [f"In {unit}."] if unit and unit != "bytes" else []
    notes += ["Can be given again."] if entry.metadata.get("repeat") else []
    help = " ".join([entry.metadata["help"], *notes, f"[default: {default_text(entry)}]"])
    return _option(entry.name, type_ | None, help)


def setting_options() -> list[Parameter]:
    """The parameters of the settings that have flags: those, the settings file, a model per kind, the log."""
    settings = {entry.name: _setting_option(entry) for entry in fields(Config) if entry.metadata["flag"]}
    logging = [settings.pop(name) for name in list(settings) if name.startswith("log_")]
    file = _option("config", Path | None, "Settings file, TOML. [default: config.toml in the settings folder]")
    kinds = [_option(kind, str | None, f"{help} [default: the profile's]") for kind, help in KINDS.items()]
    return [*settings.values(), file, *kinds, *logging]


def _options() -> list[Parameter]:
    """The parameters of `serve`: the settings and the version."""
    eager = typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    version = Parameter("version", Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, eager])
    return [*setting_options(), version]


# typer reads the options from the signature and the annotations.
serve.__signature__ = Signature(_options())  # type: ignore[attr-defined]
serve.__annotations__ = {option.name: option.annotation for option in _options()}
