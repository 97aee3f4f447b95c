"""The commands of a session. Each takes effect after those sent before it."""

from __future__ import annotations

from dataclasses import dataclass

from speechmlx.conversation.events import Event
from speechmlx.conversation.items.item import Item
from speechmlx.conversation.settings import ResponseRequest, Settings


@dataclass(frozen=True, kw_only=True)
class Command:
    """`ref`: the client's own id of its message. It comes back with the error of this command."""

    ref: str | None = None
    nbytes: int = 0
    """Length of the message that it came in."""


@dataclass(frozen=True, kw_only=True)
class Configure(Command):
    """Use `settings` from the next audio on. `note` comes back with Configured."""

    settings: Settings
    note: object = None


@dataclass(frozen=True, kw_only=True)
class Append(Command):
    """The next bytes of audio, in the format of the settings; a sample may be cut in two."""

    audio: bytes


@dataclass(frozen=True, kw_only=True)
class Lapse(Command):
    """Audio has been missing for long: end the turn under way, as silence would."""


@dataclass(frozen=True, kw_only=True)
class Commit(Command):
    """End the turn: it is the audio since the last commit. Refused with TooShort."""


@dataclass(frozen=True, kw_only=True)
class Flush(Command):
    """Commit every word of the turn under way up to now, and go on. Flushed follows the words."""


@dataclass(frozen=True, kw_only=True)
class Finish(Command):
    """No more input comes: process all of it, then end the events once everything was emitted."""


@dataclass(frozen=True, kw_only=True)
class Clear(Command):
    """Drop the audio since the last commit. Cleared follows."""


@dataclass(frozen=True, kw_only=True)
class NumberedCommand(Command):
    """A command that must not be carried out twice. `number`: of the client's message, where somebody counts them.

    Settled comes with that number right before the first event of the command. 0: it does not.
    """

    number: int = 0


@dataclass(frozen=True, kw_only=True)
class AddItem(NumberedCommand):
    """Insert `item` after the item `after` ("root": first; None: last)."""

    item: Item
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class RetrieveItem(Command):
    """Emit ItemRetrieved with the item `id`."""

    id: str


@dataclass(frozen=True, kw_only=True)
class DeleteItem(NumberedCommand):
    """Remove the item `id`."""

    id: str


@dataclass(frozen=True, kw_only=True)
class TruncateItem(NumberedCommand):
    """Cut a spoken answer to its first `seconds`: the listener interrupted it there."""

    id: str
    seconds: float
    part: int = 0
    """Index of the item's part."""


@dataclass(frozen=True, kw_only=True)
class CreateResponse(NumberedCommand):
    """Start a response. `commits`: first commit the audio in the buffer, unless something else waits for an answer."""

    plan: ResponseRequest
    commits: bool = False


@dataclass(frozen=True, kw_only=True)
class Cancel(NumberedCommand):
    """Stop the response `response`, or that of the conversation."""

    response: str | None = None


@dataclass(frozen=True, kw_only=True)
class Mark(Command):
    """Tell with Settled what is done: now, and before each turn and transcript. `number` comes back with it."""

    number: int


@dataclass(frozen=True, kw_only=True)
class Emit(Command):
    """Emit an event of the wire itself, in order with the session's events."""

    event: Event


@dataclass(frozen=True, kw_only=True)
class ToChannel(Command):
    """A command for channel number `channel` alone, of a stream whose channels are transcribed one by one."""

    channel: int
    command: Command
