"""One request: its text, which may still be arriving, its voice, and how much was said."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from speechmlx.engines.cosyvoice.manner import SpeakingManner
from speechmlx.engines.cosyvoice.utterance import Utterance
from speechmlx.engines.cosyvoice.voices import PreparedVoice
from speechmlx.reading import ssml
from speechmlx.reading.sentences import finished as whole_sentences
from speechmlx.types import Chunk, Event, Usage


@dataclass(eq=False)
class Speaking:
    """A request in the batch. It works on one piece of text at a time."""

    manner: SpeakingManner
    rate: int
    voice: PreparedVoice | None
    """None: `preparing` makes it."""
    preparing: Generator[None, None, PreparedVoice] | None = None
    utterance: Utterance | None = None
    finished: bool = False
    is_ended: bool = False
    """No more text comes."""
    samples: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    begun: int = 0
    """Pieces of text."""
    _rest: str = ""
    _coming: deque[Iterator[str]] = field(default_factory=deque)
    """Pieces that are not begun: texts are read as they are needed."""

    @property
    def busy(self) -> bool:
        """Whether there is work on the text fed so far."""
        return not self.finished and (self.is_ended or bool(self._coming) or self.utterance is not None)

    def feed(self, text: str) -> None:
        """More of the text; it is said from the next end of a sentence on."""
        self._rest += text
        if not ssml.is_ssml(self._rest):  # one whole, which its end says
            sentences, self._rest = whole_sentences(self._rest)
            self._coming.append(self.manner.pieces("".join(sentences)))

    def end(self, text: str = "") -> None:
        """The rest of the text; no more comes."""
        self._coming.append(self.manner.pieces(self._rest + text))
        self._rest, self.is_ended = "", True

    def next_piece(self) -> str | None:
        """The next piece of the text; None: there is none yet. Raises BadRequest for a text that cannot be read."""
        while self._coming:
            if (piece := next(self._coming[0], None)) is not None:
                return piece
            self._coming.popleft()
        return None

    def drop(self) -> None:
        """Forget the text that is not begun."""
        self._coming.clear()

    def heard(self, chunk: Chunk) -> Chunk:
        """Count a chunk of sound."""
        self.samples += len(chunk.pcm16) // 2
        return chunk

    def closing(self) -> list[Event]:
        """The last events: a short silence where nothing was to be said, and the usage."""
        self.finished = True
        events: list[Event] = []
        if not self.samples:
            events.append(self.heard(Chunk.silence(self.rate)))
        usage = Usage(audio_out=self.samples / self.rate, tokens_in=self.tokens_in, tokens_out=self.tokens_out)
        return [*events, usage]
