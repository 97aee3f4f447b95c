"""One request: its text in sentences, which may still arrive, its place in the batch, and what was said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import mlx.core as mx

from speechmlx.engines.finite import NotFinite
from speechmlx.engines.mlx_audio.higgs.frames import HiggsDrawing, HiggsRow
from speechmlx.engines.mlx_audio.higgs.sound import Fades, HiggsSound
from speechmlx.engines.parts.batch_places import DrawnFrame
from speechmlx.engines.parts.frame_speech import PiecewiseSpeech
from speechmlx.reading.pauses import parts
from speechmlx.reading.sentences import clauses, sentences
from speechmlx.types import Chunk

MOST = 400
"""Bytes of UTF-8 that are said at once: a token has one at least."""
FRAMES_A_TOKEN, LEAST_FRAMES, MOST_FRAMES = 16, 300, 2048
"""A sentence that has not ended after so many frames for each of its tokens, or so many altogether, never will."""


@dataclass(frozen=True)
class HiggsWishes:
    """What a request asks for."""

    drawing: HiggsDrawing
    frames: int | None
    """Of a sentence, at most; None: by its length."""
    fades: Fades
    said: str = ""
    """What is said in the recording that is imitated."""

    def limit(self, tokens: int) -> int:
        """Frames that a sentence of `tokens` may come to."""
        return self.frames or min(MOST_FRAMES, max(LEAST_FRAMES, FRAMES_A_TOKEN * tokens))


@dataclass(eq=False)
class HiggsSpeaking(PiecewiseSpeech[HiggsRow, HiggsSound]):
    """A request inside the batch. It says one sentence at a time, each with a `sound` of its own."""

    wishes: HiggsWishes
    heard: list[mx.array] = field(default_factory=list)
    """The codes of the recording that is imitated [n, codebooks], as they would have been drawn; [] without one."""
    limit: int = 0
    """Frames of this sentence, at most."""

    def end(self, text: str = "") -> None:
        for sentence in sentences(self._rest + text):
            self._coming.extend(self.cut(sentence))
        self._rest, self.is_ended = "", True

    def cut(self, text: str) -> Iterator[str | float]:
        for part in parts(text):
            if part.seconds:
                yield part.seconds
            for piece in clauses(part.text, MOST, lambda text: len(text.encode())):
                if any(letter.isalnum() for letter in piece):
                    yield piece.strip()

    def hear(self, codes: mx.array) -> None:
        self.heard = [codes]

    def new_row(self) -> HiggsRow:
        """A sequence for all of its sentences."""
        self.row = HiggsRow(self.wishes.drawing, random=self.random)
        return self.row

    @property
    def is_quiet(self) -> bool:
        return not (self.hearing or self.decoding) and (self.sound is None or self.sound.is_launched)

    @property
    def can_speak(self) -> bool:
        return self.sound is not None and not self.sound.is_over and self.unread is None

    @property
    def goes_on(self) -> bool:
        return self.sound is not None and len(self.sound.frames) + self.ahead < self.limit

    @property
    def at_once(self) -> bool:
        return self.is_early and self.sound is not None and self.sound.is_due_with(self.ahead + 1)

    @property
    def due(self) -> bool:
        return self.sound is not None and self.sound.due

    @property
    def is_early(self) -> bool:
        return not self.samples

    def take(self, frame: DrawnFrame) -> bool:
        assert self.sound is not None
        self.sound.frames.append(frame.codes)
        self.tokens_out += 1
        if frame.ends or len(self.sound.frames) == self.limit:
            self.sound.is_over = True
            self.cut_off = self.cut_off or not frame.ends
        return self.sound.is_over

    def sounds(self) -> Chunk | NotFinite:
        assert self.decoding is not None
        assert self.sound is not None
        (launched, place), self.decoding = self.decoding, None
        return self.as_event(self.sound.faded(launched.numbers[place]))
