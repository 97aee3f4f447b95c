"""CosyVoice 1's networks: the reference implementation's numbers, what comes in pieces, and the published names."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

import mlx.core as mx
import numpy as np
import pytest
from support.cosyvoice_runs import EXACT, Recorded, given
from support.engine_runs import result
from support.small_checkpoints import numbers, read_json_gz
from support.tiny_cosyvoice import DATA, whole
from support.tiny_cosyvoice_first import PROMPT, part, tensors

from speechmlx.engines.cosyvoice.encoded_text_model import EncodedTextModel
from speechmlx.engines.cosyvoice.generation import FIRST, FIRST_SPEECH_TOKENS
from speechmlx.engines.cosyvoice.speech_model import SpeechPrompt
from speechmlx.engines.cosyvoice.text_tokens import WhisperTokens
from speechmlx.engines.cosyvoice.utterance_sound import FADE, Tempo, faded
from speechmlx.engines.cosyvoice.whole_sound import PIECE, WholeSound
from speechmlx.engines.lm.kv_cache import new_cache
from speechmlx.engines.parts import hift as vocoder
from speechmlx.engines.parts.hift import Hift
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.relative_encoder import embedded, encoded
from speechmlx.engines.parts.resampled_flow import RATE, ResampledFlow, frames_of
from speechmlx.engines.parts.s3_tokenizer import FirstS3Tokenizer
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.token_flow import BANDS, FlowPrompt
from speechmlx.engines.parts.unet_estimator import UNetEstimator
from speechmlx.engines.parts.vocoder_stream import VocoderStream
from speechmlx.models.convert import cosyvoice as converter
from speechmlx.models.spec import SourceFailed

REFERENCE = np.load(DATA / "cosyvoice1.npz")
PUBLISHED = read_json_gz(DATA / "cosyvoice1_published.json.gz")
LONG = 1e-2
"""Tolerance where errors of many steps add up."""
WORDS, SAID = whole(12, 51_866, 10), whole(13, FIRST_SPEECH_TOKENS, 9)
FRAME = 256


def close(found: Any, name: str, tolerance: float = EXACT) -> None:
    """Compare with the reference implementation's numbers of a name."""
    wanted = REFERENCE[name]
    assert np.abs(wanted).max() > 10 * tolerance, f"{name} is too small to compare"
    np.testing.assert_allclose(np.array(found), wanted, atol=tolerance, rtol=tolerance, err_msg=name)


@pytest.fixture(scope="module")
def model() -> EncodedTextModel:
    model = EncodedTextModel(tensors("lm"), FIRST)
    list(model.prepare(60, 16))
    return model


@pytest.fixture(scope="module")
def flow() -> ResampledFlow:
    return ResampledFlow(tensors("flow"), 8, 8, LayerPace())


@pytest.fixture(scope="module")
def hift() -> Hift:
    return Hift(tensors("hift"), LayerPace(), vocoder.FIRST)


def test_text_encoder() -> None:
    lm = tensors("lm")
    encoder, text = lm.under("text_encoder"), lm["text_embedding.weight"][mx.array([WORDS])]
    x = encoded(encoder, "encoders", embedded(encoder, "embed", text), 4, chunk=1)
    close(lm.linear("text_encoder_affine_layer", encoder.norm("after_norm", x))[0, :, ::4], "text")


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("logits", SpeechPrompt(WORDS[:4], WORDS[4:], SAID, numbers(8, 192))),
        ("logits_plain", SpeechPrompt(WORDS[:4], WORDS[4:])),
    ],
)
def test_language_model(model: EncodedTextModel, name: str, prompt: SpeechPrompt) -> None:
    """A prompt in two parts, its last token from the table, and two tokens after it."""
    tokens, read = prompt.tokens(FIRST), model.given(prompt)
    assert read.shape[1] == len(tokens) and tokens[-1] in (SAID[-1], FIRST_SPEECH_TOKENS + 1)
    cache, end = new_cache(model), len(tokens) - 1
    for some in (slice(0, 5), slice(5, end)):
        model(mx.array([tokens[some]]), cache, read[:, some])
    found = [model(mx.array([[token]]), cache)[0, -1] for token in (tokens[-1], 100, 4000)]
    close(mx.stack(found)[:, ::41], name)


