"""Words of one turn → segments as WhisperLive has them. Pure.

A segment is open while more words may come to it. Then it is completed, and never changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.reading.sentences import finished

LONGEST = 6.0
"""Seconds after which a segment is completed between two words."""
GAP = 1.0
"""Seconds without words that complete a segment."""
SHORTEST_MS = 1
"""Milliseconds of a segment, at least: clients take one without length again and again."""

Json = dict[str, Any]


@dataclass(frozen=True)
class SpokenText:
    """A word, or text of which only the outer times are known; `confidence` is None then. Times are seconds."""

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None


@dataclass
class TurnText:
    """The text of one turn that is in no completed segment: what is final, and the unsure tail.

    `start` and `end` of the turn in seconds; `end` None: not known yet. `over`: no more text comes.
    """

    start: float = 0.0
    end: float | None = None
    over: bool = False
    final: list[SpokenText] = field(default_factory=list)
    tail: list[SpokenText] = field(default_factory=list)

    def add(self, update: TranscriptUpdate) -> None:
        """A step of the transcript."""
        if update.committed:
            self.final += [SpokenText(w.text, w.start, w.end, w.confidence, w.speaker) for w in update.committed]
        elif update.text.strip():
            start = self.final[-1].end if self.final else self.start
            self.final.append(SpokenText(update.text, start, max(start, self.end or start)))
        waiting = (*update.unattributed, *update.tail)
        self.tail = [SpokenText(w.text, w.start, w.end, w.confidence, w.speaker) for w in waiting]

    def take(self, everything: bool = False) -> list[list[SpokenText]]:
        """Remove the texts of the segments that are complete. `everything`: the open one is complete, too."""
        segments: list[list[SpokenText]] = []
        while count := self._complete():
            segments.append(self.final[:count])
            del self.final[:count]
        if (everything or self.over) and self.final:
            segments.append(self.final)
            self.final = []
        if self.over:
            self.tail = []
        return [segment for segment in segments if joined(segment)]

    @property
    def open(self) -> list[SpokenText]:
        """The texts of the open segment."""
        return [*self.final, *self.tail]

    def _complete(self) -> int:
        """How many of the final texts make a complete segment; 0: more may come to it."""
        return min((count for count in (self._sentence(), self._cut()) if count), default=0)

    def _sentence(self) -> int:
        """How many of the final texts the first sentence has, if it is complete; else 0."""
        sentences, _ = finished("".join(text.text for text in self.open))
        ends = list(accumulate(len(text.text) for text in self.final))
        length = len(sentences[0].rstrip()) if sentences else 0
        return bisect_left(ends, length) + 1 if length and ends and ends[-1] >= length else 0

    def _cut(self) -> int:
        """How many of the final texts are parted from the next one by silence, by length or by the speaker; else 0."""
        for count, (text, after) in enumerate(pairwise(self.open), 1):
            if count > len(self.final):
                break
            parted = after.start - text.end >= GAP or after.end - self.final[0].start > LONGEST
            if parted or None is not text.speaker != after.speaker is not None:
                return count
        return 0


@dataclass
class SegmentClock:
    """Times of segments in whole milliseconds: each has a length, and begins no earlier than the one before ends."""

    end: int = 0
    """Where the newest completed segment ends."""

    def span(self, texts: Sequence[SpokenText]) -> tuple[int, int]:
        """Start and end of the next segment."""
        start = max(self.end, round(1000 * texts[0].start))
        return start, max(start + SHORTEST_MS, round(1000 * texts[-1].end))

    def complete(self, texts: Sequence[SpokenText]) -> tuple[int, int]:
        """As `span`; the segment after it begins later."""
        start, self.end = self.span(texts)
        return start, self.end


def joined(texts: Sequence[SpokenText]) -> str:
    """The text of a segment without spaces around it."""
    return "".join(text.text for text in texts).strip()


def segment(texts: Sequence[SpokenText], span: tuple[int, int], completed: bool, word_times: bool) -> Json:
    """A segment as clients get it. Its text begins with a space, or clients take it for the one before."""
    found: Json = {
        "start": seconds(span[0]),
        "end": seconds(span[1]),
        "text": f" {joined(texts)}",
        "completed": completed,
    }
    speaker = next((text.speaker for text in texts if text.speaker is not None), None)
    if speaker is not None:
        found["speaker"] = f"SPEAKER_{int(speaker):02d}" if speaker.isdecimal() else speaker
    if word_times and all(text.confidence is not None for text in texts):
        found["words"] = [
            {
                "word": text.text,
                "start": f"{text.start:.3f}",
                "end": f"{text.end:.3f}",
                "probability": round(text.confidence or 0.0, 4),
            }
            for text in texts
        ]
    return found


def seconds(milliseconds: int) -> str:
    """1500 → "1.500"."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"
