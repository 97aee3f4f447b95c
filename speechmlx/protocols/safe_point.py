"""SafePoint: what another server needs to go on with a live session, and which of the client's messages are done. Pure.

At a safe point everything that was heard up to a time is final and told. From there another server goes on: the client
sends again what came after it.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from speechmlx import __version__

if TYPE_CHECKING:
    from speechmlx.audio.live_format import AudioFormat

MAX_RECORD = 512 * 1024
"""Bytes of a record. A session that needs more is kept by its own server alone."""
MAX_TAIL = 64 * 1024
"""Characters of sent messages in a record: the client may not have got them."""
MAX_ENTRIES = 1024
"""Messages of the client that are told apart; with more, neighbours count as one."""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SafePoint:
    """A session up to `at` seconds of its audio."""

    query: str
    """Of the handshake, without keys."""
    opening: Json = field(default_factory=dict)
    """What the wire needs to begin besides the query."""
    received: int
    """Messages of the client that are done. It sends again what follows."""
    skip: int = 0
    """Bytes of audio after them that are done as well."""
    done: int = 0
    """Of the messages up to this one, only audio and what cuts it is left to do."""
    at: float
    items: tuple[str, ...] = ()
    """Turns that have begun later; they come again, with these ids."""
    sent: int
    """Messages of the server up to here."""
    confirmed: int = 0
    """Those that the client has for sure."""
    tail: tuple[str, ...] = ()
    """The last ones of `sent`."""
    state: Json
    """The wire's own."""
    cumulative: bool = False
    """Whether each message of the server has what those before it had, so that a client may miss some."""

    def dump(self) -> bytes:
        """The record, with a digest of it."""
        body = json.dumps({"version": __version__, **asdict(self)}).encode()
        return _digest(body) + b"\n" + body

    @classmethod
    def load(cls, data: bytes) -> SafePoint:
        """The safe point of a record. Raises ValueError where it is damaged or of another version."""
        digest, _, body = data.partition(b"\n")
        if digest != _digest(body):
            raise ValueError("the record is damaged")
        found = json.loads(body)
        if found.pop("version") != __version__ or found.keys() != {one.name for one in fields(cls)}:
            raise ValueError("the record is of another version")
        return cls(**{**found, "items": tuple(found["items"]), "tail": tuple(found["tail"])})


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def tail_of(messages: Sequence[object], shorten: Callable[[str], str] = str) -> tuple[str, ...]:
    """The last of the messages: as many as MAX_TAIL allows, up to one that is no text.

    Those are shortened that would not fit into its first half.
    """
    tail: deque[str] = deque()
    size = 0
    for message in reversed(messages):
        if isinstance(message, str) and size + len(message) > MAX_TAIL // 2:
            message = shorten(message)
        if not isinstance(message, str) or size + len(message) > MAX_TAIL:
            break
        size += len(message)
        tail.appendleft(message)
    return tuple(tail)


@dataclass
class _Entry:
    number: int
    end: int
    """Bytes of audio up to the end of this message."""
    commands: bool
    """Whether it has other commands than audio, which the session has to carry out."""


class ClientMessages:
    """The client's messages after a safe point, and where the audio of each ends. `format` is that of the audio.

    `at` seconds of audio are in the first `received` messages and `skip` bytes of the next ones.
    """

    def __init__(self, format: AudioFormat, received: int = 0, at: float = 0.0, skip: int = 0) -> None:
        self.number = received
        """Of the newest message."""
        self.format = format
        self._base = at
        """Seconds into the session at which the bytes count as 0."""
        self._start = -skip
        self._end = -skip
        self._received = received
        self._done = 0
        """Bytes up to the safe point."""
        self._carried_out = received
        self._entries: deque[_Entry] = deque()

    def add(self, audio: int, commands: bool) -> None:
        """The next message, with so many bytes of audio, and with other commands or not."""
        self.number += 1
        self._end += audio
        if not audio and not commands:
            return  # its bytes may be a part of the next message's audio
        self._entries.append(_Entry(self.number, self._end, commands))
        if len(self._entries) > MAX_ENTRIES:
            self._merge()

    def change_format(self, format: AudioFormat) -> bool:
        """The audio that follows has another format. False: what came before is not done, or the new one is unknown."""
        whole = self._end - self._end % self.format.width
        if format.encoding == "container" or self._done < whole:
            return False
        self._base += self._done / self.format.width / self.format.rate
        for entry in self._entries:
            entry.end = 0
        self._start = self._end = self._done = 0
        self.format = format
        return True

    def carried_out(self, number: int) -> None:
        """The session has carried out the commands of the messages up to this number."""
        self._carried_out = max(self._carried_out, number)

    def point(self, at: float) -> tuple[int, int, float]:
        """How many messages are done where all audio before `at` seconds is; the bytes after them; and the time.

        The time is that of a whole sample, at most that of all audio, and never before the last one.
        """
        frames = round((at - self._base) * self.format.rate)
        whole = self._end // self.format.width
        self._done = max(self._done, min(frames, whole) * self.format.width)
        while self._entries and self._is_done(self._entries[0]):
            entry = self._entries.popleft()
            self._received, self._start = entry.number, entry.end
        seconds = self._base + self._done / self.format.width / self.format.rate
        return self._received, max(0, self._done - self._start), seconds

    def _is_done(self, entry: _Entry) -> bool:
        return entry.end <= self._done and (entry.number <= self._carried_out or not entry.commands)

    def _merge(self) -> None:
        """Make one of two neighbours each: it is done when the later one is."""
        entries = list(self._entries)
        pairs = zip(entries[::2], entries[1::2], strict=False)
        merged = [_Entry(two.number, two.end, one.commands or two.commands) for one, two in pairs]
        self._entries = deque([*merged, *entries[len(merged) * 2 :]])