def test_narrow_language_model() -> None:
    narrow = {name: mx.array(tensor).astype(mx.float16) for name, tensor in part("lm").items()}
    model = EncodedTextModel(Tensors(narrow), FIRST)
    list(model.prepare(60, 30))
    prompt = SpeechPrompt(WORDS[:4], WORDS[4:], SAID, numbers(8, 192))
    found = model(mx.array([prompt.tokens(FIRST)]), new_cache(model), model.given(prompt))[0, -1:]
    assert found.dtype == mx.float16
    np.testing.assert_allclose(np.array(found)[:, ::41], REFERENCE["logits"][:1], atol=0.02)


def test_estimator() -> None:
    x, content, known = (numbers(seed, 2, 80, 45).transpose(0, 2, 1) for seed in (2, 3, 5))
    speaker = np.broadcast_to(numbers(4, 2, 80)[:, None], x.shape)
    estimator = UNetEstimator(tensors("flow").under("decoder.estimator"), 8)
    joined = mx.array(np.concatenate([x, content, speaker, known], axis=-1))
    found = result(estimator.steps(joined, mx.full((2,), 0.3), LayerPace()))
    close(np.array(found).transpose(0, 2, 1)[:, ::8, ::3], "estimator")


@pytest.mark.parametrize(
    ("name", "count", "prompt"), [("long", 61, PROMPT), ("short", 30, PROMPT), ("bare", 61, FlowPrompt(PROMPT.speaker))]
)
def test_flow(flow: ResampledFlow, name: str, count: int, prompt: FlowPrompt) -> None:
    mel = np.array(result(flow.spectrogram(prompt, whole(9, FIRST_SPEECH_TOKENS, count), 7)))
    assert mel.shape == (frames_of(count), BANDS)
    close(mel.T[::8, ::2], f"flow_{name}", LONG)


def test_vocoder(hift: Hift) -> None:
    mel = mx.array(numbers(10, 1, 80, 40).transpose(0, 2, 1))
    pitch = np.array(hift.pitch(mel))
    close(pitch, "pitch")
    assert 0 < (pitch > 10).mean() < 1
    source = hift.source(5).push(pitch, is_last=True)
    close(source[::37], "source")
    close(result(hift.samples(mel, mx.array(source)))[::37], "samples", LONG)


def test_tokens_to_sound(flow: ResampledFlow, hift: Hift) -> None:
    tokens = whole(9, FIRST_SPEECH_TOKENS, 61)
    mel = result(flow.spectrogram(PROMPT, tokens, 7))[None]
    source = hift.source(6).push(np.array(hift.pitch(mel)), is_last=True)
    close(result(hift.samples(mel, mx.array(source)))[::61], "whole_path", LONG)


def test_tokens_of_a_recording() -> None:
    tokenizer = FirstS3Tokenizer(tensors("s3"), LayerPace())
    found = result(tokenizer.of_mel(mx.array(numbers(14, 1, 128, 101)[0].T)))
    assert list(found) == REFERENCE["s3_tokens"].tolist() and len(found) == 51 and len(set(found)) > 5


@pytest.mark.parametrize("sizes", [(50, 40), (1, 2, 3, 30, 54), (20, 0, 70)])
def test_vocoder_in_pieces(hift: Hift, sizes: tuple[int, ...]) -> None:
    mel = numbers(5, 90, BANDS)
    at_once, piecewise = result(VocoderStream(hift, BANDS, 1).push(mel, is_last=True)), VocoderStream(hift, BANDS, 1)
    ends = np.cumsum(sizes).tolist()
    found = [result(piecewise.push(mel[end - size : end], end == 90)) for end, size in zip(ends, sizes, strict=True)]
    assert len(at_once) == 90 * FRAME and np.abs(at_once).mean() > 0.1
    np.testing.assert_allclose(np.concatenate(found), at_once, atol=LONG)


