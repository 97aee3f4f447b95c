"""What the log tells of one request or session, gathered by every part that works on it, and the ids in its lines."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

MAX_MODELS = 16
"""Models that a line names."""
MAX_TRANSCRIPT = 8000
"""Characters of speech that a line holds, where transcripts are logged."""


def new_id() -> str:
    """An id for a request that came with none."""
    return f"req_{random.getrandbits(96):024x}"


class RequestRecord:
    """One request, or one session on a socket. Tasks that work on it find it with `current`. Times are monotonic."""

    def __init__(self, id: str, with_transcript: bool = False) -> None:
        self.id = id
        self.started = time.monotonic()
        self.with_transcript = with_transcript
        """Whether what was recognised is logged."""
        self.key: str | None = None
        """Name of the key that it came with."""
        self.wire: str | None = None
        """The protocol."""
        self.route: str | None = None
        """The path with names in place of its parts, like /v1/models/{model}."""
        self.models: list[str] = []
        self.audio_in = self.audio_out = 0.0
        """Seconds of sound that came, and that engines made."""
        self.first_audio: float | None = None
        """Seconds from the start to the first sound that an engine made."""
        self.error: str | None = None
        """The code of the last error."""
        self.errors = 0
        self.trace_id = ""
        self._heard: list[str] = []
        self._heard_length = 0

    def use(self, model: str) -> None:
        """A job of it runs on `model`."""
        if model not in self.models and len(self.models) < MAX_MODELS:
            self.models.append(model)

    def made(self, seconds: float) -> None:
        """An engine made so much sound."""
        if self.first_audio is None:
            self.first_audio = time.monotonic() - self.started
        self.audio_out += seconds

    def failed(self, code: str) -> None:
        """The client is told of an error."""
        self.error = code
        self.errors += 1

    def heard(self, text: str) -> None:
        """This was recognised. Kept only where transcripts are logged."""
        if self.with_transcript and self._heard_length < MAX_TRANSCRIPT:
            self._heard.append(text[: MAX_TRANSCRIPT - self._heard_length])
            self._heard_length += len(text)

    @property
    def transcript(self) -> str | None:
        """What was recognised; None where that is not logged."""
        return "".join(self._heard).strip() if self.with_transcript else None


_current: ContextVar[RequestRecord | None] = ContextVar("speechmlx.record", default=None)
_named: ContextVar[Sequence[str]] = ContextVar("speechmlx.named", default=())


def current() -> RequestRecord | None:
    """What the running task works on; None outside of a request."""
    return _current.get()


def note_error(code: str) -> None:
    """The client of the current request is told of an error."""
    if (record := _current.get()) is not None:
        record.failed(code)


@contextmanager
def recording(record: RequestRecord) -> Iterator[RequestRecord]:
    """What runs in the block, and the tasks that it starts, work on `record`."""
    token = _current.set(record)
    try:
        yield record
    finally:
        _current.reset(token)


@contextmanager
def naming(ids: Sequence[str]) -> Iterator[None]:
    """Lines that are logged in the block are about these requests. A batch works for several at once."""
    token = _named.set(ids)
    try:
        yield
    finally:
        _named.reset(token)


def request_ids() -> str:
    """The ids that a line logged now should hold, with commas between; "" outside of a request."""
    if ids := _named.get():
        return ",".join(dict.fromkeys(id for id in ids if id))
    record = _current.get()
    return "" if record is None else record.id
