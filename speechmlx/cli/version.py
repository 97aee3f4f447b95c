"""`audio-server version`: which version this is, and what it runs on."""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata
from typing import Annotated

import typer

PACKAGES = ("mlx", "mlx-lm", "numpy", "starlette", "hypercorn")
"""Packages whose versions a report of a fault should name."""


def version(
    as_json: Annotated[bool, typer.Option("--json", help="With the versions of packages, as a JSON object.")] = False,
) -> None:
    """Show the version."""
    from speechmlx import __version__

    if not as_json:
        typer.echo(__version__)
        return
    packages = {name: metadata.version(name) for name in PACKAGES}
    found = {
        "speechmlx": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "executable": sys.executable,
        "packages": packages,
    }
    typer.echo(json.dumps(found))
