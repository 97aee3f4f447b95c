"""`audio-server transcribe`: recordings into text, subtitles and JSON, many at once."""

from __future__ import annotations

from typing import Annotated

import typer

from speechmlx.cli.options import SettingsFile
from speechmlx.cli.terminal.options import Diarize, Json, ModelName, Prompt, Server, SpokenLanguage, Translate

Files = Annotated[list[str], typer.Argument(metavar="FILES...", help="Recordings, folders, globs; - standard input.")]
FORMAT_HELP = "text, json, verbose_json, srt, vtt, tsv or rttm. Can be given again, with -o."
OUTPUT_HELP = "File; a folder where several results are written. [default: standard output]"


def transcribe(
    files: Files,
    format: Annotated[list[str] | None, typer.Option("--format", "-f", help=f"{FORMAT_HELP} [default: text]")] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help=OUTPUT_HELP)] = None,
    language: SpokenLanguage = None,
    words: Annotated[bool, typer.Option("--words", help="Time each word, in verbose_json and --json.")] = False,
    translate: Translate = False,
    diarize: Diarize = False,
    prompt: Prompt = None,
    hotword: Annotated[list[str] | None, typer.Option(help="A name that is likely. Can be given again.")] = None,
    model: ModelName = None,
    as_json: Json = False,
    server: Server = None,
    config: SettingsFile = None,
) -> None:
    """Turn recordings into text or subtitles."""
    from speechmlx.cli.terminal.backend import HearingOptions
    from speechmlx.cli.terminal.recordings import find_recordings, kept_input
    from speechmlx.cli.terminal.start import start
    from speechmlx.cli.terminal.transcripts import TranscriptFiles
    from speechmlx.types import Kind

    options = HearingOptions(
        model=model,
        language=language,
        translate=translate,
        words=words,
        diarize=diarize or "rttm" in (format or ()),
        prompt=prompt,
        hotwords=tuple(hotword or ()),
    )
    with kept_input(files) as standard_input:
        recordings = find_recordings(files, standard_input)
        work = TranscriptFiles(recordings, options, tuple(format or ()), output, as_json)
        needs = [(Kind.ASR, model), *([(Kind.DIARIZE, None)] if options.diarize else [])]
        start(work.run, server, needs, config)
