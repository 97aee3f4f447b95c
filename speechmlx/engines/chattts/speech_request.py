"""One request: its text, which may still be arriving, and the pieces of it that are on their way to sound."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.chattts.manner import ChatManner
from speechmlx.engines.chattts.sequences import ChatSequence
from speechmlx.engines.chattts.sound import ChatSound
from speechmlx.engines.parts.last_events import last_events
from speechmlx.engines.parts.vocos import RATE
from speechmlx.reading import ssml
from speechmlx.reading.sentences import finished as whole_sentences
from speechmlx.types import Chunk, Event


@dataclass(eq=False)
class ChatPiece:
    """A piece of text: it is refined, drawn as codes, and its sound is given, the last two at once."""

    text: str
    number: int
    """Of the request's pieces."""
    sound: ChatSound
    sequence: ChatSequence
    """Of refined text, or of speech."""
    _steps: Generator[None, None, NDArray[np.float32]] | None = None

    @property
    def draws(self) -> bool:
        """Whether its next token or frame can be drawn."""
        return not self.sequence.is_reading and not self.sequence.is_over

    @property
    def sounds(self) -> bool:
        """Whether there is work on its sound."""
        speech = self.sequence
        is_due = speech.is_speech and self.sound.is_due(len(speech.states), speech.is_over)
        return self._steps is not None or is_due

    @property
    def is_over(self) -> bool:
        """Whether all of its sound was given."""
        return self.sound.finished and self._steps is None

    def step(self) -> NDArray[np.float32] | None:
        """Do one bounded piece of work on its sound. Returns the samples that it completes, if any."""
        if self._steps is None:
            self._steps = self.sound.piece(tuple(self.sequence.states), self.sequence.is_over)
        try:
            next(self._steps)
        except StopIteration as end:
            self._steps = None
            samples: NDArray[np.float32] = end.value
            return samples
        return None


@dataclass(eq=False)
class ChatSpeech:
    """A request in the batch."""

    manner: ChatManner
    open: deque[ChatPiece | float] = field(default_factory=deque)
    """Pieces that are begun, and seconds of silence, in order: the first one is heard."""
    finished: bool = False
    is_ended: bool = False
    """No more text comes."""
    samples: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    begun: int = 0
    """Pieces of text."""
    cut_off: bool = False
    """Speech of a piece did not end by itself."""
    is_next: bool = True
    """Whether its other work is due before the next draw."""
    served: int = 0
    """Which of all pieces of other work was its last one."""
    _rest: str = ""
    _coming: deque[Iterator[str | float]] = field(default_factory=deque)
    """Pieces that are not begun: texts are read as they are needed."""

    @property
    def busy(self) -> bool:
        """Whether there is work on the text fed so far."""
        return not self.finished and (self.is_ended or bool(self._coming) or bool(self.open))

    @property
    def pieces(self) -> list[ChatPiece]:
        """Those that are begun."""
        return [piece for piece in self.open if isinstance(piece, ChatPiece)]

    def feed(self, text: str) -> None:
        """More of the text; it is said from the next end of a sentence on."""
        self._rest += text
        if not ssml.is_ssml(self._rest):  # one whole, which its end says
            sentences, self._rest = whole_sentences(self._rest)
            if sentences:
                self._coming.append(self.manner.pieces("".join(sentences)))

    def end(self, text: str = "") -> None:
        """The rest of the text; no more comes."""
        self._coming.append(self.manner.pieces(self._rest + text))
        self._rest, self.is_ended = "", True

    def next_piece(self) -> str | float | None:
        """The next piece of the text; None: there is none yet. Raises BadRequest for a text that cannot be read."""
        while self._coming:
            if (piece := next(self._coming[0], None)) is not None:
                return piece
            self._coming.popleft()
        return None

    def drop(self) -> None:
        """Forget the text, and what was begun of it."""
        self._coming.clear()
        self.open.clear()
        self.finished = True

    def heard(self, chunk: Chunk) -> Chunk:
        """Count a chunk of sound."""
        self.samples += len(chunk.pcm16) // 2
        return chunk

    def closing(self) -> list[Event]:
        """The last events: a short silence where nothing was to be said, and the usage."""
        self.finished = True
        counts = {"tokens_in": self.tokens_in, "tokens_out": self.tokens_out, "cut_off": self.cut_off}
        return last_events(self.samples, RATE, **counts)
