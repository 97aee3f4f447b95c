"""`audio-server enhance`: recordings with less noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechmlx.cli.options import SettingsFile
from speechmlx.cli.terminal.options import Json, ModelName, Server

if TYPE_CHECKING:
    from speechmlx.cli.terminal.recordings import RecordingFile

Files = Annotated[list[str], typer.Argument(metavar="FILES...", help="Recordings, folders, globs; - standard input.")]
OUTPUT_HELP = "File or folder; - WAV to standard output. [default: NAME-enhanced.wav beside each recording]"
FORMAT_HELP = "wav, mp3, opus, aac or flac, where -o names no file."


def enhance(
    files: Files,
    output: Annotated[str | None, typer.Option("--output", "-o", help=OUTPUT_HELP)] = None,
    format: Annotated[str, typer.Option("--format", "-f", help=FORMAT_HELP)] = "wav",
    model: ModelName = None,
    as_json: Json = False,
    server: Server = None,
    config: SettingsFile = None,
) -> None:
    """Reduce the noise of recordings."""
    from speechmlx.cli.terminal.recordings import find_recordings, kept_input
    from speechmlx.cli.terminal.sound_work import EnhancedFiles
    from speechmlx.cli.terminal.start import start
    from speechmlx.types import Kind

    with kept_input(files) as standard_input:
        recordings = find_recordings(files, standard_input)
        work = EnhancedFiles(recordings, enhanced_paths(recordings, output, format), model, as_json)
        start(work.run, server, [(Kind.ENHANCE, model)], config)


def enhanced_paths(recordings: Sequence[RecordingFile], output: str | None, format: str) -> list[Path | str]:
    """Where each recording's sound is written. Raises BadRequest."""
    from speechmlx.cli.terminal.recordings import STANDARD, check_targets, output_paths
    from speechmlx.cli.terminal.sound_file import format_of
    from speechmlx.errors import BadRequest

    if output == STANDARD:
        if len(recordings) > 1:
            raise BadRequest(f"the sounds of {len(recordings)} recordings are written to files: add -o FOLDER/")
        return [STANDARD]
    ending = f".{format.lower().removeprefix('.')}"
    format_of(f"sound{ending}")
    if output is None:
        paths = [file.path.with_name(f"{file.inner.stem}-enhanced{ending}") for file in recordings]
        if any(file.inner.name == "stdin" for file in recordings):
            raise BadRequest("what comes from standard input is written where -o says")
        check_targets(recordings, paths)
    else:
        paths = output_paths(recordings, output, ending)
    for path in paths:
        format_of(str(path))
    return list(paths)
