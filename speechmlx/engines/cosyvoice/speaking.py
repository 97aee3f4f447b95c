"""One request: its text, which may still be arriving, its voice, and how much was said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from speechmlx.engines.cosyvoice.interleaving import TEXT
from speechmlx.engines.cosyvoice.live_text import LiveText, certain_end
from speechmlx.engines.cosyvoice.manner import SpeakingManner
from speechmlx.engines.cosyvoice.text_pieces import MOST, TextPiece
from speechmlx.engines.cosyvoice.utterance import Utterance
from speechmlx.engines.cosyvoice.voices import PreparedVoice
from speechmlx.engines.parts.turn_speech import TurnSpeech
from speechmlx.reading import ssml


@dataclass(eq=False)
class Speaking(TurnSpeech[TextPiece | LiveText]):
    """A request in the batch. It works on one piece of text at a time."""

    manner: SpeakingManner
    voice: PreparedVoice | None
    """None: it is being heard."""
    flow_room: int = 0
    """Bytes that the flow of its sound may keep."""
    utterance: Utterance | None = None
    _live: LiveText | None = None
    """The beginning of the sentence that is being written, where that may be said, or is being said."""
    _taken: int = 0
    """Characters of it."""

    def hear(self, voice: PreparedVoice) -> None:
        self.voice = voice

    def cut(self, text: str) -> Iterator[TextPiece]:
        return self.manner.pieces(text)

    @property
    def draws(self) -> bool:
        return self.utterance is not None and self.utterance.is_writing

    @property
    def has_work(self) -> bool:
        if self.utterance is None:
            return self.hearing is not None
        return self.utterance.is_reading or self.utterance.sounds

    @property
    def is_quiet(self) -> bool:
        return self.utterance is None

    @property
    def busy(self) -> bool:
        """Whether there is work on the text fed so far."""
        if self.finished:
            return False
        can_begin = bool(self._coming) or (self._live is not None and not self._live.begun)
        return self.is_ended or can_begin or (self.utterance is not None and not self.utterance.is_idle)

    def feed(self, text: str) -> None:
        """More of the text. A sentence is said once it is whole, or from some of its words on, where that can be."""
        super().feed(text)
        if self.manner.interleaves and not ssml.is_ssml(self._rest):
            self._look()

    def flush(self) -> None:
        """Say the text so far to its end, and tell so."""
        self._coming += [self.cut(self._close(self._rest)), iter([TextPiece(is_flush=True)])]
        self._rest = ""

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
        rest = self.cut(sentence[taken:])
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
        if (piece := super().next_piece()) is not None:
            return piece
        if self._live is None or self._live.begun:
            return None
        self._live.begun = True
        return self._live
