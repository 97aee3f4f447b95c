"""The options that several verbs have, with one wording."""

from __future__ import annotations

from typing import Annotated

import typer

SERVER = "Use the server at this address; none: no server. [default: the one at the configured port, if it answers]"
Server = Annotated[str | None, typer.Option("--server", metavar="URL", help=SERVER)]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, an object on each line.")]
ModelName = Annotated[str | None, typer.Option("--model", "-m", help="Another model than the default.")]
SpokenLanguage = Annotated[
    str | None, typer.Option("--language", "-l", help="Language of the speech: de, de-AT, German. [default: detected]")
]
Translate = Annotated[bool, typer.Option("--translate", help="Translate into English.")]
Diarize = Annotated[bool, typer.Option("--diarize", help="Tell speakers apart.")]
Prompt = Annotated[str | None, typer.Option("--prompt", help="Text that may come before: style, names, spellings.")]
VoiceName = Annotated[str | None, typer.Option("--voice", help="A voice of the model, like af_heart.")]
