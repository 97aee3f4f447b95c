"""The verbs of `audio-server` in groups, and the help that lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from speechmlx.cli import (
    bench,
    check,
    cluster,
    config,
    doctor,
    enhance,
    extras,
    key,
    listen,
    models,
    pull,
    respond,
    rm,
    run,
    serve,
    service,
    speak,
    talk,
    transcribe,
    version,
)

Verb = Callable[..., None] | typer.Typer
GROUPS: dict[str, dict[str, tuple[Verb, str]]] = {
    "Server": {
        "serve": (serve.serve, "Run the server. This is the default."),
        "service": (service.service, "Run it in the background, from login on."),
        "key": (key.key, "The keys that clients must send."),
        "cluster": (cluster.cluster, "Several Macs as one server."),
    },
    "Speech": {
        "transcribe": (transcribe.transcribe, "Recordings to text and subtitles."),
        "listen": (listen.listen, "The microphone to text, while you speak."),
        "speak": (speak.speak, "Text to sound."),
        "talk": (talk.talk, "A conversation with the microphone."),
        "respond": (respond.respond, "A spoken answer to a recorded question."),
        "enhance": (enhance.enhance, "Recordings with less noise."),
        "run": (run.run, "What a model does."),
        "bench": (bench.bench, "How fast this machine is."),
    },
    "Models": {
        "models": (models.models, "List the models, or tell about some of them."),
        "pull": (pull.pull, "Download models."),
        "rm": (rm.rm, "Delete downloaded models."),
        "check": (check.check, "Compare downloaded models with what was fetched."),
    },
    "This machine": {
        "doctor": (doctor.doctor, "Find out what is wrong, and what to do about it."),
        "config": (config.config, "Every setting, its value and its source; write the file."),
        "extras": (extras.extras, "Packages for more languages and for traces."),
        "version": (version.version, "Show the version."),
    },
}
"""Headings of the help; below each its verbs, with what the help says of them."""
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
                formatter.write_dl([(name, line) for name, (_, line) in verbs.items()])


def application() -> typer.Typer:
    """The command with all of its verbs."""
    app = typer.Typer(cls=VerbGroup, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=HELP_NAMES)
    app.callback()(_command)
    for verbs in GROUPS.values():
        for name, (verb, line) in verbs.items():
            if isinstance(verb, typer.Typer):
                app.add_typer(verb, name=name, short_help=line)
            else:
                app.command(name, short_help=line)(verb)
    return app


def names(app: typer.Typer) -> list[str]:
    """The names of the verbs."""
    commands = [command.name for command in app.registered_commands]
    return [name for name in [*commands, *(group.name for group in app.registered_groups)] if name]


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
