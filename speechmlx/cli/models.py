"""`audio-server models`: the catalog as a table, and all that is known of a model."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechmlx.cli.options import AsJson, SettingsFile, kinds, model_names

if TYPE_CHECKING:
    from speechmlx.config import Config
    from speechmlx.models.spec import Catalog, Model

LANGUAGES = 2
"""The table shows the codes of up to so many languages of a model, otherwise their count."""
WIDE = 100
"""Columns of a terminal from which on the table has the licences."""
NO_ENGINE = "this version has no engine for it"


def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models to tell all about.", show_default=False, autocompletion=model_names),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only models of this kind: asr, tts, llm, ...", autocompletion=kinds)
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="Only models that are downloaded.")] = False,
    language: Annotated[str | None, typer.Option(help="Only models with this language: a code or a name.")] = None,
    all_families: Annotated[bool, typer.Option("--all", help="The families of which `pull` takes any model.")] = False,
    only_names: Annotated[bool, typer.Option("--names", help="Only the names of those that run, one a line.")] = False,
    as_json: AsJson = False,
    config: SettingsFile = None,
) -> None:
    """List the models: kind, size of the download, whether they are downloaded, languages.

    With names: everything about these models, such as memory, licence, voices and other names.
    """
    from speechmlx.config_sources import load
    from speechmlx.models import catalog, store

    if all_families:
        return _families(kind, as_json)
    settings = load({}, os.environ, config)
    cache = store.cache_folder(settings)
    known = catalog.load(cache)
    rows = _chosen([known.resolve(name) for name in names] if names else known.all_rows, kind, language)
    rows = [row for row in rows if not here or store.folder(row, cache)]
    defaults = _defaults(known, settings)
    if only_names:
        typer.echo("".join(f"{row.name}\n" for row in rows if row.runnable), nl=False)
    elif as_json:
        typer.echo(json.dumps([{**_facts(row, cache, settings), "default": row.name in defaults} for row in rows]))
    elif names:
        for row in rows:
            _describe(row, cache, settings)
    else:
        _table(rows, cache, defaults, settings)
        _footer(known, settings, cache)


def _defaults(known: Catalog, settings: Config) -> set[str]:
    """The names of the default models. A wrong one is left out: this verb shows which names are right."""
    from speechmlx.errors import UnknownModel

    found = set()
    for kind in known.kinds(settings):
        with suppress(UnknownModel):
            found.add(known.default(kind, settings).name)
    with suppress(UnknownModel):
        found.add(known.listener(settings).name)
    return found


def _chosen(rows: Sequence[Model], kind: str | None, language: str | None) -> list[Model]:
    """The rows of a kind and with a language. Raises BadRequest for one that is none."""
    from speechmlx import languages
    from speechmlx.errors import BadRequest
    from speechmlx.types import Kind

    if kind is not None and kind not in list(Kind):
        raise BadRequest(f"there is no kind {kind!r}; kinds: {', '.join(Kind)}")
    if language is not None and languages.match(language, languages.NAMES) is None:
        raise BadRequest(f"{language!r:.80} is no language; write a code or a name, like en-gb, fr or Spanish")
    found = [row for row in rows if kind in (None, row.kind)]
    return [row for row in found if language is None or languages.match(language, row.languages)]


def _footer(known: Catalog, settings: Config, cache: Path) -> None:
    from speechmlx.models import catalog

    profile = catalog.profile(settings)
    spoken = f", languages {', '.join(settings.languages)}," if settings.languages else ""
    typer.echo(f"\n* default here: profile {profile}{spoken} and your settings. Profiles: {', '.join(known.profiles)}")
    typer.echo(f"{_room(settings)}; a model that needs more is too large")
    typer.echo(f"`audio-server models NAME` tells more of a model, `--all` the families. Cache folder: {cache}")


def _families(kind: str | None, as_json: bool) -> None:
    """Print the families of mlx-audio, with the reason of those that are left out."""
    from rich.console import Console
    from rich.table import Table

    from speechmlx.models.bridge.families import FAMILIES

    found = [family for family in FAMILIES if kind in (None, family.kind)]
    if as_json:
        typer.echo(json.dumps([{**vars(family), "kind": family.kind} for family in found]))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("family", "kind", "works", "why not"):
        table.add_column(heading, no_wrap=heading != "why not")
    for family in found:
        cells = (
            family.name,
            family.kind or "left out",
            family.works,
            family.reason,
        )
        table.add_row(*cells, style=None if family.kind else "dim")
    Console(highlight=False).print(table)
    typer.echo("\n`audio-server pull OWNER/NAME`, or a folder's path, admits a model of one of these families.")


def _needed(row: Model, settings: Config) -> int:
    """Bytes of memory that a model needs here."""
    from speechmlx.machine import is_apple, weight_type

    return row.bytes_as(weight_type(is_apple(), settings.device))


def _fits(row: Model, settings: Config) -> bool:
    """Whether a model fits into the memory that models may have here."""
    from speechmlx.machine import model_memory

    return _needed(row, settings) <= model_memory(settings.memory_limit)


def _room(settings: Config) -> str:
    """How much memory models may have here."""
    from rich.filesize import decimal

    from speechmlx.machine import memory_bytes, model_memory

    limit, memory = decimal(model_memory(settings.memory_limit)), decimal(memory_bytes())
    return f"Models may have {limit} of this machine's {memory} of memory"


def _table(rows: Sequence[Model], cache: Path, defaults: set[str], settings: Config) -> None:
    """Print a line for each model."""
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    from speechmlx.models import store

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("model", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("download", justify="right", no_wrap=True)
    table.add_column("here", justify="right", no_wrap=True)
    table.add_column("languages", no_wrap=True)
    if console.width >= WIDE:
        table.add_column("licence", no_wrap=True)
    for row in rows:
        here = decimal(store.size(row, cache)) if store.folder(row, cache) else _obstacle(row, settings)
        name = f"[bold]{row.name}[/] *" if row.name in defaults else row.name
        languages = ", ".join(row.languages) if len(row.languages) <= LANGUAGES else f"{len(row.languages)}"
        cells = [name, row.kind, decimal(row.size), here, languages, _licence(row, settings)]
        table.add_row(*cells[: len(table.columns)], style=None if row.runnable and _fits(row, settings) else "dim")
    console.print(table)


def _is_accepted(row: Model, settings: Config) -> bool:
    """Whether the licence of a model allows all uses, or was accepted here."""
    from speechmlx.models.licences import Licences

    return Licences(settings).accepted(row)


def _licence(row: Model, settings: Config) -> str:
    """The licence of a model; of one that forbids some uses its name, and whether it was accepted here."""
    state = "accepted" if _is_accepted(row, settings) else "not accepted"
    return f"{row.licence_name} ({state})" if row.limits_use else row.licence


def _obstacle(row: Model, settings: Config) -> str:
    """Why a model would not run here, in two words; "" where it would."""
    if not row.runnable:
        return "cannot run" if row.refusal else "no engine yet"
    return "" if _fits(row, settings) else "too large"


def _facts(row: Model, cache: Path, settings: Config) -> dict[str, Any]:
    """What is known of a model, as JSON has it. Sizes in bytes, `rate` in Hz."""
    from speechmlx.models import store

    folder = store.folder(row, cache)
    return {
        "name": row.name,
        "kind": row.kind,
        "here": folder is not None,
        "folder": None if folder is None else str(folder),
        "bytes": store.size(row, cache) if folder else 0,
        "runs": row.runnable,
        "download_bytes": row.size,
        "memory_bytes": row.bytes_as("float32"),
        "gpu_memory_bytes": row.bytes_as("float16"),
        "memory_here_bytes": _needed(row, settings),
        "fits": _fits(row, settings),
        "rate": row.rate,
        "licence": row.licence,
        "licence_accepted": _is_accepted(row, settings),
        "languages": list(row.languages),
        "voices": list(row.voices.names),
        "aliases": list(row.aliases),
        "sources": [store.describe(source) for source in row.sources],
        "companions": {one.name: [store.describe(source) for source in one.sources] for one in row.companions},
    }


def _describe(row: Model, cache: Path, settings: Config) -> None:
    """Print all that is known of a model."""
    import textwrap

    from rich.filesize import decimal

    facts = _facts(row, cache, settings)
    asked = "" if facts["licence_accepted"] else f"; not accepted here: `audio-server pull {row.name}` asks"
    room = "" if facts["fits"] else f"; too large: {_room(settings)}"
    lines = {
        "kind": row.kind,
        "here": f"{decimal(facts['bytes'])} in {facts['folder']}" if facts["here"] else "not downloaded",
        "download": decimal(row.size) + ("" if row.runnable else f"; {row.refusal or NO_ENGINE}"),
        "memory": f"{decimal(facts['gpu_memory_bytes'])} on a GPU, {decimal(facts['memory_bytes'])} on a CPU{room}",
        "licence": row.licence + asked,
        "languages": " ".join(row.languages),
        "voices": " ".join(facts["voices"]),
        "also called": ", ".join(row.aliases),
        "from": "; or ".join(facts["sources"]),
        "with": ". ".join(f"{name}: {'; or '.join(sources)}" for name, sources in facts["companions"].items()),
    }
    typer.echo(row.name)
    for heading, text in lines.items():
        if text:
            wrapped = textwrap.wrap(text, 64, break_long_words=False, break_on_hyphens=False)
            typer.echo(f"  {heading:11}  " + "\n               ".join(wrapped))
