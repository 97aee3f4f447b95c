"""The command `audio-server`. Each verb is a module; the default verb is `serve`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def main() -> None:
    """Entry point of the command. A SpeechError ends it with a message on standard error and status 1 or 2."""
    import typer

    from speechmlx.cli import cluster, extras, key, service
    from speechmlx.errors import BadRequest, SpeechError
    from speechmlx.optional_packages import use

    use(os.environ)

    verbs = _verbs()
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    for name, verb in verbs.items():
        app.command(name)(verb)
    app.add_typer(key.key, name="key")
    app.add_typer(cluster.cluster, name="cluster")
    app.add_typer(service.service, name="service")
    app.add_typer(extras.extras, name="extras")
    arguments = _with_values(sys.argv[1:]) or ["serve"]
    others = ("key", "cluster", "service", "extras", "--install-completion", "--show-completion")
    if arguments[0] not in (*verbs, *others):
        arguments.insert(0, "serve")
    try:
        app(arguments)
    except SpeechError as error:
        sys.stderr.write(f"audio-server: {error}\n")
        raise SystemExit(2 if isinstance(error, BadRequest) else 1) from None


def _verbs() -> dict[str, Callable[..., None]]:
    """The verbs without verbs of their own."""
    from speechmlx.cli import (
        bench,
        check,
        enhance,
        listen,
        models,
        pull,
        respond,
        rm,
        run,
        serve,
        speak,
        talk,
        transcribe,
    )

    return {
        "serve": serve.serve,
        "models": models.models,
        "pull": pull.pull,
        "check": check.check,
        "rm": rm.rm,
        "transcribe": transcribe.transcribe,
        "listen": listen.listen,
        "speak": speak.speak,
        "talk": talk.talk,
        "respond": respond.respond,
        "enhance": enhance.enhance,
        "run": run.run,
        "bench": bench.bench,
    }


def _with_values(arguments: list[str]) -> list[str]:
    """The arguments, with the value "on" after a --wyoming that has none."""
    given: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=False):
        given.append(argument)
        if argument == "--wyoming" and following.startswith("-"):
            given.append("on")
    return given
