"""`audio-server listen`: what is said at the microphone, as text, while it is said."""

from __future__ import annotations

from typing import Annotated

import typer

from speechmlx.cli.options import SettingsFile
from speechmlx.cli.terminal.options import Diarize, Json, ModelName, Prompt, Server, SpokenLanguage, Translate

FILE_HELP = "Hear this recording in place of the microphone, as fast as it goes; - standard input."


def listen(
    file: Annotated[str | None, typer.Option("--file", help=FILE_HELP)] = None,
    language: SpokenLanguage = None,
    translate: Translate = False,
    diarize: Diarize = False,
    prompt: Prompt = None,
    model: ModelName = None,
    as_json: Json = False,
    server: Server = None,
    config: SettingsFile = None,
) -> None:
    """Write what is said at the microphone. Ctrl-C ends it, after the last words.

    Words that are final are written once. Unsure words follow in grey, at a terminal.
    """
    from speechmlx.cli.terminal.backend import HearingOptions
    from speechmlx.cli.terminal.listening import LiveCaptions
    from speechmlx.cli.terminal.recordings import kept_input, one_recording
    from speechmlx.cli.terminal.start import start
    from speechmlx.config import LISTEN
    from speechmlx.types import Kind

    options = HearingOptions(model=model, language=language, translate=translate, diarize=diarize, prompt=prompt)
    needs = [(LISTEN, model), (Kind.VAD, None), *([(Kind.DIARIZE, None)] if diarize else [])]
    with kept_input([file or ""]) as standard_input:
        path = None if file is None else one_recording(file, standard_input)
        start(LiveCaptions(path, options, as_json).run, server, needs, config)
