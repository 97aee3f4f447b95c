"""`audio-server speak`: print how texts would be read, without a voice."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

STANDARD_INPUT = "-"


def speak(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Texts; - for the lines of standard input.")],
    words: Annotated[bool, typer.Option("--words", help="Print the words of each text, on a line.")] = False,
    phonemes: Annotated[bool, typer.Option("--phonemes", help="Print the phonemes of each text, on a line.")] = False,
    language: Annotated[str | None, typer.Option(help="A code or a name: en-gb, French. [default: en-us]")] = None,
    lexicon: Annotated[Path | None, typer.Option(help="Lexicon. [default: that of the settings]")] = None,
) -> None:
    """Print how texts would be read: --words in small letters without marks, or --phonemes. No model is loaded."""
    from speechmlx import languages
    from speechmlx.config import load
    from speechmlx.errors import BadRequest

    if words == phonemes:
        raise BadRequest("speak prints how texts would be read: give one of --words and --phonemes")
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
