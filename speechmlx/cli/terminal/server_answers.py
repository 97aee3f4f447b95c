"""The errors that a server's answers tell, and connections that break."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from speechmlx.cli.terminal.servers import KEY_VARIABLE
from speechmlx.errors import BadRequest, Busy, EngineFailed, SpeechError, Unavailable


def check(answer: httpx.Response) -> None:
    """Raises the error that an answer tells: BadRequest, Busy, Unavailable or EngineFailed."""
    if answer.is_success:
        return
    status = answer.status_code
    message = error_text(answer.text) or f"the server answered {status}"
    if status in (401, 403):
        raise BadRequest(f"{message} (the key is read from {KEY_VARIABLE})")
    kinds: dict[int, type[SpeechError]] = {429: Busy, 503: Busy, 502: Unavailable, 507: Unavailable}
    raise kinds.get(status, BadRequest if status < 500 else EngineFailed)(message)


def error_text(body: str) -> str:
    """The message of an error of our routes or of OpenAI's; "" where there is none."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return body.strip()[:200]


@contextmanager
def server_errors() -> Iterator[None]:
    """A connection that fails or breaks off raises Unavailable."""
    try:
        yield
    except httpx.TransportError as error:
        raise Unavailable(f"the server broke the connection off: {error or type(error).__name__}") from error
