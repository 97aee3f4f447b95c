"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def model_names(incomplete: str) -> list[str]:
    """For completion in a shell: the names of models and profiles that begin so."""
    from speechmlx.models import catalog

    known = catalog.load()
    return [name for name in (*known.names(), *known.profiles) if name.startswith(incomplete)]


def kinds(incomplete: str) -> list[str]:
    """For completion in a shell: the kinds of models that begin so."""
    from speechmlx.types import Kind

    return [kind for kind in Kind if kind.startswith(incomplete)]


SettingsFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file, TOML. [default: config.toml in the settings folder]"),
]
SpokenLanguages = Annotated[
    list[str] | None,
    typer.Option(help="What people speak, like de,fr: a profile has models for it.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
