"""`audio-server speak`: text into sound that is played or written while it is made; or how it would be read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from speechmlx.cli.options import SettingsFile
from speechmlx.cli.terminal.options import Json, ModelName, Server, VoiceName

STANDARD_INPUT = "-"
OUTPUT_HELP = "File: wav, mp3, opus, aac, flac, pcm; - WAV to standard output. [default: played]"


def speak(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="The text; - for standard input.")],
    output: Annotated[str | None, typer.Option("--output", "-o", help=OUTPUT_HELP)] = None,
    voice: VoiceName = None,
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="How it is read: en-gb, French. [default: the voice's]")
    ] = None,
    speed: Annotated[float, typer.Option(help="From 0.25 to 4.")] = 1.0,
    model: ModelName = None,
    as_json: Json = False,
    server: Server = None,
    config: SettingsFile = None,
    words: Annotated[bool, typer.Option("--words", help="Print each text's words as they are read; no sound.")] = False,
    phonemes: Annotated[bool, typer.Option("--phonemes", help="Print each text's phonemes; no sound.")] = False,
    captions: Annotated[Path | None, typer.Option(help="Write subtitles as well: a file .srt or .vtt.")] = None,
    lexicon: Annotated[
        Path | None, typer.Option(help="Lexicon for --words and --phonemes. [default: the settings' one]")
    ] = None,
) -> None:
    """Speak a text. It is played, or written to a file, while it is made."""
    from speechmlx.errors import BadRequest

    if words and phonemes:
        raise BadRequest("speak prints how texts would be read: give one of --words and --phonemes")
    if words or phonemes:
        if captions is not None:
            raise BadRequest("--captions goes with sound: leave --words and --phonemes out")
        return print_reading(texts, words, language, lexicon)
    if STANDARD_INPUT in texts and len(texts) > 1:
        raise BadRequest(f"{STANDARD_INPUT} is standard input: give it alone, or give a text")
    if lexicon is not None:
        raise BadRequest("--lexicon goes with --words and --phonemes; for sound, set lexicon in the settings")
    from speechmlx.cli.terminal.backend import SpeakingOptions
    from speechmlx.cli.terminal.sound_work import SpokenTexts
    from speechmlx.cli.terminal.start import start
    from speechmlx.types import Kind

    options = SpeakingOptions(model=model, voice=voice, language=language, speed=speed)
    text = None if STANDARD_INPUT in texts else " ".join(texts)
    start(SpokenTexts(text, options, output, as_json, captions).run, server, [(Kind.TTS, model)], config)


def print_reading(texts: Sequence[str], words: bool, language: str | None, lexicon: Path | None) -> None:
    """Print how texts would be read: their words in small letters without marks, or their phonemes. Raises SpeechError.

    No model is loaded.
    """
    from speechmlx import languages
    from speechmlx.config_sources import load
    from speechmlx.errors import BadRequest

    if language is not None and languages.match(language, languages.NAMES) is None:
        raise BadRequest(f"{language!r:.80} is no language; write a code or a name, like en-gb, fr or Spanish")
    from speechmlx.reading.entries import read_lexicon
    from speechmlx.reading.preview import phonemes_of, words_of

    file = lexicon or load({}, os.environ).lexicon
    entries = read_lexicon(file) if file else ()
    read = words_of if words else phonemes_of
    for text in _lines(texts, sys.stdin):
        typer.echo(read(text, language, entries))


def _lines(texts: Iterable[str], standard_input: Iterable[str]) -> Iterator[str]:
    """The texts, with the lines of standard input in place of STANDARD_INPUT."""
    for text in texts:
        if text == STANDARD_INPUT:
            yield from (line.rstrip("\r\n") for line in standard_input)
        else:
            yield text
