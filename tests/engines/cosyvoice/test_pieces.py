"""What is made in pieces is what the whole gives: the source, the vocoder, the tempo, and all of the sound."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from support.cosyvoice_runs import tensors
from support.engine_runs import result
from support.small_checkpoints import numbers

from speechmlx.engines.cosyvoice.utterance_sound import FADE, Tempo, UtteranceSound, faded
from speechmlx.engines.parts.harmonic_source import HarmonicSource
from speechmlx.engines.parts.hift import Hift
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.token_flow import BANDS, FlowPrompt, TokenFlow, second_flow
from speechmlx.engines.parts.vocoder_stream import VocoderStream

ROUNDING = 1e-2
"""Products of other sizes are rounded otherwise, and random weights make much of it. Samples go from -1 to 1."""
SIZES = [[90], [50, 40], [1, 2, 3, 30, 54], [20, 0, 70]]


def parts(sizes: Sequence[int]) -> list[slice]:
    ends = np.cumsum([0, *sizes])
    return [slice(int(first), int(end)) for first, end in pairwise(ends)]


@pytest.fixture(scope="module")
def hift() -> Hift:
    return Hift(tensors("hift"), LayerPace())


@pytest.fixture(scope="module")
def flow() -> TokenFlow:
    return second_flow(tensors("flow"), 8, 8, LayerPace())


@pytest.mark.parametrize("sizes", SIZES[1:])
def test_source(sizes: list[int]) -> None:
    pitch = np.abs(numbers(1, 90)) * 40

    def source() -> HarmonicSource:
        return HarmonicSource(numbers(2, 9), numbers(3, 1), 24_000, 480, np.random.default_rng(4))

    whole, piecewise = source().push(pitch, is_last=True), source()
    cuts = parts(sizes)
    found = [piecewise.push(pitch[cut], cut == cuts[-1]) for cut in cuts]
    assert len(whole) == 90 * 480
    np.testing.assert_allclose(np.concatenate(found), whole, atol=1e-6)


@pytest.mark.parametrize("sizes", SIZES[1:])
def test_vocoder(hift: Hift, sizes: list[int]) -> None:
    mel = numbers(5, 90, BANDS)
    whole, piecewise = result(VocoderStream(hift, BANDS, 1).push(mel, is_last=True)), VocoderStream(hift, BANDS, 1)
    cuts = parts(sizes)
    found = [result(piecewise.push(mel[cut], cut == cuts[-1])) for cut in cuts]
    assert len(whole) == 90 * 480 and np.abs(whole).mean() > 0.1
    np.testing.assert_allclose(np.concatenate(found), whole, atol=ROUNDING)
    if len(sizes) == 2:
        assert len(found[0]) == (50 - 5 - 1 - 15) * 480


def test_vocoder_holds_no_more_the_longer_the_sound_is(hift: Hift) -> None:
    stream, held = VocoderStream(hift, BANDS, 1), []
    for _ in range(6):
        result(stream.push(numbers(6, 30, BANDS)))
        held.append(len(stream._mel))
    assert held[-1] == held[-2] == held[-3] < 60


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.0, 1.25, 2.0])
@pytest.mark.parametrize("sizes", SIZES)
def test_tempo(speed: float, sizes: list[int]) -> None:
    mel, tempo = numbers(7, 90, BANDS), Tempo(speed)
    cuts = parts(sizes)
    found = np.concatenate([tempo.push(mel[cut], cut == cuts[-1]) for cut in cuts])
    places = np.clip((np.arange(int(90 / speed)) + 0.5) * speed - 0.5, 0, 89)
    wanted = np.stack([np.interp(places, np.arange(90), band) for band in mel.T], axis=1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def heard(sound: UtteranceSound, tokens: Sequence[int], step: int) -> list[np.ndarray]:
    """The sound of tokens that come `step` at a time."""
    found, count = [], 0
    while not sound.finished:
        count = min(count + step, len(tokens))
        while sound.is_due(count, count == len(tokens)):
            found.append(result(sound.piece(tokens[:count], count == len(tokens))))
    return found


@pytest.mark.parametrize(("before", "speed"), [(0, 1.0), (7, 1.3), (25, 1.0)])
def test_sound(flow: TokenFlow, hift: Hift, before: int, speed: float) -> None:
    """Tokens that come one by one sound as those that are there at once, from the same computation in one piece."""
    random = np.random.RandomState(8)
    mel = numbers(9, 2 * before, BANDS) if before else None
    prompt = FlowPrompt(numbers(10, 192), tuple(random.randint(0, 40, before).tolist()), mel)
    tokens = random.randint(0, 40, 40).tolist()
    piecewise = heard(UtteranceSound(flow, hift, prompt, speed, 2, 1 << 40), tokens, 1)
    at_once = heard(UtteranceSound(flow, hift, prompt, speed, 2), tokens, 40)
    mel = np.array(result(flow.spectrogram(prompt, tokens)))
    whole = result(VocoderStream(hift, BANDS, 2).push(Tempo(speed).push(mel, True), True))
    whole = faded(whole, round(FADE * 24_000))
    assert len(piecewise) >= 2 and len(piecewise[0])
    np.testing.assert_allclose(np.concatenate(piecewise), whole, atol=ROUNDING)
    np.testing.assert_allclose(np.concatenate(at_once), whole, atol=ROUNDING)


def test_the_first_sound_waits_for_one_chunk(flow: TokenFlow, hift: Hift) -> None:
    sound = UtteranceSound(flow, hift, FlowPrompt(numbers(10, 192), (1,) * 50, numbers(9, 100, BANDS)), 1.0, 0)
    assert not sound.is_due(27, False) and sound.is_due(28, False)
    short = UtteranceSound(flow, hift, FlowPrompt(numbers(10, 192), (1,) * 7, numbers(9, 14, BANDS)), 1.0, 0)
    assert not short.is_due(20, False) and short.is_due(21, False)  # 7 + 18 fill the first chunk
