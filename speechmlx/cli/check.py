"""`audio-server check`: compare the weights in the cache folder with the digests that their fetch recorded."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models or profiles; none: all that are here.", show_default=False)
    ] = None,
) -> None:
    """Read the weights in the cache folder and compare them with what was fetched. Status 1 if some are damaged."""
    from speechmlx.cli.pull import resolve_models
    from speechmlx.config import load
    from speechmlx.models import catalog, store

    known, cache = catalog.load(), store.cache_folder(load({}, os.environ))
    rows = resolve_models(known, names) if names else list(known.rows)
    damaged = False
    for row in rows:
        if store.folder(row, cache) is None:
            if names:
                typer.echo(f"{row.name}: not here")
            continue
        if not store.has_digests(row, cache):
            typer.echo(f"{row.name}: fetched by an older version, which recorded no digests")
            continue
        reason = store.damage(row, cache, fully=True)
        damaged |= reason is not None
        state = f"damaged: {reason}; the next use fetches it again" if reason else "as it was fetched"
        typer.echo(f"{row.name}: {state}")
    if damaged:
        raise typer.Exit(1)
