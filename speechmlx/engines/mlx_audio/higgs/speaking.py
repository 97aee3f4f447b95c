"""One request: its text in sentences, which may still arrive, its place in the batch, and what was said."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.mlx_audio.higgs.frames import HiggsDrawing, HiggsRow
from speechmlx.engines.mlx_audio.higgs.sound import Fades, HiggsSound
from speechmlx.engines.parts.batch_places import DrawnFrame
from speechmlx.reading.pauses import parts
from speechmlx.reading.sentences import clauses, sentences
from speechmlx.reading.sentences import finished as whole_sentences
from speechmlx.types import Chunk, Event, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

MOST = 400
"""Bytes of UTF-8 that are said at once: a token has one at least."""
FRAMES_A_TOKEN, LEAST_FRAMES, MOST_FRAMES = 16, 300, 2048
"""A sentence that has not ended after so many frames for each of its tokens, or so many altogether, never will."""


@dataclass(frozen=True)
class HiggsWishes:
    """What a request asks for."""

    drawing: HiggsDrawing
    seed: int
    frames: int | None
    """Of a sentence, at most; None: by its length."""
    fades: Fades
    said: str = ""
    """What is said in the recording that is imitated."""

    def limit(self, tokens: int) -> int:
        """Frames that a sentence of `tokens` may come to."""
        return self.frames or min(MOST_FRAMES, max(LEAST_FRAMES, FRAMES_A_TOKEN * tokens))


@dataclass(eq=False)
class HiggsSpeaking:
    """A request inside the batch. It says one sentence at a time."""

    wishes: HiggsWishes
    rate: int
    """Hz of its sound."""
    hearing: Iterator[Any] | None
    """Hears the recording that is imitated; what it found is in `heard`."""
    heard: list[mx.array]
    """The codes of that recording [n, codebooks], as they would have been drawn; none: no voice is imitated."""
    longest: int = 0
    """Positions that its sequence may come to."""
    finished: bool = False
    is_ended: bool = False
    """No more text comes."""
    row: HiggsRow | None = None
    unread: mx.array | None = None
    """Of the prompt [n, hidden]."""
    limit: int = 0
    """Frames of this sentence, at most."""
    sound: HiggsSound | None = None
    """Of this sentence."""
    waited: int = 0
    """Steps for which a chunk could have been computed."""
    samples: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cut_off: bool = False
    _rest: str = ""
    _coming: deque[str | float] = field(default_factory=deque)
    """Sentences, and seconds of silence."""

    def __post_init__(self) -> None:
        self._random = np.random.Generator(np.random.PCG64(self.wishes.seed))

    def feed(self, text: str) -> None:
        """More of the text; each sentence is said once it is complete. Raises BadRequest for a pause too long."""
        found, self._rest = whole_sentences(self._rest + text)
        for sentence in found:
            self._coming.extend(_pieces(sentence))

    def end(self, text: str = "") -> None:
        """The rest of the text; no more comes. Raises BadRequest for a pause too long."""
        for sentence in sentences(self._rest + text):
            self._coming.extend(_pieces(sentence))
        self._rest, self.is_ended = "", True

    @property
    def coming(self) -> tuple[str, ...]:
        """The sentences that are not begun."""
        return tuple(one for one in self._coming if isinstance(one, str))

    @property
    def busy(self) -> bool:
        """Whether there is something to do on the text so far."""
        return not self.finished and bool(self.hearing or self._coming or self.sound or self.is_ended)

    def next_piece(self) -> str | float | None:
        """The next sentence, or seconds of silence; None: the last one is not over, or there is none yet."""
        return None if self.hearing or self.sound or not self._coming else self._coming.popleft()

    def new_row(self) -> HiggsRow:
        """A sequence for all of its sentences."""
        self.row = HiggsRow(self.wishes.drawing, random=self._random)
        return self.row

    @property
    def can_speak(self) -> bool:
        """Whether the frames of a sentence are drawn."""
        return self.sound is not None and not self.sound.is_over and self.unread is None

    @property
    def _ahead(self) -> int:
        """Frames that are on their way."""
        return len(self.row.ahead) if self.row else 0

    @property
    def goes_on(self) -> bool:
        """Whether the sentence may have another frame behind those that are on their way."""
        return self.sound is not None and len(self.sound.frames) + self._ahead < self.limit

    @property
    def at_once(self) -> bool:
        """Whether another frame makes up the first chunk of sound, which is waited for."""
        return not self.samples and self.sound is not None and self.sound.is_due_with(self._ahead + 1)

    @property
    def due(self) -> bool:
        """Whether a chunk of sound may be computed."""
        return self.sound is not None and self.sound.due

    def settle(self) -> None:
        """Wait for sound on its way: a piece of a prompt is timed next."""
        if self.sound is not None:
            self.sound.settle()

    def take(self, frame: DrawnFrame) -> bool:
        """Take a frame. Returns whether it is the last one of its sentence."""
        assert self.sound is not None
        self.sound.frames.append(frame.codes)
        self.tokens_out += 1
        if frame.ends or len(self.sound.frames) == self.limit:
            self.sound.is_over = True
            self.cut_off = self.cut_off or not frame.ends
        return self.sound.is_over

    def spoken(self, samples: Samples) -> Chunk | NotFinite:
        """Samples [n] as an event; the request ends where these are no numbers."""
        self.waited = 0
        if not np.isfinite(samples).all():
            self.finished = True
            return NotFinite("the codec's decoder")
        self.samples += len(samples)
        return Chunk(to_pcm16(samples), self.rate)

    def closing(self) -> list[Event]:
        """What follows the last sound of a sentence: nothing, or at the end of the text the usage."""
        if self.sound is not None and self.sound.is_heard:
            self.sound = None
        if not self.is_ended or self._coming or self.hearing or self.sound:
            return []
        self.finished = True
        events: list[Event] = []
        if not self.samples:
            silence = Chunk.silence(self.rate)
            self.samples = len(silence.pcm16) // 2
            events.append(silence)
        audio = self.samples / self.rate
        usage = Usage(audio_out=audio, tokens_in=self.tokens_in, tokens_out=self.tokens_out, cut_off=self.cut_off)
        return [*events, usage]


def _pieces(sentence: str) -> Iterator[str | float]:
    for part in parts(sentence):
        if part.seconds:
            yield part.seconds
        for piece in clauses(part.text, MOST, lambda text: len(text.encode())):
            if any(letter.isalnum() for letter in piece):
                yield piece.strip()
