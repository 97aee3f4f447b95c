"""Where a recognition stands behind a window, written as the state of a Checkpoint.

A window is decoded by itself, from the spectrogram of the whole recording. So the queue that comes first, and the place
in it, are all that a later request needs; of later queues nothing is kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from speechmlx.engines.whisper.offline.window import ClipQueue
from speechmlx.types import Checkpoint


@dataclass(frozen=True)
class TranscriptState:
    """The place in the first queue that is not done. Frames are mel frames of 10 ms."""

    language: str
    queue: int
    """Number of the queue; those before it are done."""
    start: int
    """First frame of its next window."""
    clips_left: int
    doubted: bool
    begun: bool
    """Whether a window of the queue was decided."""
    wary: bool
    last_end: float
    previous: tuple[int, ...]
    sampled: int
    """Tokens sampled up to here."""
    has_text: bool
    """Whether a segment was given."""

    @classmethod
    def of(cls, queue: ClipQueue, number: int, language: str, sampled: int, has_text: bool) -> TranscriptState:
        """The place of a queue that is not done."""
        window = queue.window
        assert window is not None, "only a queue with a window has a place"
        return cls(
            language,
            number,
            window.start,
            queue.clips_left,
            window.doubted,
            queue.begun,
            queue.wary,
            queue.last_end,
            tuple(queue.previous),
            sampled,
            has_text,
        )

    def place(self, queue: ClipQueue) -> None:
        """Bring a new queue to this place."""
        queue.skip_to(self.start, self.clips_left, self.doubted)
        queue.begun, queue.last_end, queue.previous = self.begun, self.last_end, list(self.previous)

    def write(self) -> str:
        """As the `state` of a Checkpoint."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> TranscriptState:
        """What `write` wrote."""
        fields = json.loads(checkpoint.state)
        return cls(**{**fields, "previous": tuple(fields["previous"])})
