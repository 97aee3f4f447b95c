"""One conversation in the engine: what the model hears next, and what is told of what it says."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines.moshi.prompt import PAD, MoshiPromptState
from speechmlx.engines.moshi.ring import MoshiRing
from speechmlx.engines.moshi.text import MoshiWriting
from speechmlx.types import Chunk, Event, TextDelta, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

QUIET = 10 ** (-50 / 20)
"""The level of a frame below which nobody hears a voice in it: -50 dB of full scale."""
ENOUGH_QUIET = 15
"""Quiet frames without text after which an answer is over: 1.2 s. A model for conversations never ends by itself."""
UNSAID = (0, PAD)
"""Text tokens of frames without text."""


@dataclass(frozen=True)
class MoshiBeginning:
    """What both kinds of conversation begin with."""

    reading: Generator[None, None, MoshiPromptState]
    """Reads the prompt in steps."""
    key: object
    """The same for the same prompt."""
    writing: MoshiWriting
    frames: int
    """Frames of the conversation at most."""
    nbytes: int
    """What it may come to hold."""
    size: int
    """Samples of a frame."""
    rate: int
    """Of the model's sound, in Hz, in and out."""


class MoshiConversation:
    """What both kinds share: the ring of keys and values, and counts of what was heard and said."""

    def __init__(self, beginning: MoshiBeginning) -> None:
        self.reading: Generator[None, None, MoshiPromptState] | None = beginning.reading
        self.key, self.nbytes = beginning.key, beginning.nbytes
        self.ring: MoshiRing | None = None
        self._room = beginning.frames
        self.finished = False
        self._size, self._rate = beginning.size, beginning.rate
        self._writing = beginning.writing
        self._said = 0
        self._sounded = 0.0

    @property
    def busy(self) -> bool:
        """Whether there is something to do without more input."""
        return not self.finished

    def read(self, state: MoshiPromptState) -> None:
        """The prompt is read."""
        self.reading, self.ring = None, state.ring
        self.ring.room = self._room

    def next_frame(self) -> Samples | None:
        """The next frame to hear; None where there is none now."""
        raise NotImplementedError

    def took(self, seconds: float) -> None:
        """The last frame took so long to compute."""

    def told(self, sound: Samples | None, token: int) -> list[Event]:
        """What the model said in a frame: its sound and its text. None: it has no frame yet."""
        raise NotImplementedError

    def _events(self, sound: Samples, token: int) -> list[Event]:
        """Text, if there is some, then the sound."""
        text = "" if token in UNSAID else self._writing.add(token)
        events: list[Event] = [TextDelta(text)] if text else []
        return [*events, Chunk(to_pcm16(sound), self._rate)]

    def _sent(self, events: list[Event]) -> list[Event]:
        """The events, counted."""
        self._sounded += sum(event.duration for event in events if isinstance(event, Chunk))
        self._said += sum(isinstance(event, TextDelta) for event in events)
        return events

    def _usage(self, heard: float, cut_off: bool = False) -> Usage:
        return Usage(audio_in=heard, audio_out=self._sounded, tokens_out=self._said, cut_off=cut_off)


def is_quiet(sound: Samples) -> bool:
    """Whether there is no voice in a frame."""
    return float(np.sqrt(np.mean(np.square(sound)))) < QUIET


class AskedMoshi(MoshiConversation):
    """A recording, then silence until the answer is over or has `limit` frames.

    The model hears and speaks at the same time. What it says while the question lasts is no answer, unless it still
    speaks at its end: then the answer begins where it began to.
    """

    def __init__(self, beginning: MoshiBeginning, question: Samples, limit: int, seconds: float) -> None:
        """`question` [n] at the model's rate; `seconds`: its length."""
        super().__init__(beginning)
        self._question, self._limit, self._seconds = question, limit, seconds
        self._frames = 0
        """Frames heard."""
        self._before: list[Event] = []
        """What the model has said since it was last quiet, while the question lasts."""
        self._quiet = self._answered = 0
        self._spoke = False

    def next_frame(self) -> Samples | None:
        piece = self._question[self._frames * self._size :][: self._size]
        self._frames += 1
        return np.pad(piece, (0, self._size - len(piece)))

    def told(self, sound: Samples | None, token: int) -> list[Event]:
        if sound is None:
            return []
        quiet = token in UNSAID and is_quiet(sound)
        events = self._events(sound, token)
        if self._frames * self._size <= len(self._question):
            self._before = [] if quiet else [*self._before, *events]
            return []
        events, self._before = self._sent([*self._before, *events]), []
        self._answered += 1
        self._spoke = self._spoke or len(events) > 1 or not quiet
        self._quiet = self._quiet + 1 if quiet else 0
        over = self._spoke and self._quiet >= ENOUGH_QUIET
        self.finished = over or self._answered >= self._limit
        return [*events, self._usage(self._seconds, cut_off=not over)] if self.finished else events


class LiveMoshi(MoshiConversation):
    """Sound that comes as it is spoken: for each frame heard one is said."""

    def __init__(self, beginning: MoshiBeginning) -> None:
        super().__init__(beginning)
        self._waiting: deque[Samples] = deque()
        self._samples = 0
        """Samples that wait."""
        self._heard = 0
        self._ended = False
        self._frames = self._late = 0

    def listen(self, samples: Samples) -> None:
        """The next samples [n] at the model's rate."""
        self._waiting.append(np.asarray(samples, np.float32))
        self._samples += len(samples)

    def end_input(self) -> None:
        """Nothing more comes: the last frame is filled up with silence."""
        self._ended = True

    @property
    def busy(self) -> bool:
        return not self.finished and (self.reading is not None or self._samples >= self._size or self._ended)

    def next_frame(self) -> Samples | None:
        if self._samples < self._size and not (self._ended and self._samples):
            return None
        held = np.concatenate(self._waiting)
        frame, rest = held[: self._size], held[self._size :]
        self._waiting, self._samples = deque([rest]), len(rest)
        self._heard += len(frame)
        return np.pad(frame, (0, self._size - len(frame)))

    def took(self, seconds: float) -> None:
        self._frames += 1
        self._late += seconds > self._size / self._rate

    @property
    def late(self) -> str:
        """What is to be told of frames that took longer than they sound; "" where there were none."""
        sounds = round(1000 * self._size / self._rate)
        return f"{self._late} of {self._frames} frames took longer than their {sounds} ms" if self._late else ""

    def told(self, sound: Samples | None, token: int) -> list[Event]:
        if sound is None:
            sound, token = np.zeros(self._size, np.float32), PAD
        return self._sent(self._events(sound, token))

    def closing(self) -> list[Event]:
        """The last event, once all was heard; nothing before."""
        if not self._ended or self._samples or self.finished:
            return []
        self.finished = True
        return [self._usage(self._heard / self._rate)]