class MadeFlow:
    """Gives a spectrogram for the prompt, the tokens and the seed that it knows."""

    def __init__(self, mel: np.ndarray, *known: object) -> None:
        self._mel, self._known = mel, known

    def spectrogram(self, *given: object) -> Generator[None, None, mx.array]:
        assert given == self._known
        yield
        return mx.array(self._mel)


@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_sound_comes_in_pieces_once_all_tokens_are_there(hift: Hift, speed: float) -> None:
    tokens, mel = whole(15, FIRST_SPEECH_TOKENS, 150), numbers(16, frames_of(150), BANDS)
    sound = WholeSound(cast(ResampledFlow, MadeFlow(mel, PROMPT, tokens, 3)), hift, PROMPT, speed, 3)
    assert not sound.is_due(150, is_whole=False)
    found = []
    while sound.is_due(150, is_whole=True):
        found.append(result(sound.piece(tokens, True)))
    at_once = result(VocoderStream(hift, BANDS, 3).push(Tempo(speed).push(mel, True), True))
    assert len(found) == 2 and len(at_once) == int(frames_of(150) / speed) * FRAME > PIECE
    np.testing.assert_allclose(np.concatenate(found), faded(at_once, round(FADE * RATE)), atol=LONG)


def test_published_names_of_the_language_model() -> None:
    weights = Recorded.of(converter.first_language_model(given(PUBLISHED["llm.pt"])))
    assert len(weights) == len(PUBLISHED["llm.pt"]) - 1 == 400  # two tables are one
    model = EncodedTextModel(Tensors(weights), FIRST)
    list(model.prepare(20, 20))
    prompt, cache = SpeechPrompt((1, 2), (3,), (4,), numbers(8, 192)), new_cache(model)
    model(mx.array([prompt.tokens(FIRST)]), cache, model.given(prompt))
    assert model(mx.array([[5]]), cache).shape == (1, 1, FIRST.logits)
    assert weights.used == set(weights)


def test_published_names_of_the_flow() -> None:
    weights = Recorded.of(converter.flow(given(PUBLISHED["flow.pt"])))
    assert len(weights) == 1185
    flow = ResampledFlow(Tensors(weights), 8, 8, LayerPace())
    prompt = FlowPrompt(numbers(8, 192), (1, 2), numbers(7, 3, BANDS))
    conditions, before = result(flow.conditions(prompt, range(30)))
    assert conditions.shape == (1, 3 + frames_of(30), 3 * BANDS) and before == 3
    steps = flow.direction(mx.zeros((1, 3 + frames_of(30), BANDS)), conditions, 0.5)
    assert result(steps).shape == (1, 3 + frames_of(30), BANDS)
    assert weights.used == set(weights)


def test_published_names_of_the_vocoder() -> None:
    weights = Recorded.of(converter.hift(given(PUBLISHED["hift.pt"]), transposed=True))
    hift = Hift(Tensors(weights), LayerPace(), vocoder.FIRST)
    assert hift.pitch(mx.zeros((1, 40, BANDS))).shape == (40,)
    assert result(hift.samples(mx.zeros((1, 40, BANDS)), mx.zeros(40 * FRAME))).shape == (40 * FRAME,)
    assert hift.source(0) is not None
    assert weights.used == set(weights)


def test_an_unknown_or_missing_tensor_of_the_language_model_is_named() -> None:
    tensors = given({name: [2, 2] for name in PUBLISHED["llm.pt"]})
    with pytest.raises(SourceFailed, match=r"llm.pt has a tensor 'lora.up', which CosyVoice does not have"):
        converter.first_language_model({**tensors, "lora.up": np.zeros(1)})
    del tensors["text_embedding.weight"]
    with pytest.raises(SourceFailed, match=r"no tensor 'text_embedding.weight'"):
        converter.first_language_model(tensors)


def test_text_has_whispers_tokens() -> None:
    tokens = WhisperTokens(FIRST.signs)
    assert tokens.encode("Hello world") == (15947, 1002) and tokens.encode("<|en|>") == (50259,)
    assert tokens.has_signs("so [laughter]") and not tokens.has_signs("a < b")
    assert len(tokens.encode("<endofprompt>")) > 1  # it is spelt out
