"""`audio-server` as an application of typer: a verb is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from speechmlx.cli.verb_list import GROUPS, VERBS

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class VerbGroup(TyperGroup):
    """The command itself: its help has the verbs under their headings."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write how the command is called."""
        formatter.write_usage(ctx.command_path, "[VERB] [OPTIONS]")

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the verbs, each with its line."""
        for heading, verbs in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl(list(verbs.items()))

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the verbs."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb of that name, imported now; None for a word that is none."""
        return command(cmd_name) if cmd_name in VERBS else None


def command(name: str) -> Any:
    """Import a verb and make it a command."""
    verb = getattr(import_module(f"speechmlx.cli.{name}"), name)
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    if isinstance(verb, typer.Typer):
        app.add_typer(verb, name=name, short_help=VERBS[name])
        group: Any = typer.main.get_group(app)
        return group.commands[name]
    app.command(name, short_help=VERBS[name])(verb)
    return typer.main.get_command(app)


def application() -> typer.Typer:
    """The command with all of its verbs."""
    app = typer.Typer(cls=VerbGroup, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=HELP_NAMES)
    app.callback()(_command)
    return app


def _show_version(requested: bool) -> None:
    if requested:
        from speechmlx import __version__

        typer.echo(__version__)
        raise typer.Exit


def _command(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", "-v", is_eager=True, callback=_show_version, help="Show the version and exit."),
    ] = False,
) -> None:
    """A speech server for your own machine. Without a verb it serves; it takes the flags of `serve` then.

    audio-server VERB --help tells the options of a verb.
    """
