"""`audio-server models`: print the catalog as a table."""

from __future__ import annotations

import os
from typing import Annotated

import typer

LANGUAGES = 2
"""The table shows the codes of up to so many languages of a model, otherwise their count."""


def models(
    kind: Annotated[str | None, typer.Option(help="Only models of this kind: asr, tts, llm, ...")] = None,
    names: Annotated[bool, typer.Option("--names", help="Only the names of those that run, one a line.")] = False,
) -> None:
    """List the models: kind, download size, whether the weights are here, licence, languages."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    from speechmlx.config import load
    from speechmlx.errors import BadRequest
    from speechmlx.models import catalog, store
    from speechmlx.types import Kind

    if kind is not None and kind not in list(Kind):
        raise BadRequest(f"there is no kind {kind!r}; kinds: {', '.join(Kind)}")
    known, config, console = catalog.load(), load({}, os.environ), Console()
    cache, profile = store.cache_folder(config), catalog.profile(config)
    rows = [row for row in known.rows if kind in (None, row.kind)]
    if names:
        for row in rows:
            if row.runnable:
                typer.echo(row.name)
        return
    used = {known.default(kind, config).name for kind in known.of_profile(profile)}
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for heading in ("kind", "download", "here", "licence", "languages", "also called"):
        table.add_column(heading, justify="right" if heading in ("download", "here") else "left")
    for row in rows:
        here = decimal(store.size(row, cache)) if store.folder(row, cache) else "" if row.runnable else "no engine yet"
        name = f"[bold]{row.name}[/] *" if row.name in used else row.name
        languages = ", ".join(row.languages) if len(row.languages) <= LANGUAGES else f"{len(row.languages)}"
        table.add_row(name, row.kind, decimal(row.size), here, row.licence, languages, ", ".join(row.aliases))
    console.print(table)
    console.print(f"* the defaults here: profile {profile!r} and your settings; profiles: {', '.join(known.profiles)}")
    console.print(f"Cache folder: {cache}", soft_wrap=True, highlight=False)
