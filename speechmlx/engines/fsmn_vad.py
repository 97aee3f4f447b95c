"""FunASR's FSMN-VAD as an engine: the probability of speech in each 10 ms of a live stream.

The probability is the network's own. FunASR takes a frame for speech from 0.8 on.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.parts.fsmn_vad import FRAME, FsmnListener, FsmnNetwork, fsmn_of
from speechmlx.engines.parts.networks import read_networks
from speechmlx.errors import Unsupported
from speechmlx.types import DetectSpeech, Probability, Progress, Request

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 16_000


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, FsmnVad]:
    """Load the converted checkpoint in `folder`, always in float32."""
    (weights,) = yield from read_networks(folder, ())
    engine = FsmnVad(fsmn_of(weights, folder))
    if options.warm_up:
        yield Progress("warm_up", 0, 1)
        list(engine.open(DetectSpeech()).feed(np.zeros(RATE // 10, np.float32)))
    return engine


class FsmnVad:
    """Runs `DetectSpeech`: one `Probability` per 10 ms, which comes 35 ms later at the earliest."""

    def __init__(self, network: FsmnNetwork) -> None:
        self._network = network
        self.nbytes = network.nbytes

    def open(self, request: Request) -> FsmnStream:
        if not isinstance(request, DetectSpeech):
            raise Unsupported(f"FSMN-VAD detects speech; it cannot {type(request).__name__.lower()}")
        return FsmnStream(self._network)


class FsmnStream:
    """One stream, an engines.Stream: it holds the samples of an incomplete frame and the network's memories."""

    def __init__(self, network: FsmnNetwork) -> None:
        self._listener = FsmnListener(network)
        self._samples = self._frames = 0

    def feed(self, samples: Samples) -> Iterator[Probability | None]:
        """Process the next samples [n] at RATE, in [-1, 1]. Raises NotFinite."""
        self._samples += len(samples)
        for block in self._listener.feed(samples):
            yield from self._told(block)

    def finish(self) -> Iterator[Probability | None]:
        """Process the last frames. The end of the last one is the end of the samples."""
        last = list(self._told(self._listener.finish()))
        if last:
            last[-1] = Probability(last[-1].value, last[-1].start, self._samples / RATE)
        yield from last

    def close(self) -> None:
        """Nothing to free."""

    def _told(self, block: Samples) -> Iterator[Probability]:
        for value in block.tolist():
            start, self._frames = self._frames, self._frames + 1
            yield Probability(value, start * FRAME, self._frames * FRAME)
