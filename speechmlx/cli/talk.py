"""`audio-server talk`: a conversation at the terminal, with the microphone and the loudspeaker."""

from __future__ import annotations

from typing import Annotated

import typer

from speechmlx.cli.options import SettingsFile
from speechmlx.cli.terminal.options import Json, Server, VoiceName

FILE_HELP = "Hear this recording in place of the microphone, at the speed of speech; - standard input."
HEADPHONES_HELP = "Speech interrupts an answer. Without it, the microphone is off while an answer is played."


def talk(
    instructions: Annotated[str, typer.Option(help="How to answer.")] = "",
    voice: VoiceName = None,
    language: Annotated[str | None, typer.Option("--language", "-l", help="Language of both: de, French.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Language model.")] = None,
    headphones: Annotated[bool, typer.Option("--headphones", help=HEADPHONES_HELP)] = False,
    file: Annotated[str | None, typer.Option("--file", help=FILE_HELP)] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Write the answers to this file, and play nothing.")
    ] = None,
    as_json: Json = False,
    server: Server = None,
    config: SettingsFile = None,
) -> None:
    """Have a conversation. Speak after the first line; Ctrl-C ends it."""
    from speechmlx.cli.terminal.backend import TalkingOptions
    from speechmlx.cli.terminal.recordings import kept_input, one_recording
    from speechmlx.cli.terminal.sound_file import format_of
    from speechmlx.cli.terminal.start import start
    from speechmlx.cli.terminal.talking import TerminalTalk
    from speechmlx.config import LISTEN
    from speechmlx.types import Kind

    if output is not None:
        format_of(output)
    options = TalkingOptions(
        instructions=instructions, model=model, voice=voice, language=language, interrupts=headphones
    )
    needs = [(Kind.ASR, None), (LISTEN, None), (Kind.VAD, None), (Kind.LLM, model), (Kind.TTS, None)]
    with kept_input([file or ""]) as standard_input:
        path = None if file is None else one_recording(file, standard_input)
        start(TerminalTalk(path, options, output, as_json).run, server, needs, config)
