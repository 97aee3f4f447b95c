"""One request: its text, which may still be arriving, its voice, and how much was said."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import chain

from speechmlx.engines.cosyvoice.interleaving import TEXT
from speechmlx.engines.cosyvoice.live_text import LiveText, certain_end
from speechmlx.engines.cosyvoice.manner import SpeakingManner
from speechmlx.engines.cosyvoice.text_pieces import MOST, TextPiece
from speechmlx.engines.cosyvoice.utterance import Utterance
from speechmlx.engines.cosyvoice.voices import PreparedVoice
from speechmlx.engines.parts.last_events import last_events
from speechmlx.reading import ssml
from speechmlx.reading.sentences import finished as whole_sentences
from speechmlx.types import Chunk, Event


@dataclass(eq=False)
class Speaking:
    """A request in the batch. It works on one piece of text at a time."""

    manner: SpeakingManner
    rate: int
    voice: PreparedVoice | None
    """None: `preparing` makes it."""
    preparing: Generator[None, None, PreparedVoice] | None = None
    flow_room: int = 0
    """Bytes that the flow of its sound may keep."""
    utterance: Utterance | None = None
    finished: bool = False
    is_ended: bool = False
    """No more text comes."""
    is_next: bool = True
    """Whether its other work is due before the next token of speech."""
    samples: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    begun: int = 0
    """Pieces of text."""
    cut_off: bool = False
    """Speech of a piece did not end by itself."""
    _rest: str = ""
    """The sentence that is being written."""
    _live: LiveText | None = None
    """The beginning of it, where that may be said, or is being said."""
    _taken: int = 0
    """Characters of it."""
    _coming: deque[Iterator[TextPiece]] = field(default_factory=deque)
    """Pieces that are not begun: texts are read as they are needed."""

    @property
    def busy(self) -> bool:
        """Whether there is work on the text fed so far."""
        if self.finished:
            return False
        can_begin = bool(self._coming) or (self._live is not None and not self._live.begun)
        return self.is_ended or can_begin or (self.utterance is not None and not self.utterance.is_idle)

    def feed(self, text: str) -> None:
        """More of the text. A sentence is said once it is whole, or from some of its words on, where that can be.

        Raises BadRequest for a text that cannot be read.
        """
        self._rest += text
        if ssml.is_ssml(self._rest):
            return  # one whole, which its end says
        sentences, self._rest = whole_sentences(self._rest)
        if sentences:
            sentences[0] = self._close(sentences[0])
            self._coming.append(self.manner.pieces("".join(sentences)))
        if self.manner.interleaves:
            self._look()

    def flush(self) -> None:
        """Say the text so far to its end, and tell so."""
        self._coming += [self.manner.pieces(self._close(self._rest)), iter([TextPiece(is_flush=True)])]
        self._rest = ""

    def end(self, text: str = "") -> None:
        """The rest of the text; no more comes."""
        self._coming.append(self.manner.pieces(self._close(self._rest + text)))
        self._rest, self.is_ended = "", True

    def _look(self) -> None:
        """Take the words that are certain of the sentence that is being written."""
        end = certain_end(self._rest, self.manner.held)
        if end <= self._taken:
            return
        said = self.manner.words(self._rest[self._taken : end])
        count, live = self.manner.tokens.count(said), self._live
        if live is None and TEXT <= count <= MOST:
            live = self._live = LiveText(self.manner.tokens.encode)
        elif live is None:
            return
        elif live.count + count > MOST:
            live.ended, begun = True, live.begun
            self._rest = self._rest[self._taken :] if begun else self._rest
            self._live, self._taken = None, 0
            return
        live.add(said)
        self._taken = end

    def _close(self, sentence: str) -> str:
        """End the words that are being said, with more of `sentence`, which they began. Returns what is left to say."""
        live, taken = self._live, self._taken
        self._live, self._taken = None, 0
        if live is None or not live.begun:
            return sentence
        rest = self.manner.pieces(sentence[taken:])
        first = next(rest, TextPiece())
        if not first.silence and first.rate == 1 and live.count + self.manner.tokens.count(first.text) <= MOST:
            live.add(first.text)
        else:
            rest = chain([first], rest)
        live.ended = True
        self._coming.append(rest)
        return ""

    def next_piece(self) -> TextPiece | LiveText | None:
        """The next piece of the text; None: there is none yet. Raises BadRequest for a text that cannot be read."""
        while self._coming:
            if (piece := next(self._coming[0], None)) is not None:
                return piece
            self._coming.popleft()
        if self._live is None or self._live.begun:
            return None
        self._live.begun = True
        return self._live

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
        counts = {"tokens_in": self.tokens_in, "tokens_out": self.tokens_out, "cut_off": self.cut_off}
        return last_events(self.samples, self.rate, **counts)
