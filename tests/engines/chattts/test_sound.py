"""The sound of ChatTTS in pieces: it is that of the whole, and each piece costs what it adds, not what came before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray
from support.engine_runs import counted, result
from support.small_checkpoints import numbers
from support.tiny_chattts import WIDTH, made, shapes

from speechmlx.engines.chattts.mel_decoder import MelDecoder
from speechmlx.engines.chattts.sound import MOST, ChatSound
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.parts.pace import Layer, LayerPace, framed, same
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.vocos import HOP, VocosDecoder
from speechmlx.models.convert import chattts

LONG = 420


@pytest.fixture(scope="module")
def decoder() -> MelDecoder:
    weights = chattts.decoder(made(shapes()["Decoder"]))
    return MelDecoder(Tensors({name: mx.array(tensor) for name, tensor in weights.items()}))


@pytest.fixture(scope="module")
def vocoder() -> VocosDecoder:
    weights = chattts.vocoder(made(shapes()["Vocos"]))
    return VocosDecoder({name: mx.array(tensor) for name, tensor in weights.items()})


def states(count: int) -> list[mx.array]:
    return list(mx.array(numbers(1, LONG, WIDTH)[:count]))


def pieces(speech: ChatSound, given: list[mx.array], step: int) -> Iterator[NDArray[np.float32]]:
    """The samples of pieces, while `step` states come at a time."""
    known = 0
    while not speech.finished:
        known = min(known + step, len(given))
        while speech.is_due(known, known == len(given)):
            yield result(speech.piece(given[:known], known == len(given)))


@pytest.mark.parametrize("count", [1, 2, 30, 75, LONG])
def test_a_stream_is_the_whole(decoder: MelDecoder, vocoder: VocosDecoder, count: int) -> None:
    given = states(count)
    whole = np.array(vocoder(decoder(mx.stack(given))[None]))
    assert len(whole) == (2 * count - 1) * HOP and np.abs(whole).max() > 0.01
    for step in (1, 7, 1000):
        found = list(pieces(ChatSound(decoder, vocoder, LayerPace()), given, step))
        assert all(len(piece) for piece in found)
        np.testing.assert_allclose(np.concatenate(found), whole, atol=1e-5)
    assert len(found) == {1: 1, 2: 1, 30: 2, 75: 3, LONG: 7}[count]


def test_steps_are_some_layers_and_change_nothing(decoder: MelDecoder, vocoder: VocosDecoder) -> None:
    given, small = states(30), LayerPace(clock=itertools.count(step=10).__next__)  # 10 s a step: a layer each
    for _ in range(3):  # the first times it learns
        steps, samples = counted(ChatSound(decoder, vocoder, small).piece(given, True))
    few, wanted = counted(ChatSound(decoder, vocoder, LayerPace()).piece(given, True))
    np.testing.assert_array_equal(samples, wanted)
    assert few < len(decoder.layers()) + len(vocoder.layers()) == steps


def test_a_piece_is_computed_from_what_it_depends_on(decoder: MelDecoder, vocoder: VocosDecoder) -> None:
    """No network is asked for more than a piece and what is around it, however long the speech is."""
    asked: list[int] = []

    class Counting(MelDecoder):
        def layers(self) -> list[Layer]:
            return framed(self.noted, super().layers(), same)

        @staticmethod
        def noted(states: mx.array) -> mx.array:
            asked.append(states.shape[1])
            return states

    counting = Counting(decoder._tensors)
    list(pieces(ChatSound(counting, vocoder, LayerPace()), states(LONG), 1))
    around = -(-decoder.reach // 2)
    assert len(asked) > 4 and max(asked) <= MOST + 2 * around + (vocoder.reach + 1) // 2 + MOST


def test_the_published_sizes_reach_as_far_as_they_are_known_to() -> None:
    """38 states and 27 frames, and two frames that overlap."""
    decoder = MelDecoder(Tensors({f"decoder.decoder_block.{n}.weight": mx.zeros(1) for n in range(12)}))
    assert decoder.reach == 75


def test_numbers_that_are_none_are_an_error(decoder: MelDecoder, vocoder: VocosDecoder) -> None:
    speech = ChatSound(decoder, vocoder, LayerPace())
    with pytest.raises(NotFinite, match="the synthesis of speech"):
        list(pieces(speech, [mx.full((WIDTH,), mx.nan)] * 4, 4))
