"""ChatTTS's networks and what is drawn from them, beside the reference's numbers (scripts/parity/chattts.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support.small_checkpoints import numbers
from support.tiny_chattts import CODES, LLAMA, WIDTH, made, shapes

from speechmlx.engines.chattts.drawing import DrawingRows, DrawingRule, kept
from speechmlx.engines.chattts.mel_decoder import MelDecoder
from speechmlx.engines.chattts.network import ChatModel, ChatSize
from speechmlx.engines.chattts.sequences import ChatSequence, SequenceLoop
from speechmlx.engines.chattts.speaker_codes import from_speaker_string
from speechmlx.engines.chattts.speakers import SpeakerBook
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.vocos import VocosDecoder
from speechmlx.models.convert import chattts
from speechmlx.types import NamedVoice

REFERENCE = json.loads((Path(__file__).parents[1] / "data/chattts.json").read_text())
TEXT = 92
PROMPT = (54, 62, 87, 9, 6, 13, 13, 16, 80, 26, 16, 22, 81, 55)
PLACE = 1
COLD = 0.002
EXACT = 1e-3


def close(found: Any, wanted: list[Any], tolerance: float = EXACT) -> None:
    """Compare with the shape, the mean magnitude and some values that the reference told."""
    flat = np.array(found, np.float32).reshape(-1)
    assert list(np.array(found).shape) == wanted[0]
    assert np.abs(flat).mean() == pytest.approx(wanted[1], abs=tolerance)
    chosen = flat[np.linspace(0, len(flat) - 1, len(wanted[2])).astype(int)]
    np.testing.assert_allclose(chosen, wanted[2], atol=tolerance)


@pytest.fixture(scope="module")
def model() -> ChatModel:
    names = shapes(text=TEXT)
    weights = chattts.language_model(made(names["Embed"]), made(names["gpt/model"]))
    network = ChatModel(ChatSize({**chattts.DEFAULTS, **LLAMA}, text=TEXT, codes=CODES))
    network.load_weights([(name, mx.array(tensor)) for name, tensor in weights.items()])
    return network


def sequence(kind: str) -> ChatSequence:
    """That of the reference: the same prompt, drawn from without chance."""
    vector = numbers(5, WIDTH)
    is_speech = kind != "text"
    return ChatSequence(
        prompt=PROMPT,
        is_speech=is_speech,
        rule=DrawingRule(COLD, 0.7, 20, float(kind.partition("_")[2] or 1)),
        random=np.random.default_rng(0),
        limit=40 if is_speech else 24,
        end=CODES - 1 if is_speech else TEXT - 1,
        speaker=(PLACE, vector / np.linalg.norm(vector)) if is_speech else None,
    )


def drawn(model: ChatModel, pipelined: bool, *sequences: ChatSequence) -> Iterator[ChatSequence]:
    """Draw them together to their ends."""
    loop = SequenceLoop(model, pipelined)
    for one in sequences:
        while one.is_reading:
            loop.read(one, 3)
    while going := [one for one in sequences if not one.is_over]:
        for one, tokens in loop.step(going):
            one.take(tokens)
            if one.is_over:
                loop.remove(one)
    assert not loop._batch.members
    yield from sequences


KINDS = ("text", "codes_1.0", "codes_1.3")


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_and_from_which_states(model: ChatModel, kind: str, pipelined: bool) -> None:
    (found,) = drawn(model, pipelined, sequence(kind))
    compare(found, kind)


@pytest.mark.parametrize("pipelined", [False, True])
def test_text_and_speech_are_drawn_in_one_batch(model: ChatModel, pipelined: bool) -> None:
    for found, kind in zip(drawn(model, pipelined, *map(sequence, KINDS)), KINDS, strict=True):
        compare(found, kind)


def compare(found: ChatSequence, kind: str) -> None:
    wanted = REFERENCE[kind]
    if found.is_speech:
        assert [list(frame) for frame in found.drawn] == wanted["drawn"]
        close(mx.stack(found.states[: len(found.drawn)]), wanted["states"])
    else:
        assert [token for token, *_ in found.drawn] == wanted["drawn"]


@pytest.mark.parametrize(("name", "top_p", "top_k"), [("wide", 0.95, 20), ("narrow", 0.2, 20), ("few", 0.99, 2)])
def test_as_many_tokens_may_be_drawn(name: str, top_p: float, top_k: int) -> None:
    rule = DrawingRule(1.0, top_p, top_k, 1.0)
    rows = DrawingRows.of([rule] * 12, np.zeros((12, 1), np.float32), [False] * 12)
    _, scores = kept(mx.array(numbers(9, 12, CODES)), rows, None)
    assert (scores > -mx.inf).sum(axis=1).tolist() == REFERENCE[f"kept_{name}"]


def test_the_spectrogram_and_the_sound() -> None:
    parts = shapes()
    decoder = chattts.decoder(made(parts["Decoder"]))
    vocoder = chattts.vocoder(made(parts["Vocos"]))
    mel = MelDecoder(Tensors({name: mx.array(tensor) for name, tensor in decoder.items()}))(
        mx.array(numbers(1, 30, WIDTH))
    )
    close(mel, REFERENCE["mel"])
    sound = VocosDecoder({name: mx.array(tensor) for name, tensor in vocoder.items()})(mel[None])
    close(sound, REFERENCE["sound"])


def test_a_name_s_speaker_and_a_speaker_s_string() -> None:
    """The name "a" has the hash that is the reference's seed here."""
    std, mean = (np.abs(numbers(seed, 768)).astype(np.float16) for seed in (6, 7))
    book = SpeakerBook(mean, std)
    close(book.drawn("a"), REFERENCE["speaker"]["vector"], 4e-3)  # half precision
    text = REFERENCE["speaker"]["text"]
    given = numbers(8, 768).astype(np.float16).astype(np.float32)
    assert np.array_equal(from_speaker_string(text, 768), given)
    np.testing.assert_allclose(book.vector(NamedVoice(text)), given / np.linalg.norm(given), rtol=1e-5)
