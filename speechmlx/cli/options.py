"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SettingsFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file, TOML. [default: config.toml in the settings folder]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
