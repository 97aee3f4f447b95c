"""The engine of a family that recognises recordings: FSMN-VAD finds the clips, and a network reads several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from speechmlx.engines.parts.fbank import Normalisation, filter_bank, stack
from speechmlx.engines.parts.fsmn_vad import FsmnNetwork
from speechmlx.engines.parts.pace import LayerPace, LayerPaced
from speechmlx.engines.parts.recordings import (
    MAX_BATCH,
    ClipNetwork,
    ClipWriter,
    RecordingBatch,
    RecordingState,
    Result,
    SpeechClip,
    accepted,
    find_clips,
)
from speechmlx.errors import Unsupported
from speechmlx.types import Event, Request, Transcribe

if TYPE_CHECKING:
    from speechmlx.types import Samples

STACKED, STEP = 7, 6
"""Frames of 10 ms that the encoder sees as one, one every 60 ms."""


@dataclass(frozen=True)
class RecognisedFamily:
    """What requests are told of a family."""

    name: str
    languages: tuple[str, ...]
    no_hotwords: str
    """Behind the name: that it takes none."""
    joined: float = 0.0
    """Seconds to which segments of speech are joined."""


class RecordingEngine(LayerPaced, Generic[Result]):
    """`Batched` for `Transcribe`. What it computes does not depend on how long its steps are."""

    max_batch = MAX_BATCH

    def __init__(
        self,
        family: RecognisedFamily,
        network: ClipNetwork[Result],
        vad: FsmnNetwork,
        normalise: Normalisation,
        writer: Callable[[Transcribe, LayerPace], ClipWriter[Result]],
        nbytes: int,
    ) -> None:
        """`nbytes`: of all weights."""
        self.nbytes = nbytes
        self._family, self._vad, self._normalise, self._writer = family, vad, normalise, writer
        self._batch = RecordingBatch(network)
        self.pace = self._batch.pace

    def begin(self, request: Request) -> RecordingState[Result]:
        """Take a recording. Raises BadRequest, and Unsupported for what the model cannot do."""
        wanted = accepted(request, self._family.name, self._family.languages)
        if wanted.hotwords:
            raise Unsupported(f"{self._family.name} {self._family.no_hotwords}")
        clips: Iterator[SpeechClip[Result] | None] = find_clips(wanted, self._vad, self.features, self._family.joined)
        return self._batch.begin(RecordingState(wanted, clips, self._writer(wanted, self.pace)))

    def step(self, states: Sequence[RecordingState[Result]]) -> list[list[Event | Exception]]:
        return self._batch.step(states)

    def end(self, state: RecordingState[Result]) -> None:
        self._batch.end(state)

    def features(self, samples: Samples) -> Samples:
        """What the encoder sees of a clip [n]: [frames of 60 ms, 560]."""
        return self._normalise(stack(filter_bank(samples), STACKED, STEP))
