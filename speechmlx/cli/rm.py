"""`audio-server rm`: delete models from the cache folder."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from speechmlx.cli.options import AsJson, SettingsFile, model_names


def rm(
    names: Annotated[
        list[str], typer.Argument(help="Models or profiles.", show_default=False, autocompletion=model_names)
    ],
    as_json: AsJson = False,
    config: SettingsFile = None,
) -> None:
    """Delete models from the cache folder. The next request for one downloads it again.

    Exit status 1 if one is in use by a server.
    """
    from rich.filesize import decimal

    from speechmlx.cli.pull import resolve_models
    from speechmlx.config_sources import load
    from speechmlx.errors import Unavailable
    from speechmlx.models import admission, catalog, store

    settings = load({}, os.environ, config)
    cache = store.cache_folder(settings)
    results, failed = [], False
    for row in resolve_models(catalog.load(cache), names, settings.languages):
        try:
            freed = store.remove(row, cache)
            admission.forget(row, cache)
        except Unavailable as error:
            failed = True
            typer.echo(f"audio-server: {error}", err=True)
            results.append({"model": row.name, "freed_bytes": 0, "error": str(error)})
            continue
        results.append({"model": row.name, "freed_bytes": freed, "error": None})
        if not as_json:
            typer.echo(f"{row.name}: {f'{decimal(freed)} freed' if freed else 'not downloaded'}")
    if as_json:
        typer.echo(json.dumps(results))
    if failed:
        raise typer.Exit(1)
