"""`audio-server models`: the catalog as a table, and all that is known of a model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
    if only_names:
        return typer.echo("".join(f"{row.name}\n" for row in rows if row.runnable), nl=False)
    memory = ModelMemory.of(_defaults(known, settings), settings)
    if as_json:
        typer.echo(json.dumps([_facts(row, cache, settings, memory) for row in rows]))
    elif names:
        for row in rows:
            _describe(row, cache, settings, memory)
    else:
        _table(rows, cache, settings, memory)
        _footer(known, settings, cache, memory)


def _defaults(known: Catalog, settings: Config) -> dict[str, Model]:
    """The default models by kind, that of live words by LISTEN.

    A wrong one is left out: this verb shows which names are right.
    """
    from speechmlx.config import LISTEN
    from speechmlx.errors import UnknownModel

    found: dict[str, Model] = {}
    for kind in known.kinds(settings):
        with suppress(UnknownModel):
            found[kind] = known.default(kind, settings)
    with suppress(UnknownModel):
        found[LISTEN] = known.listener(settings)
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


def _footer(known: Catalog, settings: Config, cache: Path, memory: ModelMemory) -> None:
    from rich.filesize import decimal

    from speechmlx.models import catalog

    profile = catalog.profile(settings)
    spoken = f", languages {', '.join(settings.languages)}," if settings.languages else ""
    typer.echo(f"\n* default here: profile {profile}{spoken} and your settings. Profiles: {', '.join(known.profiles)}")
    typer.echo(f"{memory.said}; a model that needs more is too large")
    if memory.together() > memory.limit:
        needed = f"need {decimal(memory.together())} together, a chat of {settings.llm_context} tokens included"
        typer.echo(f"The default models {needed}: they take turns in memory, which is slow")
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


@dataclass(frozen=True)
class ModelMemory:
    """The memory that models may have here, in bytes, and what they need of it with numbers of this machine's type."""

    limit: int
    dtype: str
    defaults: Mapping[str, Model]
    settings: Config

    @classmethod
    def of(cls, defaults: Mapping[str, Model], settings: Config) -> ModelMemory:
        """Asks the GPU, where one computes and no setting counts more."""
        from speechmlx.doctor.finding import Patient
        from speechmlx.doctor.machine import models_memory
        from speechmlx.machine import is_apple, weight_type

        dtype = weight_type(is_apple(), settings.device)
        return cls(models_memory(Patient(os.environ, settings)), dtype, defaults, settings)

    @property
    def said(self) -> str:
        """How much memory models may have."""
        from rich.filesize import decimal

        from speechmlx.machine import memory_bytes

        return f"Models may have {decimal(self.limit)} of this machine's {decimal(memory_bytes())} of memory"

    def is_default(self, row: Model, use: str | None = None) -> bool:
        """Whether `row` is the default of a kind or of live words, LISTEN; None: of any."""
        return any(one.name == row.name for key, one in self.defaults.items() if use in (None, key))

    def fits(self, row: Model) -> bool:
        """Whether a model fits by itself."""
        return row.bytes_as(self.dtype) <= self.limit

    def together(self, *more: Model) -> int:
        """Bytes of the default models, with a long chat, and of `more`."""
        from speechmlx.models.catalog import needed_together

        return needed_together([*self.defaults.values(), *more], self.settings, self.dtype)


def _table(rows: Sequence[Model], cache: Path, settings: Config, memory: ModelMemory) -> None:
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
        here = decimal(store.size(row, cache)) if store.folder(row, cache) else _obstacle(row, memory)
        name = f"[bold]{row.name}[/] *" if memory.is_default(row) else row.name
        languages = ", ".join(row.languages) if len(row.languages) <= LANGUAGES else f"{len(row.languages)}"
        cells = [name, row.kind, decimal(row.size), here, languages, _licence(row, settings)]
        table.add_row(*cells[: len(table.columns)], style=None if row.runnable and memory.fits(row) else "dim")
    console.print(table)


def _is_accepted(row: Model, settings: Config) -> bool:
    """Whether the licence of a model allows all uses, or was accepted here."""
    from speechmlx.models.licences import Licences

    return Licences(settings).accepted(row)


def _licence(row: Model, settings: Config) -> str:
    """The licence of a model; of one that forbids some uses its name, and whether it was accepted here."""
    state = "accepted" if _is_accepted(row, settings) else "not accepted"
    return f"{row.licence_name} ({state})" if row.limits_use else row.licence


def _obstacle(row: Model, memory: ModelMemory) -> str:
    """Why a model would not run here, in two words; "" where it would."""
    if not row.runnable:
        return "cannot run" if row.refusal else "no engine yet"
    return "" if memory.fits(row) else "too large"


def _facts(row: Model, cache: Path, settings: Config, memory: ModelMemory) -> dict[str, Any]:
    """What is known of a model, as JSON has it. Sizes in bytes, `rate` in Hz."""
    from speechmlx.config import LISTEN
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
        "memory_here_bytes": row.bytes_as(memory.dtype),
        "fits": memory.fits(row),
        "default": memory.is_default(row, row.kind),
        "default_live": memory.is_default(row, LISTEN),
        "fits_with_defaults": memory.together(row) <= memory.limit,
        "model_memory_bytes": memory.limit,
        "rate": row.rate,
        "licence": row.licence,
        "licence_accepted": _is_accepted(row, settings),
        "languages": list(row.languages),
        "voices": list(row.voices.names),
        "aliases": list(row.aliases),
        "sources": [store.describe(source) for source in row.sources],
        "companions": {one.name: [store.describe(source) for source in one.sources] for one in row.companions},
    }


def _describe(row: Model, cache: Path, settings: Config, memory: ModelMemory) -> None:
    """Print all that is known of a model."""
    import textwrap

    from rich.filesize import decimal

    facts = _facts(row, cache, settings, memory)
    asked = "" if facts["licence_accepted"] else f"; not accepted here: `audio-server pull {row.name}` asks"
    room = "" if facts["fits"] else f"; too large: {memory.said}"
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
