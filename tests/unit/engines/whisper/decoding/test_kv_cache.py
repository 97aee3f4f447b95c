"""The key-value cache of a batch: rows come, go and change places, and each keeps its own tokens and audio."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import numpy as np
import pytest
from support.small_whisper import VOCABULARY, audio, network

from speechmlx.engines.whisper.decoding import kv_cache
from speechmlx.engines.whisper.decoding.kv_cache import BatchCache
from speechmlx.engines.whisper.decoding.prefill import prefill
from speechmlx.engines.whisper.model.network import Pair

NET = network()


def alone(tokens: Sequence[int], seed: int, places: int) -> np.ndarray:
    return np.array(prefill(NET, VOCABULARY, [tokens], audio(NET, seed, places)).logits)[0]


class Rows:
    """Rows of random tokens in a cache, each with the seed and the places of its audio."""

    def __init__(self, cache: BatchCache) -> None:
        self.cache = cache
        self.rows: list[tuple[list[int], int, int]] = []
        self._draw = np.random.default_rng(1)

    def join(self, length: int, seed: int, places: int) -> None:
        prompt = [VOCABULARY.sot, *self._draw.integers(0, 1000, length - 1).tolist()]
        seat = self.cache.take(audio(NET, seed, places))
        read = prefill(NET, VOCABULARY, [prompt], audio(NET, seed, places))
        self.cache.begin(seat, read.pairs, length)
        self.rows.append((prompt, seed, places))

    def leave(self, row: int) -> None:
        self.cache.leave(row)
        last = self.rows.pop()
        if row < len(self.rows):
            self.rows[row] = last

    def step(self) -> None:
        """A random token for each row: the logits are those of the row alone."""
        for tokens, _, _ in self.rows:
            tokens.append(int(self._draw.integers(0, 1000)))
        self.cache.begin_step()
        last = mx.array([[tokens[-1]] for tokens, _, _ in self.rows])
        positions = mx.array(np.array(self.cache.lengths, np.int32) - 1)[:, None]
        masks = self.cache.mask(), self.cache.cross_mask()
        hidden, _ = NET.decoder(last, positions, self.cache, self.cache.cross(), *masks)
        logits = np.array(NET.decoder.logits(hidden[:, -1]))
        for row, expected in zip(logits, (alone(*row) for row in self.rows), strict=True):
            np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("spare", [1, 64])
def test_each_row_is_as_alone_whoever_comes_and_goes(
    spare: int, pipelined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_cache, "SPARE", spare)
    cache = BatchCache(NET.dims, 4, mx.float32, columns=12 + spare, pipelined=pipelined)
    rows = Rows(cache)
    rows.join(3, seed=1, places=40)
    rows.step()
    rows.join(2, seed=2, places=55)
    rows.join(7, seed=3, places=30)
    for _ in range(3):
        rows.step()
    rows.leave(0)
    rows.step()
    rows.join(2, seed=4, places=20)
    rows.step()
    assert cache.rows == 3 and cache.audio_places == [30, 55, 20]


@pytest.mark.parametrize("place", [0, 2])
def test_a_seat_that_held_no_numbers_is_clean_afterwards(place: int) -> None:
    """Masks hide what a seat held before by adding to it, and NaN stays NaN."""
    cache = BatchCache(NET.dims, 3, mx.float32)
    rows = Rows(cache)
    for length, seed, places in ((6, 1, 55), (3, 2, 40), (8, 3, 60)):
        rows.join(length, seed, places)
    for array in cache._arrays():
        array[2] = mx.nan
    if place == 0:  # the seat that it had keeps a copy
        rows.leave(0)
    cache.leave(rows.rows.index(next(row for row in rows.rows if row[1] == 3)), wipe=True)
    rows.rows = [row for row in rows.rows if row[1] != 3]
    rows.join(2, seed=4, places=20)
    rows.join(2, seed=5, places=20) if place == 0 else None
    rows.step()
    assert cache.rows == 3


def test_an_empty_cache_holds_no_memory() -> None:
    cache = BatchCache(NET.dims, 2, mx.float32)
    rows = Rows(cache)
    rows.join(3, 1, 40)
    assert cache._arrays()
    rows.leave(0)
    assert not cache._arrays() and cache.rows == 0


def test_masks_are_none_where_rows_are_alike() -> None:
    rows = Rows(BatchCache(NET.dims, 2, mx.float32))
    rows.join(3, 1, 40)
    rows.join(3, 2, 40)
    assert rows.cache.mask() is None and rows.cache.cross_mask() is None
    rows.leave(1)
    rows.join(4, 2, 41)
    mask, cross_mask = rows.cache.mask(), rows.cache.cross_mask()
    assert mask is not None and (np.array(mask)[:, 0, 0] == 0).sum(axis=-1).tolist() == [3, 4]
    assert cross_mask is not None and (np.array(cross_mask)[:, 0, 0] == 0).sum(axis=-1).tolist() == [40, 41]


@pytest.mark.parametrize("pipelined", [False, True])
def test_reorder_copies_rows_that_share_their_audio(pipelined: bool) -> None:
    rows = Rows(BatchCache(NET.dims, 3, mx.float32, pipelined=pipelined))
    for _ in range(3):
        rows.join(3, 1, 40)
    rows.step()
    rows.cache.reorder([2, 2])
    rows.rows = [(list(rows.rows[2][0]), 1, 40) for _ in range(2)]
    rows.step()


class HeldCache(BatchCache):
    """Holds what the last step reads, as a GPU does until that step has ended."""

    def __init__(self, pipelined: bool) -> None:
        super().__init__(NET.dims, 8, mx.float32, pipelined=pipelined)
        self._reading: list[Pair] = []
        self._before: list[Pair] = []

    def begin_step(self) -> None:
        super().begin_step()
        self._before, self._reading = self._reading, []

    def update(self, layer: int, k: mx.array, v: mx.array) -> Pair:
        self._reading.append(super().update(layer, k, v))
        return self._reading[-1]


def copied_per_step(rows: int, pipelined: bool) -> float:
    """The most memory that a step takes for the time that it runs, as a share of all keys and values of the tokens."""
    held = Rows(HeldCache(pipelined))
    for seed in range(rows):
        held.join(3, seed, 40)
    for _ in range(3):
        held.step()
    own = sum(array.nbytes for pair in held.cache._own for array in pair)
    held.cache.begin_step()
    positions = mx.array(np.array(held.cache.lengths, np.int32) - 1)[:, None]
    mx.synchronize()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    hidden, _ = NET.decoder(mx.ones((rows, 1), mx.int32), positions, held.cache, held.cache.cross(), None)
    mx.eval(hidden)
    return (mx.get_peak_memory() - before) / own


@pytest.mark.parametrize("rows", [1, 8])
def test_a_step_launched_while_another_reads_copies_no_array(rows: int) -> None:
    assert copied_per_step(rows, pipelined=False) > 0.9
    assert copied_per_step(rows, pipelined=True) < 0.2
