"""Starts a verb's work: on a server where there is one, else in engines of its own, whose models are fetched first."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, NoReturn

import typer

from speechmlx.cli.terminal.running import FAILED, exits, hint, run, tell
from speechmlx.errors import Draining

if TYPE_CHECKING:
    from pathlib import Path

    from speechmlx.cli.terminal.backend import Backend
    from speechmlx.cli.terminal.servers import ServerAddress
    from speechmlx.config import Config

Needs = Iterable[tuple[str, str | None]]
"""Kinds of models, or LISTEN, each with the name of a model, or None for the default one."""
Work = Callable[["Backend"], Awaitable[int]]
"""What a verb does; returns its exit code."""


def start(work: Work, server: str | None, needs: Needs, file: Path | None) -> NoReturn:
    """Do the work, and exit with its code. `file`: the settings file; None: the default one."""
    from speechmlx.cli.terminal.servers import find_server
    from speechmlx.config_sources import load

    with exits():
        config = load({}, os.environ, file)
        found = find_server(server, config, os.environ)
        if found is None:
            fetch_missing(config, needs)
    if found is None:
        run(_in_process(work, file))
    if server is None:
        hint(f"using the server at {found.url}")
    run(_on_server(found, work))


async def _on_server(server: ServerAddress, work: Work) -> int:
    from speechmlx.cli.terminal.server_routes import OnServer, connected

    async with connected(server) as client:
        return await work(OnServer(client, server))


async def _in_process(work: Work, file: Path | None) -> int:
    from speechmlx.cli.terminal.in_process import InProcess
    from speechmlx.library import AsyncSpeech

    async with AsyncSpeech(config_file=file) as speech:
        try:
            return await work(InProcess(speech))
        except Draining:  # it is closed by Ctrl-C alone
            raise KeyboardInterrupt from None


def fetch_missing(config: Config, needs: Needs) -> None:
    """Fetch the models that are not here, with a progress bar for each. Exits with FAILED where one does not come."""
    from speechmlx.cli.pull import fetch_all
    from speechmlx.config import LISTEN
    from speechmlx.models import catalog, store
    from speechmlx.models.licences import Licences
    from speechmlx.types import Kind

    cache = store.cache_folder(config)
    known = catalog.load(cache)
    rows = {}
    for kind, name in needs:
        of = Kind.ASR if kind == LISTEN else Kind(kind)
        if name is None and of not in known.kinds(config):
            continue
        if name is not None:
            row = known.resolve(name, of)
        else:
            row = known.listener(config) if kind == LISTEN else known.default(of, config)
        if store.folder(row, cache) is None:
            rows[row.name] = row
    failures = fetch_all(list(rows.values()), cache, Licences(config)) if rows else {}
    for failure in failures.values():
        tell(str(failure))
    if failures:
        raise typer.Exit(FAILED)
