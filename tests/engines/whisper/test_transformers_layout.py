"""Whisper in the layout of transformers, as Belle has it: each tensor has its place, and the numbers agree."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from safetensors.numpy import save_file
from support.engine_runs import run
from support.torch_checkpoint import save_tensors

from speechmlx.engines import LoadOptions, whisper
from speechmlx.engines.whisper.decoding.prefill import PromptCache, causal
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.model.network import GPU, Network
from speechmlx.engines.whisper.model.weights import dims
from speechmlx.models.convert import whisper_hub
from speechmlx.types import Audio, LanguageDetected, Transcribe, Usage

DATA = Path(__file__).parents[1] / "data"
SMALL = {
    "model_type": "whisper", "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "num_mel_bins": 80, "vocab_size": 51865, "max_source_positions": 1500,
    "max_target_positions": 448,
}  # fmt: skip
TOKENS = [50258, 50260, 50359, 50363, 3, 1, 4, 1, 5, 9]
TIED, COMPUTED = "proj_out.weight", "model.encoder.embed_positions.weight"
"""The output weights of transformers, and the positions that are sinusoids."""


def made(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The weights of a name, as scripts/parity/whisper_transformers.py makes them."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.1
    return (values + ("norm.weight" in name)).astype(np.float16).astype(np.float32)


def small_shape(name: str) -> tuple[int, ...]:
    """The shape of a tensor of the small network, by its name in transformers."""
    width = SMALL["d_model"]
    assert isinstance(width, int)
    ends: dict[str, tuple[int, ...]] = {
        "conv1.weight": (width, 80, 3), "conv2.weight": (width, width, 3), "embed_tokens.weight": (51865, width),
        "proj_out.weight": (51865, width), "encoder.embed_positions.weight": (1500, width),
        "decoder.embed_positions.weight": (448, width), "fc1.weight": (4 * width, width), "fc1.bias": (4 * width,),
        "fc2.weight": (width, 4 * width), "proj.weight": (width, width),
    }  # fmt: skip
    return next((shape for end, shape in ends.items() if name.endswith(end)), (width,))


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray[Any, Any]]:
    with np.load(DATA / "whisper_transformers.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module", params=["safetensors", "torch"])
def engine(
    request: pytest.FixtureRequest,
    reference: dict[str, np.ndarray[Any, Any]],
    tmp_path_factory: pytest.TempPathFactory,
    loaded: Callable[..., Any],
    cold: LoadOptions,
) -> Whisper:
    """Loaded from a repository without a tokenizer and without generation_config.json."""
    home = tmp_path_factory.mktemp("belle")
    files, folder = home / "files", home / "model"
    files.mkdir()
    folder.mkdir()
    (files / "config.json").write_text(json.dumps(SMALL))
    names = [str(name) for name in reference["names"]]
    weights = {name: made(name, small_shape(name)) for name in names if name != TIED}
    weights[TIED] = weights["model.decoder.embed_tokens.weight"]
    if request.param == "torch":
        save_tensors(files / "pytorch_model.bin", weights)
    else:
        save_file(weights, files / "model.safetensors")
    whisper_hub.convert(files, folder)
    found: Whisper = loaded(whisper.load(folder, cold))
    return found


def test_the_numbers_are_those_of_transformers(engine: Whisper, reference: dict[str, np.ndarray[Any, Any]]) -> None:
    network = engine.network
    encoded = network.encoder(mx.array(made("mel", (1, 80, 3000)).swapaxes(1, 2)))
    np.testing.assert_allclose(np.array(encoded)[0, ::50, ::4], reference["encoded"], atol=1e-3)
    places = mx.arange(len(TOKENS))[None]
    mask = causal(len(TOKENS), mx.float32)
    hidden, _ = network.decoder(mx.array([TOKENS]), places, PromptCache(), network.cross(encoded), mask)
    logits = np.array(network.decoder.logits(hidden))[0]
    np.testing.assert_allclose(logits[:, ::499], reference["logits"], atol=1e-3)
    assert logits.argmax(-1).tolist() == reference["best"].tolist()


def test_it_recognises_without_the_files_that_are_not_there(engine: Whisper) -> None:
    """Words have times by all heads of the upper half, and the language is detected."""
    noise = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    request = Transcribe(audio=Audio(noise, 16_000), temperatures=(0.0,), vad=False, words=True)
    events = run(engine, request)[0]
    assert isinstance(events[0], LanguageDetected) and isinstance(events[-1], Usage)
    assert engine.vocabulary.multilingual


@dataclass(frozen=True)
class Shape:
    """Stands for a tensor whose numbers nobody reads."""

    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def swapaxes(self, first: int, second: int) -> Shape:
        shape = list(self.shape)
        shape[first], shape[second] = shape[second], shape[first]
        return Shape(tuple(shape))

    def astype(self, dtype: object) -> Shape:
        return self


@pytest.mark.parametrize("size", ["large-v2", "distil-large-v2", "large-v3"])
def test_every_tensor_of_the_published_checkpoints_has_its_place(size: str) -> None:
    """Of Belle's three: the shapes are those of our network, none is left, and none is missing."""
    published = json.loads(gzip.decompress((DATA / "whisper_transformers_names.json.gz").read_bytes()))[size]
    config = {**SMALL, **published["config"]}
    network = Network(dims({ours: config[theirs] for ours, theirs in whisper_hub.DIMENSIONS.items()}), GPU)
    wanted = {name: tuple(array.shape) for name, array in tree_flatten(network.parameters())}
    placed = dict[str, tuple[int, ...]]()
    for name, shape in published["tensors"].items():
        tensor: Any = Shape(tuple(shape))
        found = {new: whole.shape for new, whole in whisper_hub._renamed(name, tensor)}
        assert bool(found) is (name not in (TIED, COMPUTED)) and not found.keys() & placed.keys()
        placed |= found
    assert placed == wanted
    assert sum(map(math.prod, placed.values())) > 700_000_000
