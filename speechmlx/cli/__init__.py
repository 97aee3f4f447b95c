"""The command `audio-server`. Each verb is a module; the default verb is `serve`.

Exit status: 0 done; 1 something failed or is wrong, which standard error or the output names; 2 a wrong argument or
setting; 75 the server cannot start or go on now, and may when it is started again; 130 Ctrl-C. As an agent of launchd a
server ends with 0 where a setting is wrong: launchd starts again what ends otherwise.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.errors import SpeechError

OWN_FLAGS = ("-h", "--help", "-V", "-v", "--version", "--install-completion", "--show-completion")
"""Flags of the command itself. Another flag in the first place is one of `serve`."""
OTHER_WORDS = {
    "list": "models",
    "ls": "models",
    "ps": "service status",
    "remove": "rm",
    "delete": "rm",
    "download": "pull",
    "fetch": "pull",
    "start": "serve",
    "diagnose": "doctor",
    "settings": "config",
    "say": "speak",
    "tts": "speak",
    "asr": "transcribe",
    "stt": "transcribe",
}
"""What people type from other programs, and the verb for it here."""


def main() -> None:
    """Entry point of the command. An error ends it with a message on standard error, and its status."""
    from speechmlx.cli.verb_list import VERBS
    from speechmlx.errors import SpeechError, TemporaryFailure
    from speechmlx.optional_packages import use

    use(os.environ)
    arguments = list[str]()
    try:
        arguments = with_verb(sys.argv[1:], VERBS)
        _run(arguments)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except SpeechError as error:
        sys.stderr.write(f"audio-server: {error}\n")
        raise SystemExit(_status(error, arguments)) from None
    except TemporaryFailure as error:
        sys.stderr.write(f"audio-server: {error}\n")
        raise SystemExit(os.EX_TEMPFAIL) from None


def _status(error: SpeechError, arguments: list[str]) -> int:
    """The exit status. What the system refused, such as a file or a name, may be there later; a wrong value stays."""
    from speechmlx.errors import BadRequest
    from speechmlx.service_manager import started_by

    if not isinstance(error, BadRequest):
        return 1
    stays = arguments[:1] == ["serve"] and not isinstance(error.__cause__, OSError)
    return 0 if stays and started_by(os.environ) == "launchd" else 2


def _run(arguments: list[str]) -> None:
    """Run a verb. What serves imports only what serving needs."""
    verb, *rest = arguments
    if verb == "serve":
        from speechmlx.cli.quick_serve import serve_plainly

        if serve_plainly(rest, os.environ):
            return
    from speechmlx.cli.verbs import application

    application()(arguments)


def with_verb(arguments: list[str], verbs: Iterable[str]) -> list[str]:
    """The arguments with a verb in the first place. Raises BadRequest for a word that is none.

    `help VERB` is `VERB --help`. A --wyoming without a value gets the value "on".
    """
    if not arguments:
        return ["serve"]
    first, *rest = arguments
    if first == "help":
        return with_verb([*rest, "--help"], verbs) if rest else ["--help"]
    if first in OWN_FLAGS:
        return arguments
    if first.startswith("-"):
        first, rest = "serve", arguments
    known = list(verbs)
    if first not in known:
        from speechmlx.errors import BadRequest
        from speechmlx.names import nearest

        other = OTHER_WORDS.get(first, "")
        meant = other if other.partition(" ")[0] in known else nearest(first, known)[0]
        raise BadRequest(f"there is no verb {first!r}; did you mean {meant}? `audio-server --help` lists the verbs")
    return [first, *(_with_values(rest) if first in ("serve", "config") else rest)]


def _with_values(arguments: list[str]) -> list[str]:
    """The arguments, with the value "on" after a --wyoming that has none."""
    given: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=False):
        given.append(argument)
        if argument == "--wyoming" and following.startswith("-"):
            given.append("on")
    return given
