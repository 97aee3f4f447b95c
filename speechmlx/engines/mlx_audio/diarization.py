"""Who speaks when, by the families that tell speakers apart from frame to frame: `Diarize` and `DiarizeStream`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from speechmlx.engines import Steps
from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.cooperative import Emit
from speechmlx.engines.mlx_audio.speaker_frames import SpeakerFrames, seconds_of, speaker_frames
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import Diarize, DiarizeStream, Request, SpeakerTurn, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

LIKELY = 0.5
"""Probability from which on a speaker talks."""


@dataclass(frozen=True)
class Diarizer:
    """A loaded model that tells speakers apart. It holds no state of requests: each has a structural clone."""

    checkpoint: BridgedModel

    @property
    def nbytes(self) -> int:
        return self.checkpoint.nbytes

    @cached_property
    def frame(self) -> float:
        """Seconds of audio for each row of probabilities."""
        return seconds_of(self.checkpoint.model)

    def run(self, request: Request) -> Steps:
        """Tell the speakers of a recording apart. Raises BadRequest and Unsupported; turns may overlap."""
        if not isinstance(request, Diarize):
            raise self._refusal(request)
        rate = self.checkpoint.rate
        if request.audio.rate != rate:
            raise BadRequest(f"telling speakers apart takes audio at {rate} Hz, not {request.audio.rate}")
        self._check(request)
        return cooperative.steps(lambda emit: self._diarize(request, emit), 0)

    def open(self, request: Request) -> FrameTurns:
        """Tell the speakers of a live stream apart, a second or two behind it."""
        if not isinstance(request, DiarizeStream):
            raise self._refusal(request)
        self._check(request)
        return FrameTurns(self, live=True, most=request.speakers.max_speakers)

    def _refusal(self, request: Request) -> Unsupported:
        return Unsupported(f"{self.checkpoint.family} tells speakers apart; it cannot {type(request).__name__.lower()}")

    def _check(self, request: Diarize | DiarizeStream) -> None:
        family = self.checkpoint.family
        if request.speakers.known:
            raise Unsupported(f"{family} knows no speakers by their voice; it numbers them. ecapa-tdnn knows them")

    def _diarize(self, request: Diarize, emit: Emit) -> None:
        frames = FrameTurns(self, live=False, most=request.speakers.max_speakers)
        blocks = [*frames.push(request.audio.samples), *frames.rest()]
        likely = np.concatenate([block for _, block in blocks] or [np.zeros((0, 1), np.float32)]) >= LIKELY
        turns = sorted(_runs(likely, self.frame, request.audio.duration))
        numbers = {speaker: str(place) for place, speaker in enumerate(dict.fromkeys(turn[2] for turn in turns))}
        for start, end, speaker in turns:
            emit(SpeakerTurn(start, end, numbers[speaker]))
        emit(Usage(audio_in=request.audio.duration))


@dataclass
class FrameTurns:
    """The probabilities of one input, block by block, on a clone of its own; as a `Stream`, its turns."""

    engine: Diarizer
    live: bool
    most: int | None = None
    """Speakers that are told apart at most: those who spoke first, which is the order of the model's columns."""
    _frames: SpeakerFrames | None = None
    _heard: int = 0
    """Samples so far."""
    _given: int = 0
    """Frames that came back."""
    _numbers: dict[int, str] = field(default_factory=dict)

    def push(self, samples: Samples, final: bool = False) -> Iterator[tuple[int, Samples]]:
        """First frame and probabilities [frames, speakers] of what is complete with `samples`; `final`: of the rest."""
        if self._frames is None:
            self._frames = speaker_frames(structural_clone(self.engine.checkpoint.model), self.live)
        self._heard += len(samples)
        due = math.ceil(self._heard / self.engine.checkpoint.rate / self.engine.frame)
        for found in self._frames.push(samples, final):
            kept = found[
                : due - self._given, : self.most
            ]  # at the end, a family may give the frame behind the last sample
            if len(kept):
                yield self._given, kept
                self._given += len(kept)

    def rest(self) -> Iterator[tuple[int, Samples]]:
        """The same of what is left at the end."""
        yield from self.push(np.zeros(0, np.float32), final=True)

    def feed(self, samples: Samples) -> Steps:
        yield from cooperative.steps(lambda emit: self._tell(self.push(samples), emit), 0)

    def finish(self) -> Steps:
        yield from cooperative.steps(lambda emit: self._tell(self.rest(), emit), 0)
        yield Usage(audio_in=self._heard / self.engine.checkpoint.rate)

    def close(self) -> None:
        self._frames = None

    def _tell(self, blocks: Iterator[tuple[int, Samples]], emit: Emit) -> None:
        """The turns of each block, one after the other: of the likeliest speaker, "" where nobody speaks."""
        frame = self.engine.frame
        for first, probabilities in blocks:
            heard = self._heard / self.engine.checkpoint.rate
            best = np.where(probabilities.max(1) >= LIKELY, probabilities.argmax(1), -1)
            at = first
            for speaker, frames in groupby(best.tolist()):
                count = len(list(frames))
                name = "" if speaker < 0 else self._numbers.setdefault(speaker, str(len(self._numbers)))
                emit(SpeakerTurn(at * frame, min((at + count) * frame, heard), name))
                at += count


def _runs(likely: Any, frame: float, duration: float) -> Iterator[tuple[float, float, int]]:
    """(start, end, speaker) of each stretch of frames [n, speakers] in which a speaker talks."""
    for speaker in range(likely.shape[1]):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], likely[:, speaker].astype(np.int8), [0]])))
        for start, end in edges.reshape(-1, 2).tolist():
            yield start * frame, min(end * frame, duration), speaker
