"""Every tensor of CosyVoice 2 as it is published has its place in the networks, with its shape, and none is left."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from support.cosyvoice_runs import Recorded, given
from support.engine_runs import result
from support.small_checkpoints import read_json_gz
from support.tiny_cosyvoice import DATA, QWEN

from speechmlx.engines.cosyvoice.generation import SECOND
from speechmlx.engines.cosyvoice.speech_model import SpeechModel
from speechmlx.engines.parts.hift import Hift
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.token_flow import BANDS, FlowPrompt, second_flow
from speechmlx.models.convert import cosyvoice
from speechmlx.models.spec import SourceFailed

PUBLISHED = read_json_gz(DATA / "cosyvoice2_published.json.gz")


def test_language_model() -> None:
    found = {name: tensor.shape for name, tensor in cosyvoice.language_model(given(PUBLISHED["llm.pt"])).items()}
    assert len(found) == len(PUBLISHED["llm.pt"]) - 3  # three tables are one, and the tied copy is left out
    assert found == {name: tensor.shape for name, tensor in tree_flatten(SpeechModel(QWEN, SECOND).parameters())}


def test_flow() -> None:
    weights = Recorded.of(cosyvoice.flow(given(PUBLISHED["flow.pt"])))
    assert len(weights) == 1121
    flow = second_flow(Tensors(weights), 8, 8, LayerPace())
    prompt = FlowPrompt(np.ones(192, np.float32), (1, 2), np.zeros((4, BANDS), np.float32))
    conditions = flow.conditions(prompt, (*prompt.tokens, *range(30)), True, 0, 29)
    assert result(flow.direction(mx.zeros((1, 58, BANDS)), conditions, 0.5, True)).shape == (1, 58, BANDS)
    assert weights.used == set(weights)


def test_hift() -> None:
    weights = Recorded.of(cosyvoice.hift(given(PUBLISHED["hift.pt"]), transposed=True))
    hift = Hift(Tensors(weights), LayerPace())
    assert hift.pitch(mx.zeros((1, 40, BANDS))).shape == (40,)
    assert result(hift.samples(mx.zeros((1, 40, BANDS)), mx.zeros(40 * 480))).shape == (40 * 480,)
    assert hift.source(0) is not None
    assert weights.used == set(weights)


@pytest.mark.parametrize(
    ("convert", "file"), [(cosyvoice.flow, "flow.pt"), (partial(cosyvoice.hift, transposed=True), "hift.pt")]
)
def test_an_unknown_tensor_is_named(convert: Callable[..., Any], file: str) -> None:
    with pytest.raises(SourceFailed, match=rf"{file} has a tensor 'lora.up', which CosyVoice does not have"):
        convert({"lora.up": np.zeros(1)})


def test_an_unknown_or_missing_tensor_of_the_language_model_is_named() -> None:
    tensors = given({name: [2, 2] for name in PUBLISHED["llm.pt"]})
    with pytest.raises(SourceFailed, match=r"llm.pt has a tensor 'llm.model.model.layers.0.self_attn.o_proj.bias'"):
        cosyvoice.language_model({**tensors, "llm.model.model.layers.0.self_attn.o_proj.bias": np.zeros(1)})
    del tensors["llm_decoder.weight"]
    with pytest.raises(SourceFailed, match=r"no tensor 'llm_decoder.weight'"):
        cosyvoice.language_model(tensors)
