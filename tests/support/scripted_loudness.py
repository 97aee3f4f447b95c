"""A scripted recogniser whose words are the same wherever a stream begins: the loudness of a word says which it is.

Else it is the live recogniser of scripted_conversation.py: a word for every 100 ms of speech.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from support.scripted_conversation import (
    BLOCK,
    BLOCKS_PER_WORD,
    MODELS,
    RATE,
    ROW,
    WORD_SECONDS,
    Live,
    LiveRecogniser,
    tone,
)

from speechmlx.engines import LoadOptions
from speechmlx.types import Event, Listen, Progress, Request

if TYPE_CHECKING:
    from speechmlx.types import Samples

ROWS = (replace(ROW, name="talking-loudness", engine="support.scripted_loudness:load"),)
LOUDNESS_MODELS = MODELS.replace("asr=talking-asr", "asr=talking-loudness")
"""The value of SPEECHMLX_MODELS that makes it the default."""


def spelt_in_tones(numbers: Sequence[int]) -> bytes:
    """The words of NUMBERS, from one to nine, as PCM16 at RATE."""
    return b"".join(tone(WORD_SECONDS, number / 10, RATE) for number in numbers)


class LoudnessRecogniser(LiveRecogniser):
    def open(self, request: Request) -> Live:
        assert isinstance(request, Listen)
        return Loudness()


@dataclass
class Loudness(Live):
    """Word number n is a tone of level n / 10."""

    levels: dict[int, float] = field(default_factory=dict)
    """By block."""

    def feed(self, samples: Samples) -> Iterator[Event | None]:
        heard = np.concatenate([self.rest, samples])
        blocks = heard[: len(heard) // BLOCK * BLOCK].reshape(-1, BLOCK)
        self.levels.update(enumerate(np.abs(blocks).max(axis=1).tolist(), self.blocks))
        yield from super().feed(samples)
        first = self.loud[0] if self.loud else self.blocks
        self.levels = {block: level for block, level in self.levels.items() if block >= first}

    def _number(self, n: int) -> int:
        blocks = self.loud[n * BLOCKS_PER_WORD : (n + 1) * BLOCKS_PER_WORD]
        return round(10 * float(np.median([self.levels[block] for block in blocks])))


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, LoudnessRecogniser]:
    yield Progress("load", 1, 1)
    return LoudnessRecogniser()
