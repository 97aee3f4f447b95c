"""The command `audio-server`. Each verb is a module; the default verb is `serve`."""

from __future__ import annotations

import sys
from collections.abc import Callable


def main() -> None:
    """Entry point of the command. A SpeechError ends it with a message on standard error and status 2."""
    import typer

    from speechmlx.cli import check, cluster, key, models, pull, rm, serve, speak
    from speechmlx.errors import SpeechError

    verbs: dict[str, Callable[..., None]] = {
        "serve": serve.serve,
        "models": models.models,
        "pull": pull.pull,
        "check": check.check,
        "rm": rm.rm,
        "speak": speak.speak,
    }
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    for name, verb in verbs.items():
        app.command(name)(verb)
    app.add_typer(key.key, name="key")
    app.add_typer(cluster.cluster, name="cluster")
    arguments = _with_values(sys.argv[1:])
    if not arguments or arguments[0] not in (*verbs, "key", "cluster"):
        arguments.insert(0, "serve")
    try:
        app(arguments)
    except SpeechError as error:
        sys.stderr.write(f"audio-server: {error}\n")
        raise SystemExit(2) from None


def _with_values(arguments: list[str]) -> list[str]:
    """The arguments, with the value "on" after a --wyoming that has none."""
    given: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=True):
        given.append(argument)
        if argument == "--wyoming" and following.startswith("-"):
            given.append("on")
    return given
