"""`audio-server pull`: fetches models before they are needed, a progress bar each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from speechmlx.models.spec import Catalog, Model


def pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models or profiles; none: this machine's profile.", show_default=False)
    ] = None,
) -> None:
    """Fetch and convert models into the cache folder. Fetching again continues what was broken off."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    from speechmlx.config import load
    from speechmlx.errors import Unavailable
    from speechmlx.models import catalog, store
    from speechmlx.types import Progress

    known, config = catalog.load(), load({}, os.environ)
    cache = store.cache_folder(config)
    wanted = chosen(known, names or [catalog.profile(config)])
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    failures = []
    with Bars(*columns, TextColumn("{task.fields[state]}"), console=Console(stderr=True)) as bars:
        tasks = {row.name: bars.add_task(row.name, total=row.size, state="", start=False) for row in wanted}
        for row in wanted:
            task = tasks[row.name]

            def tell(progress: Progress, task: TaskID = task) -> None:
                if progress.stage == "fetch":
                    bars.update(task, completed=progress.done, total=progress.total, state=progress.detail)
                else:
                    bars.update(task, state="converting")

            bars.start_task(task)
            try:
                store.fetch(row, cache, tell)
                bars.update(task, completed=row.size, total=row.size, state="ready")
            except Unavailable as error:
                bars.update(task, state="failed")
                failures.append(error)
    for failure in failures:
        typer.echo(f"audio-server: {failure}", err=True)
    if failures:
        raise typer.Exit(1)


def chosen(known: Catalog, names: list[str]) -> list[Model]:
    """The rows that `names` mean, each once: profiles stand for all their models. Raises UnknownModel."""
    rows = [
        known.resolve(model)
        for name in names
        for model in (known.of_profile(name).values() if name in known.profiles else [name])
    ]
    return list({row.name: row for row in rows}.values())
