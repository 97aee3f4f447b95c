"""How likely each speaker talks, frame by frame, of audio that comes in pieces: one way for each kind of family.

What comes out does not depend on the size of the pieces. An object here is one input: it holds a structural clone of a
model, the audio that no piece of work has used yet, and what the model remembers, which has a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import mlx.core as mx
import numpy as np

from speechmlx.engines.finite import finite
from speechmlx.engines.mlx_audio import package

if TYPE_CHECKING:
    from speechmlx.types import Samples

LIVE, WHOLE = 1.28, 14.4
"""Seconds that Sortformer works on at once, of a stream and of a recording: whole frames of 80 ms."""
FED = 0.24
"""Seconds that are given at a time to a family that cuts the audio itself."""
PRESET = "low"
"""The setting of such a family for a live stream: it is a second behind."""
REMEMBERED = 188
"""Frames of each of Sortformer's two memories, where its config.json says nothing: the newest, and those before."""
EDGE = 2
"""Frames of the spectrum before a piece that are computed again, for the samples that reach into it."""


class SpeakerFrames(Protocol):
    """The probabilities of one input."""

    def push(self, samples: Samples, final: bool) -> Iterator[Samples]:
        """Probabilities [frames, speakers] of each piece of work that `samples` [n] complete; `final`: of the rest."""


def speaker_frames(model: Any, live: bool) -> SpeakerFrames:
    """The way for `model`, a structural clone."""
    if not hasattr(model, "fc_encoder"):
        return OwnPieces(model, live)
    return ContinuousPieces(model, live) if model.config.modules_config.use_aosc else NormalisedPieces(model, live)


class OwnPieces:
    """A family that cuts the audio itself, keeps the edges of its spectrum, and wants to be told the end."""

    def __init__(self, model: Any, live: bool) -> None:
        if live:
            model.set_streaming_config(PRESET)
        self._model, self._state = model, model.init_streaming_state()
        self._audio = Waiting(round((FED if live else WHOLE) * model.sample_rate))

    def push(self, samples: Samples, final: bool) -> Iterator[Samples]:
        for piece in self._audio.pieces(samples):
            yield self._fed(piece, False)
        if final:
            yield self._fed(self._audio.rest(), True)

    def _fed(self, piece: Samples, final: bool) -> Samples:
        result, self._state = self._model.feed(mx.array(piece), self._state, self._model.sample_rate, final=final)
        return _array(result.speaker_probs)


