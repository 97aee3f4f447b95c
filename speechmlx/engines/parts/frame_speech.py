"""One request to an engine that speaks in frames: its place in the batch, its sound on its way, and what was said."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from speechmlx.engines.finite import NotFinite
from speechmlx.engines.parts.batch_places import DrawnFrame, PlacedRow
from speechmlx.engines.parts.launched import Launched
from speechmlx.engines.parts.speech_engine import PiecedRequest, SpokenRequest
from speechmlx.reading.sentences import finished as whole_sentences
from speechmlx.types import Chunk, Event

if TYPE_CHECKING:
    from speechmlx.types import Samples

Row = TypeVar("Row", bound=PlacedRow)
Sound = TypeVar("Sound")


@dataclass(eq=False, kw_only=True)
class FrameSpeech(SpokenRequest, Generic[Row, Sound]):
    """A request inside the batch. Its prompts are read, its frames are taken, and these are decoded in chunks."""

    seed: int
    longest: int = 0
    """Positions of keys and values that its sequence may come to."""
    row: Row | None = None
    unread: Any = None
    """Of the prompt [n, ...]."""
    sound: Sound | None = None
    """What makes its frames sound."""
    decoding: tuple[Launched, Any] | None = None
    """Sound that is on its way, and which of its numbers are the request's."""
    waited: int = 0
    """Steps for which a chunk could have been decoded."""

    @property
    def can_speak(self) -> bool:
        """Whether frames of it are drawn now."""
        raise NotImplementedError

    @property
    def goes_on(self) -> bool:
        """Whether there may be another frame behind those that are on their way."""
        raise NotImplementedError

    @property
    def at_once(self) -> bool:
        """Whether another frame makes up a chunk of sound that is waited for."""
        return self.is_early

    def take(self, frame: DrawnFrame) -> bool:
        """Take a frame. Returns whether no more of its sequence come for now."""
        raise NotImplementedError

    @property
    def due(self) -> bool:
        """Whether there are frames for a chunk of sound: enough, or the last ones."""
        raise NotImplementedError

    @property
    def is_early(self) -> bool:
        """Whether the next chunk of sound is one of the first, which are waited for."""
        raise NotImplementedError

    @cached_property
    def random(self) -> np.random.Generator:
        """What its codes are drawn by: the same for the same seed."""
        return np.random.Generator(np.random.PCG64(self.seed))

    @property
    def ahead(self) -> int:
        """Frames that are on their way."""
        return len(self.row.ahead) if self.row else 0

    @property
    def left(self) -> int:
        """Positions of the prompt that are not read."""
        return 0 if self.unread is None else len(self.unread)

    def settle(self) -> None:
        """Wait for sound on its way: a piece of a prompt is timed next."""
        if self.decoding is not None:
            self.decoding[0].wait()

    def sounds(self) -> Chunk | NotFinite:
        """The sound that was on its way. Waits for it."""
        assert self.decoding is not None
        (launched, place), self.decoding = self.decoding, None
        return self.as_event(launched.numbers[place])

    def as_event(self, samples: Samples) -> Chunk | NotFinite:
        """Samples [n] as an event; the request ends where these are no numbers."""
        if not np.isfinite(samples).all():
            self.finished = True
            return NotFinite("the codec's decoder")
        return self.as_chunk(samples)


@dataclass(eq=False, kw_only=True)
class PiecewiseSpeech(FrameSpeech[Row, Sound], PiecedRequest[str | float]):
    """What comes are pieces of text, and seconds of silence: each is begun once all before it was heard."""

    def feed(self, text: str) -> None:
        """More of the text; each sentence is said once it is complete. Raises BadRequest for a pause too long."""
        sentences, self._rest = whole_sentences(self._rest + text)
        for sentence in sentences:
            self._coming.extend(self.cut(sentence))

    def end(self, text: str = "") -> None:
        """The rest of the text; no more comes. Raises BadRequest for a pause too long."""
        self._coming.extend(self.cut(self._rest + text))
        self._rest, self.is_ended = "", True

    @property
    def coming(self) -> tuple[str, ...]:
        """The pieces that are not begun."""
        return tuple(one for one in self._coming if isinstance(one, str))

    def next_piece(self, events: list[Event | Exception]) -> str | None:
        """The next piece of text; silences before it are added to `events`. None: there is none, or it is not due."""
        while self._coming and self.is_quiet:
            piece = self._coming.popleft()
            if isinstance(piece, str):
                return piece
            events.append(self.silence(piece))
        return None
