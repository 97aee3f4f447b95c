"""The engine: who speaks when in a whole recording, or in a live stream."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.engines import LoadOptions, Steps, silero
from speechmlx.engines.ecapa import clustering
from speechmlx.engines.ecapa.clustering import Cluster, Clustering
from speechmlx.engines.ecapa.features import RATE, band_levels
from speechmlx.engines.ecapa.labelling import Voice, label, named, turns
from speechmlx.engines.ecapa.network import SpeakerEncoder
from speechmlx.engines.ecapa.online import OnlineSpeakers
from speechmlx.engines.ecapa.speech import SpeechDetector, SpeechFinder, Stretch
from speechmlx.engines.ecapa.stream import DiarizationStream
from speechmlx.engines.ecapa.windows import LENGTH, SpeechWindow, windows
from speechmlx.engines.finite import finite
from speechmlx.engines.weights import read_weights, settle
from speechmlx.errors import BadRequest, ModelUnavailable, Unsupported
from speechmlx.types import Audio, Diarize, DiarizeStream, KnownSpeaker, Progress, Request, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

ENCODER = "ecapa."
BATCH = {"cpu": 1, "gpu": 8}
"""Windows in one step: a window takes about 30 ms on a CPU."""
LEAST = 800
"""Samples of the shortest window: the encoder's widest convolution mirrors four frames at each end."""


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Ecapa]:
    """Load model.safetensors from `folder`: the encoder and Silero VAD, always in float32."""
    weights = read_weights(folder)
    if f"{ENCODER}fc.weight" not in weights or f"{silero.PREFIX}stft_conv.weight" not in weights:
        raise ModelUnavailable(f"the model folder {folder.name!r} holds no ECAPA-TDNN with Silero VAD")
    weights = yield from settle(weights, mx.float32)
    engine = Ecapa(weights, BATCH[options.device])
    if options.warm_up:
        yield Progress("warm_up", 0, 1)
        engine.embed(np.zeros((1, round(LENGTH * RATE)), np.float32))
    return engine


class Ecapa:
    """Runs `Diarize` and opens `DiarizeStream`."""

    def __init__(self, weights: dict[str, mx.array], batch: int) -> None:
        self.nbytes = sum(array.nbytes for array in weights.values())
        self._encoder = SpeakerEncoder(_under(weights, ENCODER))
        self._speech = silero.Network({name: np.array(a) for name, a in _under(weights, silero.PREFIX).items()})
        self._batch = batch

    def run(self, request: Request) -> Steps:
        """Tell the speakers of a recording apart. Raises BadRequest for audio that is not at RATE."""
        if not isinstance(request, Diarize):
            raise Unsupported(f"ECAPA tells speakers apart; it cannot {type(request).__name__.lower()}")
        _check(request.audio)
        _check_known(request.speakers.known)
        return self._run(request)

    def open(self, request: Request) -> DiarizationStream:
        """Tell the speakers of a live stream apart. Raises BadRequest for bad recordings of known speakers."""
        if not isinstance(request, DiarizeStream):
            raise Unsupported(f"ECAPA tells speakers apart; it cannot {type(request).__name__.lower()}")
        _check_known(request.speakers.known)
        return DiarizationStream(
            lambda samples: self.embed(samples[None])[0], SpeechDetector(self._speech), self._speakers(request)
        )

    def embed(self, samples: Samples) -> Samples:
        """Windows [w, n] at RATE → embeddings [w, 192] of length 1. Raises NotFinite."""
        long_enough = np.pad(samples, ((0, 0), (0, max(0, LEAST - samples.shape[1]))), mode="wrap")
        return finite(np.array(self._encoder(mx.array(band_levels(long_enough)))), "the embedding of a voice")

    def _run(self, request: Diarize) -> Steps:
        known = yield from self._all_known(request.speakers.known)
        stretches = yield from self._stretches(request.audio)
        parts = [list(windows(stretch)) for stretch in stretches]
        everything = [window for part in parts for window in part]
        embeddings = yield from self._embeddings(request.audio, everything)
        found = Clustering()
        lengths = np.array([window.seconds for window in everything])
        for start in range(0, len(everything), clustering.BLOCK):
            block = slice(start, start + clustering.BLOCK)
            found.add(embeddings[block], lengths[block])
            yield None
        voices = named(found.speakers(request.speakers.max_speakers), known)
        labels = []
        for part in parts:
            labels.append(label(embeddings[: len(part)], voices))
            embeddings = embeddings[len(part) :]
        yield from turns(parts, labels, [name for name, _ in voices])
        yield Usage(audio_in=request.audio.duration)

    def _speakers(self, request: DiarizeStream) -> Generator[None, None, OnlineSpeakers]:
        return OnlineSpeakers((yield from self._all_known(request.speakers.known)), request.speakers.max_speakers)

    def _all_known(self, speakers: Sequence[KnownSpeaker]) -> Generator[None, None, list[Voice]]:
        voices = []
        for speaker in speakers:
            voices.append((speaker.name, (yield from self._known(speaker))))
        return voices

    def _known(self, speaker: KnownSpeaker) -> Generator[None, None, Cluster]:
        """The voice of a known speaker. Raises BadRequest where the recording has no speech."""
        stretches = yield from self._stretches(speaker.audio)
        parts = [window for stretch in stretches for window in windows(stretch)]
        if not parts:
            raise BadRequest(f"the recording of the known speaker {speaker.name!r} has no speech in it")
        embeddings = yield from self._embeddings(speaker.audio, parts)
        voice = clustering.Cluster(np.zeros(embeddings.shape[1], np.float32), 0.0, 0.0, 0)
        for cluster in clustering.single(embeddings, np.array([window.seconds for window in parts])):
            voice.join(cluster)
        return voice

    def _stretches(self, audio: Audio) -> Generator[None, None, list[Stretch]]:
        detector, finder = SpeechDetector(self._speech), SpeechFinder()
        found = []
        for events in (detector.feed(audio.samples), detector.finish()):
            for frame in events:
                if frame is None:
                    yield None
                else:
                    found.append(finder.add(frame))
        found.append(finder.finish())
        return [stretch for stretch in found if stretch is not None]

    def _embeddings(self, audio: Audio, parts: Sequence[SpeechWindow]) -> Generator[None, None, Samples]:
        """[w, 192], in batches of windows of the same length."""
        found: list[Samples] = [np.zeros((0, 192), np.float32)]
        for batch in _batches([_cut(audio, window) for window in parts], self._batch):
            found.append(self.embed(np.stack(batch)))
            yield None
        return np.concatenate(found)


def _batches(cuts: Sequence[Samples], most: int) -> Iterator[list[Samples]]:
    batch: list[Samples] = []
    for cut in cuts:
        if batch and (len(batch) == most or len(cut) != len(batch[0])):
            yield batch
            batch = []
        batch.append(cut)
    if batch:
        yield batch


def _cut(audio: Audio, window: SpeechWindow) -> Samples:
    first, length = round(window.start * RATE), round(window.seconds * RATE)
    return audio.samples[max(0, min(first, len(audio.samples) - length)) :][:length]


def _under(weights: dict[str, mx.array], prefix: str) -> dict[str, mx.array]:
    return {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}


def _check(audio: Audio) -> None:
    if audio.rate != RATE:
        raise BadRequest(f"telling speakers apart takes audio at {RATE} Hz, not {audio.rate}")


def _check_known(known: Sequence[KnownSpeaker]) -> None:
    names = [speaker.name for speaker in known]
    if len(set(names)) < len(names):
        raise BadRequest(f"known speakers must have different names, not {', '.join(names)}")
    for speaker in known:
        _check(speaker.audio)
