"""`audio-server run`: what a model does: hear, speak, talk, answer or enhance."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from speechmlx.cli.options import SettingsFile
from speechmlx.cli.terminal.options import Json, Server

OUTPUT_HELP = "File or folder of the result."


def run(
    model: Annotated[str, typer.Argument(help="A model, as `audio-server models` lists them.", show_default=False)],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[INPUT]...", help="Recordings, or a text to speak; - standard input.")
    ] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help=OUTPUT_HELP)] = None,
    as_json: Json = False,
    server: Server = None,
    config: SettingsFile = None,
) -> None:
    """Do what a model does.

    A recogniser transcribes recordings, or listens to the microphone. A synthesiser speaks a text, or each line that is
    typed. A language model converses. A speech-to-speech model answers a recording. An enhancer reduces noise.
    """
    from speechmlx.cli import enhance, listen, respond, speak, talk, transcribe
    from speechmlx.config_sources import load
    from speechmlx.errors import BadRequest
    from speechmlx.models import catalog, store
    from speechmlx.types import Kind

    row = catalog.load(store.cache_folder(load({}, os.environ, config))).resolve(model)
    given = inputs or []
    match row.kind:
        case Kind.ASR if given:
            transcribe.transcribe(given, output=output, model=row.name, as_json=as_json, server=server, config=config)
        case Kind.ASR if output is None:
            listen.listen(model=row.name, as_json=as_json, server=server, config=config)
        case Kind.TTS:
            speak.speak(given or ["-"], output=output, model=row.name, as_json=as_json, server=server, config=config)
        case Kind.LLM if not given:
            talk.talk(model=row.name, output=output, as_json=as_json, server=server, config=config)
        case Kind.S2S if len(given) == 1:
            respond.respond(given[0], output=output, model=row.name, as_json=as_json, server=server, config=config)
        case Kind.ENHANCE if given:
            enhance.enhance(given, output=output, model=row.name, as_json=as_json, server=server, config=config)
    raise BadRequest(wanted(row.kind, row.name))


def wanted(kind: str, name: str) -> str:
    """What a model of a kind is run with, for a command that does not fit."""
    ways = {
        "asr": "audio-server run {0} RECORDING...; without a recording it listens, and takes no -o",
        "llm": "audio-server run {0}, which converses and takes no input",
        "s2s": "audio-server run {0} RECORDING",
        "enhance": "audio-server run {0} RECORDING...",
    }
    if kind not in ways:
        return f"{name} is a {kind} model, which works inside of the others; run one of {', '.join(ways)} or tts"
    return f"{name} is run like this: {ways[kind].format(name)}"
