"""Who speaks when, by the families that tell speakers apart from frame to frame: `Diarize` and `DiarizeStream`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from speechmlx.engines import Steps
from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.arguments import Accepted
from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.cooperative import Emit
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import Diarize, DiarizeStream, Request, SpeakerTurn, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

LIVE, WHOLE = 1.92, 14.4
"""Seconds that are worked on at once, of a stream and of a recording."""
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
    def takes_final(self) -> bool:
        """Whether the family keeps audio back until it knows what follows, and wants to be told the end."""
        return "final" in Accepted.by(self.checkpoint.family, self.checkpoint.model.feed)

    @cached_property
    def frame(self) -> float:
        """Seconds of audio for each row of probabilities: 0.01 or 0.08."""
        config = self.checkpoint.model.config
        factor = getattr(config, "output_subsampling_factor", None) or config.fc_encoder_config.subsampling_factor
        return float(config.processor_config.hop_length * factor / self.checkpoint.rate)

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
        """Tell the speakers of a live stream apart, about two seconds behind it."""
        if not isinstance(request, DiarizeStream):
            raise self._refusal(request)
        self._check(request)
        return FrameTurns(self, LIVE)

    def _refusal(self, request: Request) -> Unsupported:
        return Unsupported(f"{self.checkpoint.family} tells speakers apart; it cannot {type(request).__name__.lower()}")

    def _check(self, request: Diarize | DiarizeStream) -> None:
        family = self.checkpoint.family
        if request.speakers.known:
            raise Unsupported(f"{family} knows no speakers by their voice; it numbers them. ecapa-tdnn knows them")
        if request.speakers.max_speakers is not None:
            raise Unsupported(f"{family} finds by itself how many speakers there are; it takes no max_speakers")

    def _diarize(self, request: Diarize, emit: Emit) -> None:
        frames = FrameTurns(self, WHOLE)
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
    size: float
    """Seconds in a block."""
    _own: Any = None
    _state: Any = None
    _waiting: list[Samples] = field(default_factory=list)
    _heard: int = 0
    """Samples that the model has."""
    _given: int = 0
    """Frames that came back."""
    _numbers: dict[int, str] = field(default_factory=dict)

    def push(self, samples: Samples) -> Iterator[tuple[int, Samples]]:
        """First frame and probabilities [frames, speakers] of each block that is complete with `samples`."""
        self._waiting.append(samples)
        joined = np.concatenate(self._waiting)
        length = round(self.size * self.engine.checkpoint.rate)
        while len(joined) >= length:
            block, joined = joined[:length], joined[length:]
            yield from self._work(block)
        self._waiting = [joined]

    def rest(self) -> Iterator[tuple[int, Samples]]:
        """The same of what is left at the end."""
        left = np.concatenate([*self._waiting, np.zeros(0, np.float32)])
        self._waiting = []
        if len(left) or self.engine.takes_final:
            yield from self._work(left, final=True)

    def feed(self, samples: Samples) -> Steps:
        yield from cooperative.steps(lambda emit: self._tell(self.push(samples), emit), 0)

    def finish(self) -> Steps:
        yield from cooperative.steps(lambda emit: self._tell(self.rest(), emit), 0)
        yield Usage(audio_in=self._heard / self.engine.checkpoint.rate)

    def close(self) -> None:
        self._own = self._state = None
        self._waiting.clear()

    def _work(self, samples: Samples, final: bool = False) -> Iterator[tuple[int, Samples]]:
        if self._own is None:
            self._own = structural_clone(self.engine.checkpoint.model)
            self._state = self._own.init_streaming_state()
        self._heard += len(samples)
        rate, fields = self.engine.checkpoint.rate, {"final": final} if self.engine.takes_final else {}
        result, self._state = self._own.feed(mx.array(samples), self._state, sample_rate=rate, **fields)
        found = np.array(result.speaker_probs.astype(mx.float32))
        # A family that cuts the audio itself gives a frame too many for each block: its times are ours.
        due = round(self._heard / rate / self.engine.frame)
        found = found[: max(0, due - self._given)]
        if len(found):
            yield self._given, found
            self._given += len(found)

    def _tell(self, blocks: Iterator[tuple[int, Samples]], emit: Emit) -> None:
        """The turns of each block, one after the other: of the likeliest speaker, "" where nobody speaks."""
        for first, probabilities in blocks:
            best = np.where(probabilities.max(1) >= LIKELY, probabilities.argmax(1), -1)
            at = first
            for speaker, frames in groupby(best.tolist()):
                count = len(list(frames))
                name = "" if speaker < 0 else self._numbers.setdefault(speaker, str(len(self._numbers)))
                emit(SpeakerTurn(at * self.engine.frame, (at + count) * self.engine.frame, name))
                at += count


def _runs(likely: Any, frame: float, duration: float) -> Iterator[tuple[float, float, int]]:
    """(start, end, speaker) of each stretch of frames [n, speakers] in which a speaker talks."""
    for speaker in range(likely.shape[1]):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], likely[:, speaker].astype(np.int8), [0]])))
        for start, end in edges.reshape(-1, 2).tolist():
            yield start * frame, min(end * frame, duration), speaker
