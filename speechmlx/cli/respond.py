"""`audio-server respond`: a spoken answer to a recorded question."""

from __future__ import annotations

from typing import Annotated

import typer

from speechmlx.cli.options import SettingsFile
from speechmlx.cli.terminal.options import Json, Server, VoiceName

OUTPUT_HELP = "File: wav, mp3, opus, aac, flac, pcm; - WAV to standard output. [default: played]"


def respond(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Recorded question; - standard input.")],
    output: Annotated[str | None, typer.Option("--output", "-o", help=OUTPUT_HELP)] = None,
    voice: VoiceName = None,
    language: Annotated[str | None, typer.Option("--language", "-l", help="Language of both: de, French.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="A speech-to-speech model.")] = None,
    as_json: Json = False,
    server: Server = None,
    config: SettingsFile = None,
) -> None:
    """Answer a recorded question aloud."""
    from speechmlx.cli.terminal.backend import SpeakingOptions
    from speechmlx.cli.terminal.recordings import kept_input, one_recording
    from speechmlx.cli.terminal.sound_file import format_of
    from speechmlx.cli.terminal.sound_work import SpokenReply
    from speechmlx.cli.terminal.start import start
    from speechmlx.types import Kind

    if output is not None:
        format_of(output)
    options = SpeakingOptions(model=model, voice=voice, language=language)
    needs = [(kind, None) for kind in (Kind.ASR, Kind.LLM, Kind.TTS)]
    with kept_input([file]) as standard_input:
        work = SpokenReply(one_recording(file, standard_input), options, output, as_json)
        start(work.run, server, needs if model is None else [(Kind.S2S, model)], config)
