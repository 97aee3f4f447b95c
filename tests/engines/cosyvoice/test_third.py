"""CosyVoice 3: the numbers of the reference implementation, the published names, and what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from support import tiny_cosyvoice
from support.cosyvoice_runs import Recorded, close, given, tensors
from support.engine_runs import pcm, result, run
from support.small_checkpoints import numbers, read_json_gz
from support.tiny_cosyvoice import DATA, PROMPT, TOKENS, write_folder

from speechmlx.engines import LoadOptions, cosyvoice
from speechmlx.engines.cosyvoice.drawing import RepetitionAwareSampler
from speechmlx.engines.cosyvoice.engine import CosyVoice
from speechmlx.engines.cosyvoice.generation import SECOND_SIGNS, THIRD, THIRD_SIGNS
from speechmlx.engines.cosyvoice.speech_model import SpeechModel
from speechmlx.engines.cosyvoice.utterance import Utterance
from speechmlx.engines.cosyvoice.utterance_sound import UtteranceSound
from speechmlx.engines.parts.hift import Hift, HiftShape
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.token_flow import BANDS, FlowPrompt, TokenFlow, third_flow
from speechmlx.engines.parts.vocoder_stream import VocoderStream
from speechmlx.errors import BadRequest
from speechmlx.models.convert import cosyvoice as converter
from speechmlx.types import Audio, NamedVoice, ReferenceVoice, Speak

PUBLISHED = read_json_gz(DATA / "cosyvoice3_published.json.gz")
RECORDING = Audio(numbers(1, 24_000) * np.float32(0.1), 24_000)


@pytest.fixture(scope="module")
def flow() -> TokenFlow:
    return third_flow(tensors("flow3"), 4, LayerPace())


@pytest.fixture(scope="module")
def hift() -> Hift:
    return Hift(tensors("hift3"), LayerPace(), HiftShape(causal=True))


@pytest.mark.parametrize(("kind", "count", "is_last"), [("chunked", 60, True), ("full", 60, True), ("part", 28, False)])
def test_flow(flow: TokenFlow, kind: str, count: int, is_last: bool) -> None:
    mel = result(flow.spectrogram(PROMPT, TOKENS[:count], is_last, chunked=kind != "full"))
    close(np.array(mel).T[::8, ::2], f"flow3_{kind}", 1e-2)


def test_vocoder(hift: Hift) -> None:
    mel = mx.array(numbers(10, 1, 80, 40).transpose(0, 2, 1))
    pitch = np.array(hift.pitch(mel))
    close(pitch, "pitch3")
    assert 0 < (pitch > 10).mean() < 1
    source = hift.source(5).push(pitch, is_last=True)
    close(source[::7], "source3")
    close(result(hift.samples(mel, mx.array(source)))[::5], "samples3", 1e-2)


@pytest.mark.parametrize("sizes", [(50, 40), (1, 2, 3, 30, 54), (20, 0, 70)])
def test_vocoder_in_pieces(hift: Hift, sizes: tuple[int, ...]) -> None:
    mel = numbers(5, 90, BANDS)
    whole, piecewise = result(VocoderStream(hift, BANDS, 1).push(mel, is_last=True)), VocoderStream(hift, BANDS, 1)
    ends = np.cumsum(sizes).tolist()
    found = [result(piecewise.push(mel[end - size : end], end == 90)) for end, size in zip(ends, sizes, strict=True)]
    assert len(whole) == 90 * 480 and np.abs(whole).mean() > 0.1
    np.testing.assert_allclose(np.concatenate(found), whole, atol=1e-2)


def test_published_names_of_the_language_model() -> None:
    found = {name: tensor.shape for name, tensor in converter.language_model(given(PUBLISHED["llm.pt"])).items()}
    config = {**tiny_cosyvoice.QWEN, "vocab_size": 151936}
    assert found == {name: tensor.shape for name, tensor in tree_flatten(SpeechModel(config, THIRD).parameters())}
    assert len(found) == len(PUBLISHED["llm.pt"]) - 1  # two tables are one, a tied copy is left out, a bias is added


def test_published_names_of_the_flow() -> None:
    weights = Recorded.of(converter.flow(given(PUBLISHED["flow.pt"])))
    assert len(weights) == len(PUBLISHED["flow.pt"]) - 1  # a constant is left out
    flow = third_flow(Tensors(weights), 16, LayerPace())
    prompt = FlowPrompt(np.ones(192, np.float32), (1, 2), np.zeros((4, BANDS), np.float32))
    conditions = flow.conditions(prompt, (*prompt.tokens, *range(30)), True, 0, 29)
    assert result(flow.direction(mx.zeros((1, 58, BANDS)), conditions, 0.5, True)).shape == (1, 58, BANDS)
    assert weights.used == set(weights)


def test_published_names_of_the_vocoder() -> None:
    weights = Recorded.of(converter.hift(given(PUBLISHED["hift.pt"]), transposed=False))
    hift = Hift(Tensors(weights), LayerPace(), HiftShape(causal=True))
    assert hift.pitch(mx.zeros((1, 40, BANDS))).shape == (40,)
    assert result(hift.samples(mx.zeros((1, 40, BANDS)), mx.zeros(40 * 480))).shape == (40 * 480,)
    assert hift.source(0) is not None
    assert weights.used == set(weights)


def test_signs_have_their_numbers() -> None:
    first = 151_643
    assert THIRD_SIGNS[: len(SECOND_SIGNS)] == SECOND_SIGNS and len(set(THIRD_SIGNS)) == len(THIRD_SIGNS)
    numbers_of = {sign: first + number for number, sign in enumerate(THIRD_SIGNS)}
    assert numbers_of["<|endofprompt|>"] == 151_646 and numbers_of["[mn]"] == 151_662
    assert numbers_of["<|endofsystem|>"] == 151_663 and numbers_of["[AA]"] == 151_664


def test_a_long_silence_is_heard_in_part(flow: TokenFlow, hift: Hift) -> None:
    sound = UtteranceSound(flow, hift, FlowPrompt(numbers(10, 192)), 1.0, 0)
    utterance = Utterance([1, 2, 3], 3, 100, RepetitionAwareSampler(0, 0), sound, THIRD.silent, None)
    for token in [100, *[28] * 9, 29, 101, 28, 6562]:
        utterance.add(token)
    assert utterance.heard == [100, *[28] * 5, 101, 28] and utterance.is_whole


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], cold: LoadOptions) -> CosyVoice:
    return loaded(cosyvoice.load(write_folder(tmp_path_factory.mktemp("third"), (), THIRD), cold))


def test_it_speaks_in_the_voice_of_a_recording(engine: CosyVoice) -> None:
    voice = ReferenceVoice(RECORDING, "", "one")
    first, again = (run(engine, Speak(text="Hi you", voice=voice))[0] for _ in range(2))
    assert pcm(first) == pcm(again) and len(pcm(first)) > 2 * 480
    with pytest.raises(BadRequest, match="it imitates one: give a recording"):
        engine.begin(Speak(text="Hi", voice=NamedVoice("first")))


@pytest.mark.parametrize(
    ("said", "instructions", "before", "speech"),
    [
        ("", None, "You are a helpful assistant.<|endofprompt|>", 0),
        ("word", None, "You are a helpful assistant.<|endofprompt|>word", 25),
        ("word", "Be calm.", "You are a helpful assistant. Be calm.<|endofprompt|>", 0),
    ],
)
def test_what_the_language_model_reads(
    engine: CosyVoice, said: str, instructions: str | None, before: str, speech: int
) -> None:
    voice = ReferenceVoice(RECORDING, said, "one")
    state = engine.begin(Speak(text="text", voice=voice, instructions=instructions))
    while state.voice is None:
        engine.step([state])
    prompt = state.manner.prompt("text", state.voice)
    assert prompt.before == state.manner.tokens.encode(before) and len(prompt.speech) == speech
    assert prompt.tokens(THIRD)[0] == 6561 and prompt.tokens(THIRD)[-1 - speech] == 6563
    engine.end(state)
