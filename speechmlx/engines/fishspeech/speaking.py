"""One request: its text in pieces, which may still arrive, its turns, and the frames that are not heard yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np

from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.fishspeech.firefly import RATE
from speechmlx.engines.fishspeech.frames import FishRow
from speechmlx.engines.fishspeech.settings import FishSettings
from speechmlx.engines.fishspeech.text import pieces
from speechmlx.engines.fishspeech.text_tokens import FishTokens, Prompt
from speechmlx.engines.fishspeech.voices import Codes
from speechmlx.engines.parts.batch_places import DrawnFrame
from speechmlx.engines.parts.causal_conv import StreamRows
from speechmlx.engines.parts.last_events import last_events
from speechmlx.engines.parts.launched import Launched
from speechmlx.reading.pauses import parts
from speechmlx.reading.sentences import finished as whole_sentences
from speechmlx.types import Chunk, Event

CHUNKS = (2, 4, 8)
"""Frames of the first chunks of sound; the last number holds for all later ones."""
COMMON = 1024
"""Frames for which there is room before a piece goes on in the sequence of the one before it."""


@dataclass(eq=False)
class FishSpeaking:
    """A request inside the batch. It says one piece of its text at a time."""

    settings: FishSettings
    tokens: FishTokens
    context: int
    """Positions of a sequence, at most."""
    said: str
    """What is said in the recording; "": unknown, or there is none."""
    hearing: Generator[None, None, Codes] | None
    """Hears the recording."""
    longest: int = 0
    """Positions that its sequence may come to."""
    finished: bool = False
    is_ended: bool = False
    """No more text comes."""
    base: list[Prompt] = field(default_factory=list)
    """The turns before the first piece, where the recording is heard."""
    turns: list[Prompt] = field(default_factory=list)
    """What was said."""
    row: FishRow | None = None
    asked: Prompt | None = None
    """The head of the turn that is being said."""
    unread: Prompt | None = None
    frames: list[Codes] = field(default_factory=list)
    """Of that turn, [codebooks] each."""
    limit: int = 0
    """Frames of it, at most."""
    pending: list[Codes] = field(default_factory=list)
    """Frames that are not sound yet."""
    sound: StreamRows | None = None
    """What the codec's decoder remembers of this turn."""
    decoding: tuple[Launched, int] | None = None
    """Sound [1, n] that is on its way, and how many of its samples count."""
    chunks: int = 0
    waited: int = 0
    """Steps for which a chunk could have been computed."""
    samples: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cut_off: bool = False
    _rest: str = ""
    _coming: deque[str | float] = field(default_factory=deque)
    """Pieces of text, and seconds of silence."""
    _random: np.random.Generator | None = None

    # --- Text --------------------------------------------------------------------------------------------------------

    def feed(self, text: str) -> None:
        """More of the text; each sentence is said once it is complete. Raises BadRequest for a pause too long."""
        sentences, self._rest = whole_sentences(self._rest + text)
        for sentence in sentences:
            self._coming.extend(self._pieces(sentence))

    def end(self, text: str = "") -> None:
        """The rest of the text; no more comes. Raises BadRequest for a pause too long."""
        self._coming.extend(self._pieces(self._rest + text))
        self._rest, self.is_ended = "", True

    def _pieces(self, text: str) -> Iterator[str | float]:
        for part in parts(text):
            if part.seconds:
                yield part.seconds
            else:
                yield from pieces(part.text, self.settings.bytes)

    @property
    def coming(self) -> tuple[str, ...]:
        """The pieces that are not begun."""
        return tuple(one for one in self._coming if isinstance(one, str))

    @property
    def busy(self) -> bool:
        """Whether there is something to do on the text so far."""
        waiting = self.hearing or self._coming or self.asked is not None or self.pending or self.decoding
        return not self.finished and bool(waiting or self.is_ended)

    # --- Turns -------------------------------------------------------------------------------------------------------

    def hear(self, codes: Codes | None) -> None:
        """Take the codes of the recording; None: there is none."""
        self.hearing = None
        self.base = [self.tokens.system()]
        if codes is not None:
            self.base += [self.tokens.asked(self.said), self.tokens.said(codes), self.tokens.ended()]

    def next_piece(self) -> str | float | None:
        """The next piece, or seconds of silence; None: the last one is not over, or there is none yet."""
        if not self._is_quiet or not self._coming:
            return None
        return self._coming.popleft()

    @property
    def _is_quiet(self) -> bool:
        """Whether all frames so far were heard, and none is about to come."""
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
            self.row = FishRow(self.settings, random=self._chance())
        self.unread = np.concatenate(prompt, axis=1)
        self.tokens_in += self.unread.shape[1]
        self.limit = max(1, min(self.settings.frames, self.context - at - self.unread.shape[1]))
        return None if goes_on else self.row

    def _chance(self) -> np.random.Generator:
        if self._random is None:
            self._random = np.random.Generator(np.random.PCG64(self.settings.seed))
        return self._random

    @property
    def can_speak(self) -> bool:
        """Whether the frames of a turn are drawn."""
        return self.asked is not None and self.unread is None

    @property
    def ahead(self) -> int:
        """Frames that are on their way."""
        return len(self.row.ahead) if self.row else 0

    @property
    def goes_on(self) -> bool:
        """Whether the turn may have another frame behind those that are on their way."""
        return len(self.frames) + self.ahead < self.limit

    @property
    def at_once(self) -> bool:
        """Whether another frame makes up the first chunk of sound, which is waited for."""
        return not self.chunks and len(self.pending) + self.ahead + 1 >= self.chunk

    def take(self, frame: DrawnFrame) -> bool:
        """Take a frame. Returns whether it is the last one of its turn."""
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
        """Whether there are frames for a chunk: enough, or the last ones of a turn."""
        return bool(self.pending) and (self.asked is None or len(self.pending) >= self.chunk)

    def next_codes(self) -> tuple[mx.array, int]:
        """The codes [1, codebooks, chunk] of the next chunk, and how many frames of it count: zeros follow the last."""
        size = self.chunk
        codes, self.pending = self.pending[:size], self.pending[size:]
        self.chunks, self.waited = self.chunks + 1, 0
        padded = np.zeros((1, len(codes[0]), size), np.int32)
        padded[0, :, : len(codes)] = np.stack(codes, axis=1)
        return mx.array(padded), len(codes)

    def heard(self, samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Chunk | NotFinite:
        """Samples [n] as an event; the request ends where these are no numbers."""
        if not np.isfinite(samples).all():
            self.finished = True
            return NotFinite("the codec's decoder")
        self.samples += len(samples)
        return Chunk(to_pcm16(samples), RATE)

    def settle(self) -> None:
        """Wait for sound on its way: a piece of a prompt is timed next."""
        if self.decoding is not None:
            self.decoding[0].wait()

    def sounds(self) -> Chunk | NotFinite:
        """The sound that was on its way. Waits for it."""
        assert self.decoding is not None
        (launched, count), self.decoding = self.decoding, None
        return self.heard(launched.numbers[0, :count])

    def closing(self) -> list[Event]:
        """The last events, once all is said: a short silence where nothing was, and the usage. [] before that."""
        if not self.is_ended or self._coming or not self._is_quiet:
            return []
        self.finished = True
        counts = {"tokens_in": self.tokens_in, "tokens_out": self.tokens_out, "cut_off": self.cut_off}
        return last_events(self.samples, RATE, **counts)


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
