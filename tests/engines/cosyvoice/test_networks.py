"""CosyVoice 2's networks, small and with weights made from names: the numbers of the reference implementation."""

from __future__ import annotations

import itertools
from importlib.util import find_spec
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from support import tiny_cosyvoice
from support.cosyvoice_runs import REFERENCE, close, tensors
from support.engine_runs import counted, result
from support.small_checkpoints import numbers
from support.tiny_cosyvoice import PROMPT, TOKENS, whole

from speechmlx.engines.cosyvoice.generation import SECOND
from speechmlx.engines.cosyvoice.speech_model import SpeechModel, SpeechPrompt
from speechmlx.engines.parts.campplus import CamPlus
from speechmlx.engines.parts.causal_estimator import CausalEstimator
from speechmlx.engines.parts.hift import Hift
from speechmlx.engines.parts.mel_bands import filters, vocoder_mel, whisper_mel
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.s3_tokenizer import BANDS, S3Tokenizer
from speechmlx.engines.parts.token_flow import FlowPrompt, TokenFlow, second_flow
from speechmlx.engines.parts.torch_random import normal
from speechmlx.engines.parts.upsample_encoder import UpsampleEncoder

LONG = 1e-2
"""Tolerance where errors of many steps add up."""


@pytest.fixture(scope="module")
def flow() -> TokenFlow:
    return second_flow(tensors("flow"), 8, 8, LayerPace())


@pytest.fixture(scope="module")
def hift() -> Hift:
    return Hift(tensors("hift"), LayerPace())


def test_noise_of_a_seed_is_that_of_torch() -> None:
    close(normal(0, 80 * 15_000).reshape(80, -1)[::9, ::997], "noise", 1e-5)


def test_normal_numbers_that_are_no_whole_block() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        normal(0, 15)
    assert np.isfinite(normal(3, 37)).all()


@pytest.mark.parametrize("kind", ["chunked", "full"])
def test_encoder(kind: str) -> None:
    encoder = UpsampleEncoder(tensors("flow").under("encoder"), 8, 25)
    close(encoder(mx.array(numbers(1, 1, 40, 512)), chunked=kind == "chunked")[0, :, ::32], f"encoder_{kind}")


@pytest.mark.parametrize("kind", ["chunked", "full"])
def test_estimator(kind: str) -> None:
    estimator = CausalEstimator(tensors("flow").under("decoder.estimator"), 8, 50)
    x, content, known = (numbers(seed, 2, 80, 120).transpose(0, 2, 1) for seed in (2, 3, 5))
    speaker = np.broadcast_to(numbers(4, 2, 80)[:, None], x.shape)
    given = mx.array(np.concatenate([x, content, speaker, known], axis=-1))
    found = estimator(given, mx.full((2,), 0.3), chunked=kind == "chunked")
    close(np.array(found).transpose(0, 2, 1)[:, ::8, ::3], f"estimator_{kind}")


@pytest.mark.parametrize(
    ("kind", "prompt", "count", "is_last"),
    [
        ("chunked", PROMPT, 60, True),
        ("full", PROMPT, 60, True),
        ("part", PROMPT, 28, False),
        ("bare", FlowPrompt(PROMPT.speaker), 60, True),
    ],
)
def test_flow(flow: TokenFlow, kind: str, prompt: FlowPrompt, count: int, is_last: bool) -> None:
    mel = result(flow.spectrogram(prompt, TOKENS[:count], is_last, chunked=kind != "full"))
    close(np.array(mel).T[::8, ::2], f"flow_{kind}", LONG)


def test_a_part_of_the_tokens_gives_the_beginning_of_the_spectrogram(flow: TokenFlow) -> None:
    every = np.array(result(flow.spectrogram(PROMPT, TOKENS)))
    part = np.array(result(flow.spectrogram(PROMPT, TOKENS[:28], is_last=False)))
    assert part.shape == (50, 80) and every.shape == (120, 80)
    np.testing.assert_allclose(part, every[:50], atol=1e-4)


def test_vocoder(hift: Hift) -> None:
    mel = mx.array(numbers(10, 1, 80, 40).transpose(0, 2, 1))
    pitch = np.array(hift.pitch(mel))
    close(pitch, "pitch")
    assert 0 < (pitch > 10).mean() < 1
    source = hift.source(5).push(pitch, is_last=True)
    close(source[::7], "source")
    close(result(hift.samples(mel, mx.array(source)))[::5], "samples", LONG)


def test_steps_of_the_vocoder_are_some_layers_and_change_nothing(hift: Hift, monkeypatch: pytest.MonkeyPatch) -> None:
    mel, source = mx.array(numbers(10, 1, 40, 80)), mx.array(numbers(11, 40 * 480))
    wanted = result(hift.samples(mel, source))
    monkeypatch.setattr(hift, "_pace", LayerPace(clock=itertools.count(step=10).__next__))  # 10 s a step: a layer each
    for _ in range(3):
        steps, found = counted(hift.samples(mel, source))
        np.testing.assert_array_equal(np.array(found), np.array(wanted))
    assert steps == 3 * (1 + 3)


def test_tokens_to_sound(flow: TokenFlow, hift: Hift) -> None:
    mel = result(flow.spectrogram(PROMPT, TOKENS))[None]
    source = hift.source(6).push(np.array(hift.pitch(mel)), is_last=True)
    close(result(hift.samples(mel, mx.array(source)))[::11], "whole_path", LONG)


def test_language_model() -> None:
    model = SpeechModel({**tiny_cosyvoice.TEXT, "vocab_size": 200}, SECOND)
    model.load_weights([(name, mx.array(tensor)) for name, tensor in tiny_cosyvoice.part("lm").items()])
    speech = whole(13, 6561, 9)
    tokens = SpeechPrompt(whole(11, 200, 4), whole(12, 200, 6), speech).tokens(SECOND)
    assert tokens[0] == 6564 and tokens[11] == 6565 and tokens[12:] == list(speech)
    close(model(mx.array([tokens]))[0, -3:, ::41], "logits")


def test_tokens_of_a_recording() -> None:
    samples = numbers(14, 16_000) * np.float32(0.1)
    close(whisper_mel(samples, BANDS)[::5, ::8], "whisper_mel")
    found = result(S3Tokenizer(tensors("s3"), 1e-6, LayerPace()).tokens(samples))
    assert list(found) == REFERENCE["s3_tokens"].tolist() and len(set(found)) > 5


def test_embedding_of_a_voice() -> None:
    close(result(CamPlus(tensors("campplus"), LayerPace()).embedding(mx.array(numbers(15, 230, 80)))), "speaker")


def test_filters_are_those_of_whisper() -> None:
    found = find_spec("mlx_whisper")
    assert found is not None and found.origin is not None
    with np.load(Path(found.origin).parent / "assets" / "mel_filters.npz") as banks:
        np.testing.assert_allclose(filters(16_000, 400, BANDS, 8000), banks[f"mel_{BANDS}"].T, atol=1e-6)


def test_spectrogram_of_a_tone_has_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(24_000) / 24_000).astype(np.float32)
    mel = vocoder_mel(tone, 24_000, 1920, 480, 80, 8000.0)
    bank = filters(24_000, 1920, 80, 8000.0)
    assert mel.shape == (50, 80)
    assert (mel[5:-5].argmax(axis=1) == bank[80].argmax()).all()  # bin 80 is 1 kHz
