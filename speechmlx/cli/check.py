"""`audio-server check`: compare the weights in the cache folder with the digests that their fetch recorded."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from speechmlx.cli.options import AsJson, SettingsFile, model_names

if TYPE_CHECKING:
    from speechmlx.models.spec import Model

State = Literal["not downloaded", "unknown", "damaged", "ok"]


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models or profiles; none: all that are downloaded.", show_default=False, autocompletion=model_names
        ),
    ] = None,
    as_json: AsJson = False,
    config: SettingsFile = None,
) -> None:
    """Read downloaded models and compare them with what was fetched. Exit status 1 if some are damaged."""
    from speechmlx.cli.pull import resolve_models
    from speechmlx.config_sources import load
    from speechmlx.models import catalog, store

    settings = load({}, os.environ, config)
    cache = store.cache_folder(settings)
    known = catalog.load(cache)
    results = []
    for row in resolve_models(known, names, settings.languages) if names else known.all_rows:
        state, reason = _state(row, cache)
        if state == "not downloaded" and not names:
            continue
        results.append({"model": row.name, "state": state, "reason": reason})
        if not as_json:
            typer.echo(f"{row.name}: {_sentence(state, reason)}")
    if as_json:
        typer.echo(json.dumps(results))
    elif not results:
        typer.echo(f"No model is downloaded: {cache} has none")
    if any(result["state"] == "damaged" for result in results):
        raise typer.Exit(1)


def _state(row: Model, cache: Path) -> tuple[State, str | None]:
    """The state of a model's files and, where they are damaged, how."""
    from speechmlx.models import store

    if store.folder(row, cache) is None:
        return "not downloaded", None
    if not store.has_digests(row, cache):
        return "unknown", None
    reason = store.damage(row, cache, fully=True)
    return ("damaged", reason) if reason else ("ok", None)


def _sentence(state: State, reason: str | None) -> str:
    if state == "damaged":
        return f"damaged: {reason}; the next use fetches it again"
    if state == "unknown":
        return "fetched by an older version, which recorded no digests"
    return "as it was fetched" if state == "ok" else "not downloaded"
