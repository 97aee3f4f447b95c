"""docs/terminal.md: its commands are ones that the verbs take."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import typer

TEXT = (Path(__file__).parents[4] / "docs/terminal.md").read_text().partition("\n## State\n")[0]
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line: str) -> None:
    program, verb, *arguments = shlex.split(line, comments=True)
    assert program == "audio-server"
    app = typer.Typer(rich_markup_mode=None)
    app.command(verb)(getattr(import_module(f"speechmlx.cli.{verb}"), verb))
    typer.main.get_command(app).make_context(verb, arguments)


def test_every_verb_and_option_that_is_named_is_there() -> None:
    verbs = {"transcribe", "speak", "enhance", "respond", "listen", "talk", "run", "bench"}
    assert {shlex.split(line)[1] for line in COMMANDS} == verbs
    options = set()
    for verb in verbs:
        app = typer.Typer(rich_markup_mode=None)
        app.command(verb)(getattr(import_module(f"speechmlx.cli.{verb}"), verb))
        for parameter in typer.main.get_command(app).params:
            options |= set(parameter.opts)
    assert set(re.findall(r"`(--?[a-z]+)\b", TEXT)) - {"--help", "--config"} <= options
