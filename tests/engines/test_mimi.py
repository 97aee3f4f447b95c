"""Mimi against its reference, on small random weights (scripts/parity/moshi.py)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support import tiny_moshi
from support.tiny_moshi import CODEC, DATA

from speechmlx.engines.parts import mimi
from speechmlx.engines.parts.mimi import NO_CODE, Mimi, MimiSizes, StackedRows

FRAMES, CODES = 50, 8


def noise(frames: int) -> Any:
    """The sound that the reference heard [frames, 1920]."""
    samples = 0.3 * np.random.RandomState(1).standard_normal((1, 1, frames * 1920)).astype(np.float32)
    return samples.reshape(frames, 1920)


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    with np.load(DATA / "moshi_personaplex.npz") as stored:
        return {key: stored[key] for key in ("codes", "decoded")}


@pytest.fixture(scope="module")
def codec() -> Mimi:
    sizes = MimiSizes.of(CODEC)
    made = Mimi(sizes)
    weights = {name: mx.array(one) for name, one in tiny_moshi.weights("codec").items()}
    made.load_weights(list(mimi.own_weights(weights, sizes).items()))
    mx.eval(made.parameters())  # as a loader does: no graph of a frame has what made them
    return made


def test_codec_encodes_as_the_reference(codec: Mimi, reference: dict[str, Any]) -> None:
    found = []
    state = codec.encoding(1)
    for frame in noise(FRAMES):
        one, state = codec.encode(mx.array(frame[None]), state)
        found.append(np.array(one[0]))
    assert np.array_equal(found, reference["codes"])


def test_codes_are_those_of_squares_that_are_computed_anew(codec: Mimi) -> None:
    """Bit for bit; but a frame computes none."""
    x = mx.array(np.random.RandomState(3).standard_normal((2, 40, CODEC["dim"])).astype(np.float32))
    for part in (codec.quantizer.first, codec.quantizer.rest):
        left, (codes, nearness) = part.input_proj(x), part.encode(x)
        graph = io.StringIO()
        mx.export_to_dot(graph, *codes, nearness)
        assert "ArgReduce" in graph.getvalue() and "Sum" not in graph.getvalue()
        for entries, found in zip(part.entries, codes, strict=True):
            expected = left @ entries.T - 0.5 * mx.sum(entries * entries, axis=1)
            assert np.array_equal(found, mx.argmax(expected, axis=-1))
            left = left - entries[found]
        assert np.array_equal(nearness, expected)


def test_codec_decodes_as_the_reference(codec: Mimi, reference: dict[str, Any]) -> None:
    found = []
    state = codec.decoding(1)
    for frame in np.random.RandomState(2).randint(0, 2048, (FRAMES, 1, 8)):
        sound, state = codec.decode(mx.array(frame.astype(np.int32)), state)
        found.append(np.array(sound[0, ::16]))
    assert np.abs(np.array(found) - reference["decoded"]).max() < 1e-3


def test_rows_of_the_codec_that_join_and_leave_are_as_alone(codec: Mimi) -> None:
    sounds = noise(3 * 16).reshape(3, 16, 1920)

    def through(pieces: Sequence[Any]) -> list[Any]:
        state, found = codec.encoding(1), []
        for piece in pieces:
            heard, state = codec.encode(mx.array(piece[None]), state)
            found.append(np.array(heard)[0].tolist())
        return found

    stack = StackedRows()
    together: dict[str, list[Any]] = {name: [] for name in "abc"}
    at = dict.fromkeys("abc", 0)
    for name in "abc":
        stack.add(name, codec.encoding(1))
    for rows in ("a", "ab", "ab", "abc", "cb", "cb", "b", "abc", "abc"):
        pieces = [sounds["abc".index(name), at[name]] for name in rows]
        heard, after = codec.encode(mx.array(np.stack(pieces)), stack.take(rows))
        stack.put(after)
        for name, one in zip(rows, np.array(heard).tolist(), strict=True):
            together[name].append(one)
            at[name] += 1
    for place, name in enumerate("abc"):
        assert together[name] == through(sounds[place, : at[name]])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_sound_that_is_no_number_has_no_codes(codec: Mimi, value: float) -> None:
    """Not those of the first entries. The row beside it has its own."""
    sounds = noise(2)
    sounds[1, 7] = value
    found, _ = codec.encode(mx.array(sounds), codec.encoding(2))
    alone, _ = codec.encode(mx.array(sounds[:1]), codec.encoding(1))
    assert np.array(found).tolist() == [*np.array(alone).tolist(), [NO_CODE] * CODES]


@pytest.mark.parametrize("part", ["first", "rest", "first entries", "entries", "last entries"])
def test_weights_that_are_no_numbers_give_no_codes(codec: Mimi, part: str) -> None:
    first, rest = codec.quantizer.first, codec.quantizer.rest
    weights = {
        "first": first.input_proj.weight,
        "rest": rest.input_proj.weight,
        "first entries": first.entries[0],
        "entries": rest.entries[0],
        "last entries": rest.entries[-1],
    }
    weight = weights[part]
    kept = np.array(weight)
    weight[:] = mx.nan
    codes = np.array(codec.encode(mx.array(noise(1)), codec.encoding(1))[0])
    weight[:] = mx.array(kept)
    assert codes.tolist() == [[NO_CODE] * CODES]


def test_the_codec_keeps_the_same_bytes_however_long_it_runs(codec: Mimi) -> None:
    state = codec.encoding(1)
    before = [one.shape for one in state]
    for frame in noise(8):
        _, state = codec.encode(mx.array(frame[None]), state)
        mx.eval(state)
    assert [one.shape for one in state] == before
    assert CODEC["context"] < 2 * 8
