"""Windows of a recording: the stage of each, and the queues that bring one window after another.

Frames are mel frames of 10 ms, counted from the start of the recording.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from speechmlx.engines.whisper.decoding.quality import NO_SPEECH_LIMIT
from speechmlx.engines.whisper.model import mel

if TYPE_CHECKING:
    from speechmlx.engines.whisper.decoding.beam import BeamSearch
    from speechmlx.engines.whisper.decoding.greedy import TokenSequence
    from speechmlx.engines.whisper.model.network import Pair
    from speechmlx.engines.whisper.offline.attempt import Attempt
    from speechmlx.engines.whisper.offline.transcription import TranscriptionState
    from speechmlx.types import Segment

MOST_TOKENS = 224
"""Tokens sampled per window at most, half of the decoder's context."""
TOKENS, TOKENS_PER_SECOND = 40, 30
"""Tokens sampled for a short window, at most: nobody speaks so fast, further tokens are made up."""
ROOM, LEAST = 4 * mel.FRAMES_PER_SECOND, 12 * mel.FRAMES_PER_SECOND
"""Frames of silence encoded after the audio, and frames in all, at least. The models were trained on windows of 30 s,
and repeat themselves or leave out the last words where little follows: tiny.en and base err as with 30 s from 4 s on in
50 clean and noisy recordings, and in 30 spoken commands of a second or two when there are 12 s in all."""


class Stage(Enum):
    """What a window waits for, or what is being done with it. A window goes through the stages in this order."""

    WAITING = auto()
    """For the encoder."""
    ENCODING = auto()
    ENCODED = auto()
    """Waits for a seat in a batch."""
    DECODING = auto()
    """Seated; perhaps several times, at rising temperatures."""
    ALIGNING = auto()
    """Seated; its text is decided, and its words wait for their times."""


@dataclass(eq=False)
class Window:
    """Frames [start, end) that are encoded and decoded together."""

    queue: ClipQueue
    start: int
    end: int
    doubted: bool
    """Decoded again because its loudness says that there is speech: its text must be likely to be believed."""
    stage: Stage = Stage.WAITING
    cross: list[Pair] | None = None
    """Each decoder layer's keys and values [1, h, n, d], while the window is ENCODED."""
    sequence: TokenSequence | None = None
    """Its tokens, from DECODING on."""
    search: BeamSearch | None = None
    """The beam search that it is seated in; None: it is decoded greedily."""
    attempts: list[Attempt] = field(default_factory=list)
    """One per temperature tried."""
    sampled: int = 0
    """Tokens sampled in all attempts."""

    @property
    def state(self) -> TranscriptionState:
        return self.queue.state

    @property
    def tokens(self) -> TokenSequence:
        """The sequence of a seated window."""
        assert self.sequence is not None, "only windows from DECODING on have tokens"
        return self.sequence

    @property
    def encoded_frames(self) -> int:
        """Frames to encode: all of mel.WINDOW_FRAMES, as the reference does, unless VAD picks the windows."""
        wanted = max(self.end - self.start + ROOM, LEAST)
        return mel.roomy(wanted) if self.state.request.vad else mel.WINDOW_FRAMES

    @property
    def most_tokens(self) -> int:
        """Tokens that may be sampled."""
        return min(MOST_TOKENS, TOKENS + TOKENS_PER_SECOND * (self.end - self.start) // mel.FRAMES_PER_SECOND)

    @property
    def is_empty(self) -> bool:
        """Whether neither the loudness nor the model finds speech in it."""
        return self.queue.wary and self.sequence is not None and self.sequence.no_speech > NO_SPEECH_LIMIT


class ClipQueue:
    """Clips of a recording that are decoded in order, window after window. The queues of a request are independent."""

    def __init__(self, state: TranscriptionState, clips: list[tuple[int, int]], wary: bool = False) -> None:
        """`clips`: frames [start, end). `wary`: their loudness shows no speech, so that every window is doubted."""
        self.state = state
        self.wary = wary
        self.segments: list[Segment] = []
        """Segments that were not released yet."""
        self.previous: list[int] = []
        """Tokens of the segments so far, the context of the next window."""
        self.begun = False
        """Whether a window was decided."""
        self.last_end = 0.0
        """Seconds of the recording at which the last word ends."""
        self.sampled = 0
        """Tokens sampled for the windows that are decided."""
        self._clips = deque(clips)
        self.window = self._next(doubted=wary)

    @property
    def done(self) -> bool:
        return self.window is None

    @property
    def clips_left(self) -> int:
        """Clips that are not used up."""
        return len(self._clips)

    def skip_to(self, start: int, clips_left: int, doubted: bool) -> None:
        """Begin at the frame `start` of the clip that has `clips_left` - 1 clips after it."""
        while len(self._clips) > clips_left:
            self._clips.popleft()
        self._clips[0] = start, self._clips[0][1]
        self.begun = True
        self.window = self._next(doubted)

    def advance(self, frames: int, doubted: bool) -> None:
        """Go on to the window `frames` after the start of this one, or to the next clip when this one is used up."""
        start, end = self._clips.popleft()
        if start + frames < end:
            self._clips.appendleft((start + frames, end))
        self.begun = True
        self.window = self._next(doubted)

    def _next(self, doubted: bool) -> Window | None:
        if not self._clips:
            return None
        start, end = self._clips[0]
        return Window(self, start, min(end, start + mel.WINDOW_FRAMES), doubted)