class NormalisedPieces:
    """Sortformer 1, which hears each piece at its own level: a recording as one piece, if its table is long enough."""

    def __init__(self, model: Any, live: bool) -> None:
        proc, config = model.config.processor_config, model.config
        self._frame = proc.hop_length * config.fc_encoder_config.subsampling_factor
        self._shortest = 2 * proc.hop_length
        table = config.tf_encoder_config.max_source_positions
        frames = round(LIVE * proc.sampling_rate / self._frame) if live else table - 2 * REMEMBERED - 1
        self._model, self._state = model, model.init_streaming_state()
        self._audio = Waiting(frames * self._frame)

    def push(self, samples: Samples, final: bool) -> Iterator[Samples]:
        for piece in self._audio.pieces(samples):
            yield self._fed(piece)
        if final and len(rest := self._audio.rest()):
            yield self._fed(rest)

    def _fed(self, piece: Samples) -> Samples:
        frames = -(-len(piece) // self._frame)
        if len(piece) < self._shortest:  # too short to have a level
            return np.zeros((frames, self._model.config.modules_config.num_speakers), np.float32)
        rate = self._model.config.processor_config.sampling_rate
        result, self._state = self._model.feed(mx.array(piece), self._state, sample_rate=rate)
        return _array(result.speaker_probs)[:frames]  # each piece has a frame too many: the last edge of its spectrum


class ContinuousPieces:
    """Sortformer 2 and later: pieces of one spectrum, each with the frames behind it, as the whole file would give."""

    def __init__(self, model: Any, live: bool) -> None:
        proc, modules = model.config.processor_config, model.config.modules_config
        self._model, self._state = model, model.init_streaming_state()
        self._factor = model.config.fc_encoder_config.subsampling_factor
        self._hop, self._half = proc.hop_length, proc.n_fft // 2
        self._length = round((LIVE if live else WHOLE) * proc.sampling_rate / self._hop)
        """Frames of the spectrum in a piece."""
        self._behind = modules.chunk_right_context
        """Frames behind a piece, of those that the spectrum is condensed to, that its own frames look at."""
        self._limits = modules.spkcache_len, modules.fifo_len or REMEMBERED
        self._audio: Samples = np.zeros(0, np.float32)
        self._first = 0
        """Number of the first sample of `_audio` in the input."""
        self._done = 0
        """Frames of the spectrum that were worked on."""

    def push(self, samples: Samples, final: bool) -> Iterator[Samples]:
        self._audio = np.concatenate([self._audio, samples], dtype=np.float32)
        behind = self._factor * self._behind
        heard = self._first + len(self._audio)
        while heard >= (self._done + self._length + behind - 1) * self._hop + self._half:
            yield self._work(self._done + self._length, self._done + self._length + behind)
        last = heard // self._hop + 1
        while final and heard and self._done < last:
            end = min(self._done + self._length, last)
            yield self._work(end, min(end + behind, last))

    def _work(self, end: int, until: int) -> Samples:
        """The probabilities up to frame `end` of the spectrum, which is needed up to frame `until`."""
        spectrum = self._spectrum(until)
        size = end - self._done
        found, state = self._model.streaming_step(
            spectrum[..., :size], mx.array([size]), self._state, right_context_embs=self._context(spectrum, size)
        )
        # One call moves no more than an update's frames out of the newer memory, which a longer piece may fill.
        while state.fifo.shape[1] > self._limits[1]:
            state = self._model._maybe_compress_state(state, *self._limits, self._model.config.modules_config)
        self._state, self._done = state, end
        drop = max(0, (end - EDGE) * self._hop) - self._first
        self._audio, self._first = self._audio[drop:], self._first + drop
        return _array(found)

    def _spectrum(self, until: int) -> mx.array:
        """Frames `_done` to `until` of the log-mel spectrum [1, mels, frames]. Not normalised."""
        before = self._done - self._first // self._hop
        proc = self._model.config.processor_config
        audio = self._audio[: (until - 1) * self._hop + self._half - self._first]
        found = package.inside("vad", "sortformer", "sortformer").extract_mel_features(
            mx.array(audio),
            proc.sampling_rate,
            proc.n_fft,
            proc.hop_length,
            proc.win_length,
            proc.feature_size,
            proc.preemphasis,
            normalize=None,
            pad_to=0,
        )
        return found[..., before : before + until - self._done]

    def _context(self, spectrum: mx.array, size: int) -> mx.array | None:
        """The condensed frames behind the first `size` frames of `spectrum`; None where the input ends."""
        if size >= spectrum.shape[-1]:
            return None
        reach = spectrum[..., size - self._factor :].astype(self._model.dtype)
        found, _ = self._model.fc_encoder.pre_encode(reach, mx.array([reach.shape[-1]]))
        return found[:, 1:]


class Waiting:
    """Audio that waits until it is a piece of `size` samples."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._audio: Samples = np.zeros(0, np.float32)

    def pieces(self, samples: Samples) -> Iterator[Samples]:
        """Each piece that is complete with `samples` [n]."""
        self._audio = np.concatenate([self._audio, samples], dtype=np.float32)
        while len(self._audio) >= self._size:
            piece, self._audio = self._audio[: self._size], self._audio[self._size :]
            yield piece

    def rest(self) -> Samples:
        """What is left."""
        rest, self._audio = self._audio, self._audio[:0]
        return rest


def _array(probabilities: mx.array) -> Samples:
    return finite(np.array(probabilities.astype(mx.float32)), "telling speakers apart")


def seconds_of(model: Any) -> float:
    """Seconds of audio for each frame of probabilities: 0.01 or 0.08."""
    config = model.config
    factor = getattr(config, "output_subsampling_factor", None) or config.fc_encoder_config.subsampling_factor
    return float(config.processor_config.hop_length * factor / config.processor_config.sampling_rate)
