"""`audio-server rm`: delete models from the cache folder."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def rm(names: Annotated[list[str], typer.Argument(help="Models or profiles.")]) -> None:
    """Delete models from the cache folder. The next request for one fetches it again."""
    from rich.filesize import decimal

    from speechmlx.cli.pull import resolve_models
    from speechmlx.config import load
    from speechmlx.models import catalog, store

    cache = store.cache_folder(load({}, os.environ))
    for row in resolve_models(catalog.load(), names):
        freed = store.remove(row, cache)
        typer.echo(f"{row.name}: {f'{decimal(freed)} freed' if freed else 'was not here'}")
