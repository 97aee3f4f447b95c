"""`audio-server pull`: fetch models before their first use, with a progress bar for each."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from speechmlx.errors import Unavailable
    from speechmlx.models.spec import Catalog, Model
    from speechmlx.types import Progress


def pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models or profiles; none: this machine's profile.", show_default=False)
    ] = None,
) -> None:
    """Fetch and convert models into the cache folder. Fetching again continues an interrupted download."""
    from speechmlx.config import load
    from speechmlx.models import catalog, store

    known, config = catalog.load(), load({}, os.environ)
    failures = fetch_all(resolve_models(known, names or [catalog.profile(config)]), store.cache_folder(config))
    for failure in failures:
        typer.echo(f"audio-server: {failure}", err=True)
    if failures:
        raise typer.Exit(1)


def fetch_all(rows: list[Model], cache: Path) -> list[Unavailable]:
    """Fetch each model, with a progress bar on standard error. Return the errors of those that failed."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from speechmlx.errors import Unavailable
    from speechmlx.models import store

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    failures = []
    with Progress(*columns, TextColumn("{task.fields[state]}"), console=Console(stderr=True)) as bars:
        tasks = {row.name: bars.add_task(row.name, total=row.size, state="", start=False) for row in rows}
        for row in rows:
            task = tasks[row.name]
            bars.start_task(task)
            try:
                store.fetch(row, cache, partial(show_progress, bars, task))
                bars.update(task, completed=row.size, total=row.size, state="ready")
            except Unavailable as error:
                bars.update(task, state="failed")
                failures.append(error)
    return failures


def show_progress(bars: Bars, task: TaskID, progress: Progress) -> None:
    """Show the progress of a fetch in its bar."""
    if progress.stage == "fetch":
        bars.update(task, completed=progress.done, total=progress.total, state=progress.detail)
    else:
        bars.update(task, state="converting")


def resolve_models(known: Catalog, names: list[str]) -> list[Model]:
    """Resolve names of models and profiles to rows, each once. Raises UnknownModel."""
    rows = [
        known.resolve(model)
        for name in names
        for model in (known.of_profile(name).values() if name in known.profiles else [name])
    ]
    return list({row.name: row for row in rows}.values())
