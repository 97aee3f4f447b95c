"""Enhances one stream with DeepFilterNet 3, in bounded blocks: frames, features, network and overlap-add."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines.deepfilternet.network import DF_BINS, DF_ORDER, ERB_BANDS, Filters, Network, first_state
from speechmlx.engines.finite import finite
from speechmlx.errors import BadAudio
from speechmlx.types import Chunk

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 48_000
HOP = RATE // 100
FRAME = 2 * HOP
BINS = FRAME // 2 + 1
LOOKAHEAD = 2
"""Frames after the current frame that the network and the filter read."""
DELAY = LOOKAHEAD + 1
"""Delay in hops: the look-ahead and the overlap."""
BLOCK = 40
"""Frames in one step: about 40 ms of work, since the 5 recurrent layers run frame by frame."""
DECAY = 0.99
"""Factor per frame of the running means that normalise the features."""
FIRST_BAND_MEANS = (-60.0, -90.0)
FIRST_BIN_MEANS = (0.001, 0.0001)
"""Initial values of these means, for the lowest and the highest band or bin."""
BAND_SCALE = 40.0
SILENCE = 1e-10
SPEECH = slice(6, 80)
"""Bins of 300 to 4000 Hz: their power measures the loudness of speech without rumble."""
TRAINED = -24.0
"""Level of loud speech in the training data, in dB of full scale. The network removes quieter speech as noise."""
MOST_RAISED = 60.0
RELEASE = 6.0
"""dB per second by which the loudness estimate falls in a pause."""
OVER_FLOOR = 15.0
"""dB above the quietest frame so far from which on a frame counts as speech."""
STEADY = 3
"""Consecutive frames that must have the level, so that a click does not count as speech."""


WINDOW = np.sin(np.pi / 2 * np.sin(np.pi * (np.arange(FRAME) + 0.5) / FRAME) ** 2).astype(np.float32)
"""The Vorbis window. The squares of overlapping windows add up to one."""


class Enhancer:
    """One stream, an engines.Stream. The output has the length of the input and is aligned with it."""

    def __init__(self, network: Network, bank: mx.array, inverse_bank: mx.array) -> None:
        """`bank` [BINS, ERB_BANDS] averages bins into bands, `inverse_bank` spreads bands over bins."""
        self._network, self._bank, self._inverse_bank = network, bank, inverse_bank
        self._window = mx.array(WINDOW)
        self._waiting: Samples = np.zeros(0, np.float32)
        self._received, self._sent = 0, -HOP  # the first hop out lies before the first sample
        self._last_hop = mx.zeros(HOP)
        self._overlap = mx.zeros((1, HOP))
        self._first_band_means = mx.array(np.linspace(*FIRST_BAND_MEANS, ERB_BANDS, dtype=np.float32))
        self._first_bin_means = mx.array(np.linspace(*FIRST_BIN_MEANS, DF_BINS, dtype=np.float32))
        self._band_means = mx.zeros(ERB_BANDS)
        self._bin_means = mx.zeros(DF_BINS)
        self._audible_frames = mx.zeros(())
        self._recent = mx.full(STEADY - 1, np.inf)
        self._floor = mx.array(np.inf)
        self._loudness = mx.array(-np.inf)
        self._spectra = mx.zeros((DF_ORDER - 1, BINS), mx.complex64)
        self._unseen = LOOKAHEAD
        self._state = first_state()

    def feed(self, samples: Samples) -> Iterator[Chunk | None]:
        """Process the next samples [n] at RATE, in [-1, 1]. Raises BadAudio for what is no finite number."""
        if not np.isfinite(samples).all():
            raise BadAudio("audio must be of finite samples")
        self._received += len(samples)
        yield from self._process(samples)

    def finish(self) -> Iterator[Chunk | None]:
        hops = -(-self._received // HOP) + DELAY
        yield from self._process(np.zeros(hops * HOP - self._received, np.float32))

    def close(self) -> None:
        """Nothing to free."""

    def _process(self, samples: Samples) -> Iterator[Chunk | None]:
        self._waiting = np.concatenate([self._waiting, samples], dtype=np.float32)
        while len(self._waiting) >= HOP:
            size = HOP * min(BLOCK, len(self._waiting) // HOP)
            block, self._waiting = self._waiting[:size], self._waiting[size:]
            enhanced = self._enhance(mx.array(block))
            output = enhanced[max(0, -self._sent) : self._received - self._sent]
            self._sent += len(enhanced)
            yield Chunk(to_pcm16(output), RATE) if len(output) else None

    def _enhance(self, samples: mx.array) -> Samples:
        """Enhance t hops of input. Returns t hops; the stream's first LOOKAHEAD hops give none. Raises NotFinite."""
        joined = mx.concatenate([self._last_hop, samples])
        self._last_hop = joined[-HOP:]
        frames = mx.as_strided(joined, (len(samples) // HOP, FRAME), (HOP, 1))
        spectra = mx.fft.rfft(frames * self._window) / FRAME
        bands, bins = self._features(spectra)
        unseen = min(self._unseen, len(frames))
        self._unseen -= unseen
        seen = len(frames) - unseen
        spectra = mx.concatenate([self._spectra, spectra])[-(DF_ORDER - 1) - len(frames) :]
        self._spectra = spectra[-(DF_ORDER - 1) :]
        if not seen:
            mx.eval(self._last_hop, self._spectra, *self._kept)
            return np.zeros(0, np.float32)
        output, self._state = self._network(bands[unseen:], bins[unseen:], self._state)
        hops = self._overlap_add(self._filtered(spectra[unseen:], output))
        mx.eval(hops, self._last_hop, self._spectra, self._overlap, self._state, *self._kept)
        return finite(np.array(hops), "the enhancement of speech").reshape(-1)

    @property
    def _kept(self) -> list[mx.array]:
        """The state that the features of later frames depend on."""
        return [self._band_means, self._bin_means, self._audible_frames, self._recent, self._floor, self._loudness]

    def _features(self, spectra: mx.array) -> tuple[mx.array, mx.array]:
        """Band levels minus their running mean [t, ERB_BANDS], low bins divided by theirs [t, DF_BINS, 2].

        The features are those of audio at the training level. The level of the output does not change.
        """
        power = mx.square(mx.real(spectra)) + mx.square(mx.imag(spectra))
        audible = mx.any(power > 0, axis=1).astype(mx.float32)
        raised = self._raised(power, audible)[:, None]
        first = mx.power(DECAY, self._audible_frames + mx.cumsum(audible))[:, None]
        self._audible_frames = self._audible_frames + mx.sum(audible)
        levels = 10 * mx.log10(power @ self._bank + SILENCE * 10 ** (-raised / 10))
        running = _running_means(levels, self._band_means, audible)
        self._band_means = running[-1]
        bands = (levels - running - first * (self._first_band_means - raised)) / BAND_SCALE
        low = spectra[:, :DF_BINS]
        running = _running_means(mx.abs(low), self._bin_means, audible)
        self._bin_means = running[-1]
        means = running * 10 ** (raised / 20) + first * self._first_bin_means
        low = low * (10 ** (raised / 20) * mx.rsqrt(mx.maximum(means, SILENCE)))
        return bands, mx.stack([mx.real(low), mx.imag(low)], axis=-1)

    def _raised(self, power: mx.array, audible: mx.array) -> mx.array:
        """Gain in dB [t] that raises the speech so far to the training level.

        It is 0 before the first speech: the network would take noise at the level of speech for speech.
        """
        level = 10 * mx.log10(4 * mx.sum(power[:, SPEECH], axis=1) + SILENCE)
        recent = mx.concatenate([self._recent, level])
        self._recent = recent[1 - STEADY :]
        steady = mx.min(mx.stack([recent[i : i + len(level)] for i in range(STEADY)]), axis=0)
        floor = mx.minimum(mx.cummin(mx.where(audible > 0, level, np.inf)), self._floor)
        spoken = mx.where(steady > floor + OVER_FLOOR, steady, -np.inf)
        fallen = mx.arange(1, len(level) + 1) * (RELEASE * HOP / RATE)
        loudness = mx.maximum(mx.cummax(spoken + fallen), self._loudness) - fallen
        self._floor, self._loudness = floor[-1], loudness[-1]
        return mx.where(mx.isinf(loudness), 0.0, mx.clip(TRAINED - loudness, 0.0, MOST_RAISED))

    def _filtered(self, spectra: mx.array, output: Filters) -> mx.array:
        """Spectra [t + DF_ORDER - 1, BINS] → [t, BINS]: low bins are filtered over time, others scaled by band."""
        frames = len(output.gains)
        low = mx.zeros((frames, DF_BINS), mx.complex64)
        for i in range(DF_ORDER):
            low = low + spectra[i : i + frames, :DF_BINS] * output.taps[..., i]
        present = spectra[LOOKAHEAD : LOOKAHEAD + frames, DF_BINS:]
        return mx.concatenate([low, present * (output.gains @ self._inverse_bank[:, DF_BINS:])], axis=1)

    def _overlap_add(self, spectra: mx.array) -> mx.array:
        frames = mx.fft.irfft(spectra, FRAME) * (self._window * FRAME)
        tails = mx.concatenate([self._overlap, frames[:, HOP:]])
        self._overlap = tails[-1:]
        return frames[:, :HOP] + tails[:-1]


def _running_means(values: mx.array, first: mx.array, audible: mx.array) -> mx.array:
    """Exponential mean [t, n] of values [t, n] that starts at `first` [n].

    Frames that are not `audible` [t] do not change the mean. Otherwise speech after digital silence would seem noise.
    """
    counts = mx.cumsum(audible)
    ages = counts[:, None] - counts
    mix = mx.tril(mx.power(DECAY, ages)) * (audible * (1 - DECAY))
    return mix @ values + mx.power(DECAY, counts)[:, None] * first
