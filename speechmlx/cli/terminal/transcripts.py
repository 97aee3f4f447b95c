"""The work of `audio-server transcribe`: several recordings at once; results in their order, or in files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechmlx.cli.terminal.backend import Backend, HearingOptions
from speechmlx.cli.terminal.bars import FileBars
from speechmlx.cli.terminal.recordings import STANDARD, RecordingFile, check_targets, output_paths
from speechmlx.cli.terminal.running import FAILED, hint, json_line, tell
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.library.results import ENDINGS, write_file
from speechmlx.recognition import RecognitionResult
from speechmlx.transcript_formats import FORMATS, as_verbose, formatted

AT_ONCE = 8
"""Recordings that are recognised at once: so many fit in a batch."""
FILE_ENDINGS = {"text": ".txt", "verbose_json": ".json"}
"""Endings of the formats that are not called as their files end."""


class TranscriptFiles:
    """What is done to which recordings. Raises BadRequest for outputs that do not fit them."""

    def __init__(
        self,
        recordings: Sequence[RecordingFile],
        options: HearingOptions,
        formats: Sequence[str],
        output: str | None,
        as_json: bool,
    ) -> None:
        """`output` None: standard output. `as_json`: a line of JSON for each recording on standard output, too."""
        self._output = None if output == STANDARD else output
        self._formats = chosen_formats(formats, self._output, len(recordings), as_json)
        self._recordings = recordings
        self._options = options
        self._as_json = as_json
        self._paths = {} if self._output is None else self._places(self._output)
        self._texts: dict[int, str] = {}
        """What is to be written to standard output, by number of the recording."""
        self._next = 0
        self._failed = False

    async def run(self, backend: Backend) -> int:
        """Recognise all; the exit code. Errors of single recordings are told, and the others go on."""
        places = asyncio.Semaphore(AT_ONCE)
        with FileBars(len(self._recordings), "Transcribing") as bars:
            await asyncio.gather(
                *(self._one(backend, n, recording, bars, places) for n, recording in enumerate(self._recordings))
            )
        return FAILED if self._failed else 0

    async def _one(
        self, backend: Backend, number: int, recording: RecordingFile, bars: FileBars, places: asyncio.Semaphore
    ) -> None:
        async with places:
            bars.begin(recording.name)
            try:
                done: RecognitionResult | SpeechError = await backend.transcribe(
                    recording.path,
                    self._options,
                    turns="rttm" in self._formats,
                    on_progress=lambda part: bars.show(recording.name, part),
                )
            except SpeechError as error:
                done = error
        bars.end(recording.name)
        with bars.aside():
            try:
                self._write(number, recording, done)
            except SpeechError as error:
                self._failed = True
                self._texts[number] = ""
                tell(f"{recording.name}: {error}")
            self._print()

    def _write(self, number: int, recording: RecordingFile, result: RecognitionResult | SpeechError) -> None:
        """Write the files of a result, and keep what goes to standard output. Raises SpeechError."""
        if isinstance(result, SpeechError):
            raise result
        written = []
        for format, paths in self._paths.items():
            write_file(paths[number], formatted(result, format, recording.inner.stem).encode())
            written.append(str(paths[number]))
        if self._as_json:
            self._texts[number] = as_line(recording, result, written)
        elif written:
            self._texts[number] = ""
            hint(f"{recording.name} -> {', '.join(written)}")
        else:
            text = formatted(result, self._formats[0], recording.inner.stem)
            self._texts[number] = f"==> {recording.name} <==\n{text}\n" if len(self._recordings) > 1 else text

    def _print(self) -> None:
        """Write the texts whose turn it is to standard output."""
        while self._next in self._texts:
            print(self._texts.pop(self._next), end="", flush=True)
            self._next += 1

    def _places(self, output: str) -> dict[str, list[Path]]:
        """The files of each format."""
        places = {
            format: output_paths(self._recordings, output, FILE_ENDINGS.get(format, f".{format}"))
            for format in self._formats
        }
        check_targets(self._recordings, [path for paths in places.values() for path in paths])
        return places


def chosen_formats(formats: Sequence[str], output: str | None, files: int, as_json: bool) -> tuple[str, ...]:
    """The formats to write; where none is named, that of the output's name, else text. Raises BadRequest."""
    for format in formats:
        if format not in FORMATS:
            raise BadRequest(f"there is no format {format!r:.80} of transcripts; the formats are {', '.join(FORMATS)}")
    if output is not None and not formats:
        ending = Path(output).suffix.lower()
        named = ENDINGS.get(ending, ending.removeprefix("."))
        return (named if named in FORMATS else "text",)
    if output is None and (len(formats) > 1 or (files > 1 and formats not in ((), ("text",)) and not as_json)):
        raise BadRequest("several results are written to files: add -o FOLDER/")
    return tuple(dict.fromkeys(formats)) or ("text",)


def as_line(recording: RecordingFile, result: RecognitionResult, written: Sequence[str]) -> str:
    """A result as a line of JSON."""
    granularities = ("segment", "word") if result.words else ("segment",)
    value: dict[str, Any] = {"file": recording.name, **as_verbose(result, granularities)}
    if written:
        value["written"] = list(written)
    return json_line(value)
