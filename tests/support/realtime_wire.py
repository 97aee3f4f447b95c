"""OpenAI's realtime wire without a socket: messages in, commands and sessions out."""

from __future__ import annotations

import json
from typing import Any

from speechmlx.conversation import commands as do
from speechmlx.conversation import events as say
from speechmlx.protocols.openai_realtime.schema import Dialect
from speechmlx.protocols.openai_realtime.wire import RealtimeWire

Json = dict[str, Any]


def wire(dialect: Dialect = "ga", transcribes: bool = False) -> RealtimeWire:
    """A new wire."""
    return RealtimeWire(dialect, "local", transcribes, 1_000_000)


def read_command(on: RealtimeWire, message: Json | str | bytes) -> Any:
    """The one command of a message."""
    text = json.dumps(message) if isinstance(message, dict) else message
    (command,) = on.receive(text)
    return command


def read_session(on: RealtimeWire, command: do.Configure) -> Json:
    """The session of the message that follows an update."""
    (sent,) = on.send(say.Configured(command.note))
    session: Json = json.loads(sent)["session"]
    return session


def read_error(on: RealtimeWire, message: Json | str | bytes) -> Json:
    """The error that a refused message gets."""
    command = read_command(on, message)
    assert isinstance(command, do.Emit), command
    (sent,) = on.send(command.event)
    error: Json = json.loads(sent)["error"]
    return error


def update(**session: Any) -> Json:
    """A session.update."""
    return {"type": "session.update", "session": session}
