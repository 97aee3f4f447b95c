"""`audio-server service`: the server as a service of the user, by launchd or systemd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from speechmlx.service import ServiceControl

FOLDERS = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
"""Variables of this shell that a service always has too: they say where settings, models and jobs are."""

service = typer.Typer(
    help="The server in the background, from login on: a launchd agent on macOS, a systemd user unit on Linux. "
    "What Homebrew installed can be run by `brew services` in its place.",
    no_args_is_help=True,
)


@service.command()
def install(
    config: Annotated[Path | None, typer.Option(help="Settings file, in place of the default one.")] = None,
    socket: Annotated[
        bool, typer.Option("--socket", help="The system listens, and starts the server at the first connection.")
    ] = False,
    env: Annotated[
        list[str] | None, typer.Option(help="NAME of a variable to take along, like HF_ENDPOINT. Can be given again.")
    ] = None,
) -> None:
    """Write the service, and start it now and at each login. Run it again to change its options."""
    from speechmlx.config import PREFIX
    from speechmlx.config_sources import load
    from speechmlx.errors import BadRequest
    from speechmlx.service.definition import ServiceDefinition, own_command, search_path

    if missing := [name for name in env or [] if name not in os.environ]:
        raise BadRequest(f"--env {missing[0]}: this shell has no such variable")
    file = config.absolute() if config else None
    taken = {name: os.environ[name] for name in (*FOLDERS, *(env or [])) if name in os.environ}
    settings = load({}, {"HOME": str(Path.home()), **taken}, file)  # as the service will read them: errors come now
    if socket and not settings.port:
        raise BadRequest("port is 0, which is any free one; --socket needs a port")
    command = own_command(sys.argv[0])
    definition = ServiceDefinition(
        (command, "serve", *(["--config", str(file)] if file else [])),
        {"PATH": search_path(command), **taken},
        (settings.host, settings.port) if socket else None,
    )
    _print(_control().install(definition))
    typer.echo(f"Address: {settings.host}:{settings.port}")
    if left := sorted(name for name in os.environ if name.startswith(PREFIX) and name not in taken):
        typer.echo(f"Only this shell has {', '.join(left)}: put that into the settings file, or use --env.", err=True)


@service.command()
def uninstall() -> None:
    """Stop the server and remove the service. Models, settings and logs stay."""
    _print(_control().uninstall())


@service.command()
def start() -> None:
    """Start the server."""
    _print(_control().start())


@service.command()
def stop() -> None:
    """Stop the server, until the next start or login. Running requests get `drain_timeout` to end."""
    _print(_control().stop())


@service.command()
def restart() -> None:
    """Stop the server where it runs, and start it: after a change of the settings."""
    _print(_control().restart())


@service.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object, for programs.")] = False,
) -> None:
    """Tell whether the server runs. Exit status 0: it runs; 3: it does not; 4: there is no service."""
    from dataclasses import asdict

    now = _control().status()
    if as_json:
        typer.echo(json.dumps({**asdict(now), "file": str(now.file)}))
    elif not now.installed:
        typer.echo("There is no service; `audio-server service install` makes it")
    elif now.running:
        typer.echo(f"Running, process {now.pid}")
    else:
        typer.echo("Not running" + (f"; {now.end}" if now.end else ""))
        if now.said:
            typer.echo("Mend that, then `audio-server service start`")
    if not as_json:
        if now.installed:
            typer.echo(f"File: {now.file}")
        if now.other:
            typer.echo(f"Homebrew has a service too: {now.other}; see `brew services info speechmlx`")
    if not now.running:
        raise typer.Exit(3 if now.installed else 4)


@service.command()
def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show new lines until Ctrl-C.")] = False,
) -> None:
    """Show the log of the service."""
    from speechmlx.errors import BadRequest

    command = _control().log_command(lines, follow)
    try:
        raise typer.Exit(subprocess.run(command).returncode)
    except FileNotFoundError:
        raise BadRequest(f"{command[0]} was not found; it shows the log of the service") from None
    except KeyboardInterrupt:
        raise typer.Exit from None


def _control() -> ServiceControl:
    from speechmlx.service import control

    return control(os.environ)


def _print(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)
