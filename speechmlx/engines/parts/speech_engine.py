"""What engines that speak share: their open requests, the memory that these claim, and what each has told so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines import Room
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.parts.last_events import last_events
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import Chunk, Command, End, Event, FeedText, FlushText, Request, Speak, SpeakStream

if TYPE_CHECKING:
    from speechmlx.types import Samples

Coming = TypeVar("Coming")


@dataclass(eq=False, kw_only=True)
class SpokenRequest:
    """A request for speech, and what was said of it."""

    rate: int
    """Hz of its sound."""
    finished: bool = False
    hearing: Generator[Any, None, Any] | None = None
    """Hears the recording that is imitated."""
    samples: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cut_off: bool = False
    """Speech of it did not end by itself."""

    def feed(self, text: str) -> None:
        """More of the text. Raises BadRequest for one that cannot be read."""
        raise NotImplementedError

    def end(self) -> None:
        """No more of it comes. Raises BadRequest as `feed` does."""
        raise NotImplementedError

    def listen(self) -> None:
        """One step of hearing the recording."""
        assert self.hearing is not None
        try:
            next(self.hearing)
        except StopIteration as heard:
            self.hearing = None
            self.hear(heard.value)

    def hear(self, found: Any) -> None:
        """Take what was heard of the recording."""
        raise NotImplementedError

    @property
    def is_over(self) -> bool:
        """Whether all was said that was to be said."""
        raise NotImplementedError

    def as_chunk(self, samples: Samples) -> Chunk:
        """Samples [n] as a chunk of sound, which is counted."""
        self.samples += len(samples)
        return Chunk(to_pcm16(samples), self.rate)

    def silence(self, seconds: float) -> Chunk:
        """Nothing is heard for so long."""
        return self.as_chunk(np.zeros(round(seconds * self.rate), np.float32))

    def closing(self) -> list[Event]:
        """The last events, once all is said: a short silence where nothing was, and the usage. [] before that."""
        if not self.is_over:
            return []
        self.finished = True
        counts = {"tokens_in": self.tokens_in, "tokens_out": self.tokens_out, "cut_off": self.cut_off}
        return last_events(self.samples, self.rate, **counts)


@dataclass(eq=False, kw_only=True)
class PiecedRequest(SpokenRequest, Generic[Coming]):
    """Its text, which may still arrive, is said piece by piece."""

    is_ended: bool = False
    """No more text comes."""
    _rest: str = ""
    """The sentence that is being written."""
    _coming: deque[Coming] = field(default_factory=deque)
    """What is not begun."""

    def cut(self, text: str) -> Iterator[Any]:
        """`text` in pieces. Raises BadRequest, as they are taken, for one that cannot be read."""
        raise NotImplementedError

    @property
    def is_quiet(self) -> bool:
        """Whether all that was begun was heard."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether there is something to do on the text so far."""
        return not self.finished and bool(self._coming or self.is_ended or not self.is_quiet)

    @property
    def is_over(self) -> bool:
        return self.is_ended and not self._coming and self.is_quiet


@runtime_checkable
class Flushable(Protocol):
    """A request that can say its text so far to its end."""

    def flush(self) -> None:
        """Say that, and tell so. Raises BadRequest as `feed` does."""


State = TypeVar("State", bound=SpokenRequest)


class SpeechEngine(Generic[State]):
    """Begins `Speak` and `SpeakStream`, feeds them and ends them. How they are stepped, each engine says for itself."""

    name: str
    """What errors call it."""

    def __init__(self, nbytes: int, max_batch: int) -> None:
        """`nbytes`: of all weights."""
        self.room: Room = Unlimited()
        self.nbytes = nbytes
        self.max_batch = self.max_open = max_batch
        self._open: list[State] = []

    @property
    def held(self) -> int:
        """Bytes of the open requests at their full length."""
        return self._bytes(self._open)

    def _bytes(self, states: Sequence[State]) -> int:
        """Bytes of these requests at their full length."""
        raise NotImplementedError

    def begin(self, request: Request) -> State:
        """Raises UnknownVoice, Unsupported and BadRequest for what cannot be, Busy where memory is held by others."""
        if not isinstance(request, Speak | SpeakStream):
            raise Unsupported(f"{self.name} speaks; it cannot {type(request).__name__.lower()}")
        if isinstance(request, Speak) and not request.text.strip():
            raise BadRequest("there is no word in the text")
        state = self._state(request)
        self._claim(state)
        self._open.append(state)
        return state

    def _state(self, request: Speak | SpeakStream) -> State:
        """The state of a request, with its text so far."""
        raise NotImplementedError

    def _claim(self, state: State) -> None:
        """Claim memory for one more request. What is only kept goes first."""
        if (needed := self._bytes([state])) > self.room.most:
            raise BadRequest(
                f"the text needs {needed / 1e6:.0f} MB beside the model, and its requests may have "
                f"{max(0, self.room.most) / 1e6:.0f} MB (--memory-limit)"
            )
        more = self._bytes([*self._open, state]) - self._bytes(self._open)
        if more > self.room.free:
            self.forget_voices()
        self.room.claim(self.held + more)

    def forget_voices(self) -> None:
        """Forget what was heard of recordings, where that is held."""

    def feed(self, state: State, command: Command) -> None:
        """More text, its end, or that what there is of it is to be said."""
        if isinstance(command, FeedText):
            state.feed(command.text)
        elif isinstance(command, End):
            state.end()
        elif isinstance(command, FlushText) and isinstance(state, Flushable):
            state.flush()
        else:
            raise Unsupported(f"{self.name} does not take {type(command).__name__} commands")

    def end(self, state: State) -> None:
        """Free what the request holds."""
        state.finished = True
        self._open.remove(state)  # nothing is claimed for it, whatever fails behind this
        if state.hearing is not None:
            state.hearing.close()
        state.hearing = None
