"""One request: its text in parts, its place among the frames, and the frames that are not sound yet."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.batch_places import DrawnFrame
from speechmlx.engines.parts.causal_conv import StreamRows
from speechmlx.engines.parts.frame_speech import FrameSpeech
from speechmlx.engines.parts.launched import Launched
from speechmlx.engines.qwen3_tts.cloning import ClonedVoice
from speechmlx.engines.qwen3_tts.frames import FrameRow
from speechmlx.engines.qwen3_tts.prompt import PromptWriter
from speechmlx.engines.qwen3_tts.text import TextBreak, TextPart, TextSource
from speechmlx.engines.qwen3_tts.wishes import Drawing
from speechmlx.types import Event, TextFlushed

CHUNKS = (1, 1, 2, 3)
"""Frames of the first chunks of sound; the last number holds for all later ones."""
FRAMES_A_TOKEN = 8
LEAST_FRAMES = 150
"""A part that has not ended after so many frames for each of its tokens, or so many altogether, never will."""


@dataclass(eq=False)
class SpeechRow(FrameSpeech[FrameRow, StreamRows]):
    """A request inside the batch."""

    source: TextSource
    drawing: Drawing
    part_frames: int
    """Frames of one part, at most."""
    write: Callable[[ClonedVoice | None], PromptWriter]
    """Makes its prompts, once the voice is heard."""
    keeps_on: bool = False
    """It does not end before its text does, which is still being written: what comes later would be lost."""
    prefix: Hashable | None = None
    """Whose recording, text and settings come before each part; None for none."""
    complete: bool = False
    """No more text comes."""
    stopped: bool = False
    """It has had all the frames that it may have: what else is written is not said."""
    voice: ClonedVoice | None = None
    writer: PromptWriter | None = None
    part: TextPart | None = None
    shared: int = 0
    """Positions of the prompt that are to be kept under `prefix` once they are read; 0: none."""
    at: int = 0
    """Place in the part's line of the next text token."""
    spoken: int = 0
    """Frames of this part."""
    pending: list[NDArray[np.int32]] = field(default_factory=list)
    """Frames [groups] that are not sound yet."""
    chunks: int = 0

    def feed(self, text: str) -> None:
        if not self.stopped:
            self.source.feed(text)

    def flush(self) -> None:
        """Say the text so far to its end, and tell so. Raises BadRequest as `feed` does."""
        if self.stopped:
            self.source.parts.append(TextBreak(flushed=True))
        else:
            self.source.flush()

    def end(self) -> None:
        if not self.stopped:
            self.source.end()
        self.complete = True

    def hear(self, voice: ClonedVoice) -> None:
        self.voice = voice

    @property
    def busy(self) -> bool:
        """Whether there is something to do on the text so far."""
        return not self.finished and bool(
            self.hearing
            or self.unread is not None
            or self.can_begin
            or self.can_speak
            or self.due
            or self.decoding
            or self.break_due
            or self.is_over
        )

    @property
    def can_begin(self) -> bool:
        """Whether the next part may be read."""
        if self.hearing or self.part or not self.source.parts:
            return False
        coming = self.source.parts[0]
        return isinstance(coming, TextPart) and (self.writer is None or self.writer.is_ready(coming))

    @property
    def can_speak(self) -> bool:
        return self.part is not None and self.unread is None and (self.text is not None or self.ahead > 0)

    @property
    def goes_on(self) -> bool:
        return self.text is not None

    @property
    def text(self) -> int | None:
        """The text token beside the next frame that is launched; None where it is not written yet, or none follows."""
        assert self.writer is not None
        assert self.part is not None
        if self.ahead and self._is_cut(self.ahead):
            return None
        return self.writer.line(self.part, self.at + self.ahead)

    def next_text(self) -> int:
        """The text token beside the frame that is launched now, which may not end its part while text is to come."""
        text = self.text
        assert text is not None
        assert self.row is not None
        assert self.writer is not None
        self.row.goes_on = self.keeps_on and self.writer.is_text(text)
        return text

    @property
    def due(self) -> bool:
        if not self.pending:
            return False
        return self.part is None or len(self.pending) >= self._chunk or (self.text is None and not self.ahead)

    @property
    def _chunk(self) -> int:
        """Frames of the next chunk of sound."""
        return CHUNKS[min(self.chunks, len(CHUNKS) - 1)]

    @property
    def is_early(self) -> bool:
        return self._chunk == 1

    @property
    def is_quiet(self) -> bool:
        """Whether all frames so far were heard, and none is about to come."""
        return not (self.hearing or self.part or self.pending or self.decoding)

    @property
    def break_due(self) -> bool:
        """Whether all was said that comes before a break."""
        return self.is_quiet and bool(self.source.parts) and isinstance(self.source.parts[0], TextBreak)

    @property
    def is_over(self) -> bool:
        return self.complete and self.is_quiet and not self.source.parts

    def begin_part(self) -> FrameRow:
        """Take the next part, and a new sequence for it."""
        part = self.source.parts.popleft()
        assert isinstance(part, TextPart)
        self.part = part
        self.row = FrameRow(self.drawing, random=self.random)
        self.spoken = 0
        return self.row

    def take_break(self) -> Iterator[Event]:
        """The events of the break that is due."""
        coming = self.source.parts.popleft()
        assert isinstance(coming, TextBreak)
        if coming.seconds:
            yield self.silence(coming.seconds)
        if coming.flushed:
            yield TextFlushed()

    def take(self, frame: DrawnFrame) -> bool:
        assert self.part is not None
        self.pending.append(frame.codes)
        self.spoken += 1
        self.tokens_out += 1
        self.at += 1
        cut = self._is_cut(0)
        if cut and not frame.ends:
            self.cut_off = True
        if self._is_out(0):
            self.source.parts.clear()
            self.complete = self.stopped = True
        return frame.ends or cut

    def _is_out(self, more: int) -> bool:
        """Whether `more` frames after those so far are all that the request may have."""
        return self.drawing.frames is not None and self.tokens_out + more >= self.drawing.frames

    def _is_cut(self, more: int) -> bool:
        """Whether `more` frames after those so far are all that its part may have."""
        assert self.part is not None
        limit = min(self.part_frames, max(LEAST_FRAMES, FRAMES_A_TOKEN * len(self.part.tokens)))
        return self._is_out(more) or (self.part.ended and self.spoken + more >= limit)

    def decode(self, launched: Launched, place: int) -> None:
        """The sound of the pending frames is on its way."""
        self.decoding = launched, place
        self.pending.clear()
        self.chunks += 1

    def closing(self) -> list[Event]:
        """What follows the sound so far: breaks that are due, and the last events once all is said."""
        events = list[Event]()
        while self.break_due:
            events += self.take_break()
        return [*events, *super().closing()]
