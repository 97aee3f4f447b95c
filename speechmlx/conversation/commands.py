"""What a client tells a session. `ref` is the client's own name for the message, told back with an error."""

from __future__ import annotations

from dataclasses import dataclass

from speechmlx.conversation.events import Event
from speechmlx.conversation.items.item import Item
from speechmlx.conversation.settings import ResponseRequest, Settings


@dataclass(frozen=True, kw_only=True)
class Command:
    ref: str | None = None


@dataclass(frozen=True, kw_only=True)
class Configure(Command):
    """From now on `settings` count. `note` comes back with Configured."""

    settings: Settings
    note: object = None


@dataclass(frozen=True, kw_only=True)
class Append(Command):
    """The next bytes of audio, in the format of the settings; a sample may be cut in two."""

    audio: bytes


@dataclass(frozen=True, kw_only=True)
class Lapse(Command):
    """Audio has been missing for so long that who was speaking has stopped."""


@dataclass(frozen=True, kw_only=True)
class Commit(Command):
    """The audio since the last commit is a turn."""


@dataclass(frozen=True, kw_only=True)
class Flush(Command):
    """Commit every word of the turn under way up to now, and go on. Flushed follows the words."""


@dataclass(frozen=True, kw_only=True)
class Finish(Command):
    """No more input comes: process all of it, then end the events once everything was emitted."""


@dataclass(frozen=True, kw_only=True)
class Clear(Command):
    """Forget the audio since the last commit."""


@dataclass(frozen=True, kw_only=True)
class AddItem(Command):
    item: Item
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class RetrieveItem(Command):
    id: str


@dataclass(frozen=True, kw_only=True)
class DeleteItem(Command):
    id: str


@dataclass(frozen=True, kw_only=True)
class TruncateItem(Command):
    """The listener heard `seconds` of a spoken answer."""

    id: str
    seconds: float
    part: int = 0
    """Which part of the item it is."""


@dataclass(frozen=True, kw_only=True)
class Respond(Command):
    """Answer. `commits`: a turn still in the buffer is committed first when nothing else waits for an answer."""

    plan: ResponseRequest
    commits: bool = False


@dataclass(frozen=True, kw_only=True)
class Cancel(Command):
    """Stop the response called `response`, or the one of the conversation."""

    response: str | None = None


@dataclass(frozen=True, kw_only=True)
class Emit(Command):
    """The wire's own answer, in its place among the session's events."""

    event: Event
