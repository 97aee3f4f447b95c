"""`audio-server pull`: fetch models before their first use, with a progress bar for each and one for all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechmlx.cli.options import AsJson, SettingsFile, SpokenLanguages, model_names

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from speechmlx.errors import SpeechError
    from speechmlx.models.licences import Licences
    from speechmlx.models.spec import Catalog, Model
    from speechmlx.types import Progress


def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models or profiles; none: this machine's profile.", show_default=False, autocompletion=model_names
        ),
    ] = None,
    accept_licence: Annotated[
        list[str] | None,
        typer.Option(help="Accept a licence that forbids some uses. Can be given again.", show_default=False),
    ] = None,
    languages: SpokenLanguages = None,
    as_json: AsJson = False,
    config: SettingsFile = None,
) -> None:
    """Download models into the cache folder. Run it again to resume an interrupted download.

    A licence that forbids some uses is asked for on a terminal, and remembered. Exit status 1 if one could not be
    downloaded; the others are.
    """
    from speechmlx.config_sources import load
    from speechmlx.models import admission, catalog, store
    from speechmlx.models.licences import Licences

    settings = load({"languages": languages or None}, os.environ, config)
    cache = store.cache_folder(settings)
    known = catalog.load(cache)
    wanted = names or [catalog.profile(settings)]
    admission.admit(known, [name for name in wanted if name not in known.profiles], cache)
    rows = resolve_models(known, wanted, settings.languages)
    licences = Licences(settings)
    accept(rows, licences, accept_licence or (), asks=sys.stdin.isatty() and not as_json)
    failures = fetch_all(rows, cache, licences)
    for failure in failures.values():
        typer.echo(f"audio-server: {failure}", err=True)
    if as_json:
        typer.echo(json.dumps([_result(row, cache, failures) for row in rows]))
    if failures:
        raise typer.Exit(1)


def accept(rows: list[Model], licences: Licences, given: Sequence[str], asks: bool) -> None:
    """Remember the licences of the rows that are `given`, or that the person at the terminal accepts when asked."""
    names = {name.casefold() for name in given}
    declined = set[str]()
    for row in rows:
        if row.limits_use and row.licence_name.casefold() in names:
            licences.accept(row)
        elif asks and not licences.accepted(row) and row.licence_name not in declined:
            if typer.confirm(f"{row.name} has the licence {row.licence}. Accept it on this machine?", err=True):
                licences.accept(row)
            else:
                declined.add(row.licence_name)


def _result(row: Model, cache: Path, failures: dict[str, SpeechError]) -> dict[str, object]:
    from speechmlx.models import store

    folder = store.folder(row, cache)
    failure = failures.get(row.name)
    return {
        "model": row.name,
        "folder": None if folder is None else str(folder),
        "bytes": store.size(row, cache) if folder else 0,
        "error": None if failure is None else str(failure),
    }


def fetch_all(rows: list[Model], cache: Path, licences: Licences) -> dict[str, SpeechError]:
    """Fetch each model, with progress bars on standard error. The errors of those that failed, by name."""
    from speechmlx.errors import BadRequest, Unavailable
    from speechmlx.models import store

    failures: dict[str, SpeechError] = {}
    with _bars() as bars:
        tasks = {row.name: bars.add_task(row.name, total=row.size, state="waiting", start=False) for row in rows}
        total = bars.add_task("all", total=sum(row.size for row in rows), state="") if len(rows) > 1 else None
        for row in rows:
            bar = FetchBar(bars, tasks[row.name], total)
            bars.start_task(bar.task)
            try:
                licences.require(row)
                store.fetch(row, cache, bar.show)
                bar.finish(row.size, "ready")
            except (BadRequest, Unavailable) as error:
                bar.finish(None, "failed")
                failures[row.name] = error
    return failures


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(20), DownloadColumn(), TimeRemainingColumn(compact=True))
    return Progress(*columns, TextColumn("{task.fields[state]}"), console=Console(stderr=True))


@dataclass
class FetchBar:
    """The bar of a model and, of several, that of all."""

    bars: Bars
    task: TaskID
    total: TaskID | None
    _done: int = 0

    def show(self, progress: Progress) -> None:
        """Show the progress of a fetch."""
        if progress.stage != "fetch":
            self.bars.update(self.task, state="converting")
            return
        self.bars.update(self.task, completed=progress.done, total=progress.total, state="downloading")
        self._advance(progress.done)

    def finish(self, size: int | None, state: str) -> None:
        """Show the end, with the whole `size` in bytes where all is here."""
        if size is None:
            self.bars.stop_task(self.task)
            self.bars.update(self.task, state=state)
        else:
            self.bars.update(self.task, completed=size, total=size, state=state)
            self._advance(size)

    def _advance(self, done: int) -> None:
        if self.total is not None:
            self.bars.update(self.total, advance=done - self._done)
        self._done = done


def resolve_models(known: Catalog, names: list[str], spoken: tuple[str, ...] = ()) -> list[Model]:
    """Resolve names of models, and of profiles for the languages `spoken`, to rows, each once. Raises UnknownModel."""
    rows = [
        known.resolve(model)
        for name in names
        for model in (known.models_of(name, spoken) if name in known.profiles else [name])
    ]
    return list({row.name: row for row in rows}.values())
