"""One request: its text in pieces, which may still arrive, its turns, and the frames that are not heard yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np

from speechmlx.engines.fishspeech.frames import FishRow
from speechmlx.engines.fishspeech.settings import FishSettings
from speechmlx.engines.fishspeech.text import pieces
from speechmlx.engines.fishspeech.text_tokens import FishTokens, Prompt
from speechmlx.engines.fishspeech.voices import Codes
from speechmlx.engines.parts.batch_places import DrawnFrame
from speechmlx.engines.parts.causal_conv import StreamRows
from speechmlx.engines.parts.frame_speech import PiecewiseSpeech
from speechmlx.reading.pauses import parts

CHUNKS = (2, 4, 8)
"""Frames of the first chunks of sound; the last number holds for all later ones."""
COMMON = 1024
"""Frames for which there is room before a piece goes on in the sequence of the one before it."""


@dataclass(eq=False)
class FishSpeaking(PiecewiseSpeech[FishRow, StreamRows]):
    """A request inside the batch. It says one piece of its text at a time."""

    settings: FishSettings
    tokens: FishTokens
    context: int
    """Positions of a sequence, at most."""
    said: str
    """What is said in the recording; "": unknown, or there is none."""
    base: list[Prompt] = field(default_factory=list)
    """The turns before the first piece, where the recording is heard."""
    turns: list[Prompt] = field(default_factory=list)
    """What was said."""
    asked: Prompt | None = None
    """The head of the turn that is being said."""
    frames: list[Codes] = field(default_factory=list)
    """Of that turn, [codebooks] each."""
    limit: int = 0
    """Frames of it, at most."""
    pending: list[Codes] = field(default_factory=list)
    """Frames that are not sound yet."""
    chunks: int = 0

    def cut(self, text: str) -> Iterator[str | float]:
        for part in parts(text):
            if part.seconds:
                yield part.seconds
            else:
                yield from pieces(part.text, self.settings.bytes)

    # --- Turns -------------------------------------------------------------------------------------------------------

    def hear(self, codes: Codes | None) -> None:
        """Take the codes of the recording; None: there is none."""
        self.base = [self.tokens.system()]
        if codes is not None:
            self.base += [self.tokens.asked(self.said), self.tokens.said(codes), self.tokens.ended()]

    @property
    def is_quiet(self) -> bool:
        return not (self.hearing or self.asked is not None or self.pending or self.decoding)

    def begin(self, text: str) -> FishRow | None:
        """Begin a turn. Returns its new sequence, or None where it goes on in that of the turn before."""
        if not self.base:
            self.hear(None)
        self.asked, self.frames = self.tokens.asked(text), []
        length, wanted = self.asked.shape[1], min(self.settings.frames, COMMON)
        goes_on = self.row is not None and self.row.length + 1 + length + wanted <= self.context
        if goes_on:
            assert self.row is not None
            prompt, at = [self.tokens.ended(), self.asked], self.row.length
        else:
            room = self.context - _length(self.base) - length - wanted
            prompt, at = [*self.base, *_kept(self.turns, room), self.asked], 0
            self.row = FishRow(self.settings, random=self.random)
        self.unread = np.concatenate(prompt, axis=1).T
        self.tokens_in += len(self.unread)
        self.limit = max(1, min(self.settings.frames, self.context - at - len(self.unread)))
        return None if goes_on else self.row

    @property
    def can_speak(self) -> bool:
        return self.asked is not None and self.unread is None

    @property
    def goes_on(self) -> bool:
        return len(self.frames) + self.ahead < self.limit

    @property
    def at_once(self) -> bool:
        return self.is_early and len(self.pending) + self.ahead + 1 >= self.chunk

    def take(self, frame: DrawnFrame) -> bool:
        assert self.asked is not None
        self.frames.append(frame.codes)
        self.pending.append(frame.codes)
        self.tokens_out += 1
        is_last = frame.ends or len(self.frames) == self.limit
        if is_last:
            self.cut_off = self.cut_off or not frame.ends
            codes = self.tokens.said(np.stack(self.frames, axis=1))
            self.turns.append(np.concatenate([self.asked, codes, self.tokens.ended()], axis=1))
            self.asked, self.frames = None, []
        return is_last

    # --- Sound -------------------------------------------------------------------------------------------------------

    @property
    def chunk(self) -> int:
        """Frames of the next chunk of sound."""
        return CHUNKS[min(self.chunks, len(CHUNKS) - 1)]

    @property
    def due(self) -> bool:
        return bool(self.pending) and (self.asked is None or len(self.pending) >= self.chunk)

    @property
    def is_early(self) -> bool:
        return not self.chunks

    def next_codes(self) -> tuple[mx.array, int]:
        """The codes [1, codebooks, chunk] of the next chunk, and how many frames of it count: zeros follow the last."""
        size = self.chunk
        codes, self.pending = self.pending[:size], self.pending[size:]
        self.chunks += 1
        padded = np.zeros((1, len(codes[0]), size), np.int32)
        padded[0, :, : len(codes)] = np.stack(codes, axis=1)
        return mx.array(padded), len(codes)


def _length(prompts: list[Prompt]) -> int:
    return sum(prompt.shape[1] for prompt in prompts)


def _kept(turns: list[Prompt], room: int) -> list[Prompt]:
    """What a new sequence is told of the turns so far, in `room` positions: the first, so that the voice stays.

    And the last ones, in half of what is left.
    """
    if not turns or turns[0].shape[1] > room:
        return []
    left, last = (room - turns[0].shape[1]) // 2, list[Prompt]()
    for turn in reversed(turns[1:]):
        left -= turn.shape[1]
        if left < 0:
            break
        last.insert(0, turn)
    return [turns[0], *last]
