"""`audio-server voices`: list, add and remove stored voices. A running server of this folder sees it at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechmlx.cli.options import AsJson, SettingsFile

if TYPE_CHECKING:
    from speechmlx.config import Config
    from speechmlx.models.voice_store import VoiceStore
    from speechmlx.types import Audio

voices = typer.Typer(
    help="Stored voices: recordings of persons, which models imitate under names of your choice.",
    no_args_is_help=True,
)
CONSENT_HELP = "A sentence that says who agreed to it, or the id of a stored consent."
TEXT_HELP = "What is said in the recording: some models need it."


@voices.command("list")
def list_(as_json: AsJson = False, config: SettingsFile = None) -> None:
    """List the stored voices: names, lengths and days."""
    import json
    import time

    store, _ = _store(config)
    found = store.voices()
    if as_json:
        rows = [{"name": one.name, "id": one.id, "seconds": one.seconds, "created_at": one.created_at} for one in found]
        typer.echo(json.dumps(rows))
        return
    for one in found:
        typer.echo(
            "  ".join([one.name, f"{one.seconds:.1f} s", time.strftime("%Y-%m-%d", time.localtime(one.created_at))])
        )
    if not found:
        typer.echo("There are no stored voices. `audio-server voices add NAME RECORDING` stores one.", err=True)


@voices.command()
def add(
    name: Annotated[str, typer.Argument(help="What the voice is called.")],
    recording: Annotated[Path, typer.Argument(help="1 to 60 seconds of one person who speaks, in any format.")],
    consent: Annotated[str, typer.Option(help=CONSENT_HELP)],
    text: Annotated[str, typer.Option(help=TEXT_HELP)] = "",
    config: SettingsFile = None,
) -> None:
    """Store the voice of a recording. Imitate nobody who has not agreed."""
    from speechmlx.errors import BadRequest
    from speechmlx.models import catalog
    from speechmlx.models.store import cache_folder
    from speechmlx.models.voice_store import check_free

    if not consent.strip():
        raise BadRequest(f"--consent is empty: {CONSENT_HELP[0].lower()}{CONSENT_HELP[1:]}")
    store, settings = _store(config)
    check_free(name, catalog.load(cache_folder(settings)))
    store.check_name(name)
    made = store.add(name, _heard(recording), text.strip(), consent.strip())
    typer.echo(f"{made.name}: {made.seconds:.1f} s stored")


@voices.command()
def rm(
    names: Annotated[list[str], typer.Argument(help="Names or ids of stored voices.", show_default=False)],
    config: SettingsFile = None,
) -> None:
    """Delete stored voices, with their recordings."""
    store, _ = _store(config)
    for name in names:
        store.remove(name)
        typer.echo(f"{name}: removed")


def _store(config: Path | None) -> tuple[VoiceStore, Config]:
    """The voices of the settings, and these."""
    from speechmlx.config_sources import load
    from speechmlx.models.voice_store import VoiceStore, default_folder

    settings = load({}, os.environ, config)
    return VoiceStore(default_folder(settings)), settings


def _heard(recording: Path) -> Audio:
    """The recording as it is kept, and no more of it than tells that it is too long. Raises BadRequest and BadAudio."""
    import numpy as np

    from speechmlx.audio import decode
    from speechmlx.audio.pcm import within_full_scale
    from speechmlx.errors import BadRequest
    from speechmlx.models.kept_recordings import RATE
    from speechmlx.models.voice_store import MOST
    from speechmlx.types import Audio

    blocks, seconds = [], 0.0
    try:
        for block in decode.blocks(recording.expanduser(), RATE, fit=False):
            blocks.append(block)
            seconds += len(block) / RATE
            if seconds > MOST:
                break
    except OSError as error:
        raise BadRequest(f"{recording} cannot be read: {error.strerror or error}") from error
    return Audio(within_full_scale(np.concatenate(blocks)), RATE)
