"""Every tensor of the published checkpoint has its place, and what does not fit is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from support.engine_runs import result
from support.fishspeech_runs import speak_in_narrow_types
from support.small_checkpoints import read_json_gz
from support.tiny_fishspeech import DATA, tensors, write_files, write_model

from speechmlx.engines import LoadOptions
from speechmlx.engines.fishspeech import load
from speechmlx.engines.fishspeech.firefly import FireflyDecoder, FireflyEncoder
from speechmlx.engines.fishspeech.network import DualAr, FrameTokens
from speechmlx.engines.fishspeech.shape import read_shape
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.errors import ModelUnavailable, WeightsDamaged
from speechmlx.models.convert import fishspeech
from speechmlx.models.convert.bfloat16 import narrowed

NAMES = read_json_gz(DATA / "fishspeech_names.json.gz")
CONFIG = {
    "model_type": "dual_ar", "dim": 1024, "n_layer": 24, "n_head": 16, "n_local_heads": 2, "head_dim": 64,
    "intermediate_size": 4096, "vocab_size": 102048, "rope_base": 1e6, "norm_eps": 1e-6, "max_seq_len": 8192,
    "codebook_size": 1024, "num_codebooks": 8, "n_fast_layer": 4, "tie_word_embeddings": False,
}  # fmt: skip


def hollow(name: str) -> dict[str, Any]:
    """Arrays of the published shapes, which take no memory."""
    return {at: np.broadcast_to(np.float32(1), shape) for at, shape in NAMES[name].items()}


def test_every_tensor_of_the_transformers_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    tokens = FrameTokens(101_012, 101_004)
    model = DualAr(read_shape(tmp_path), tokens)
    wanted = {name: tensor.shape for name, tensor in tree_flatten(model.parameters())}
    made = fishspeech.transformers(hollow(fishspeech.MODEL), [*range(101_012, 102_036), 101_004])
    assert {name: tensor.shape for name, tensor in made.items()} == wanted
    assert len(made) == 203
    assert model.output.weight.shape == (1025, 1024)


class Counting(dict[str, Any]):
    """Weights that know which of them were used."""

    used: set[str]

    def __getitem__(self, name: str) -> Any:
        self.used.add(name)
        return super().__getitem__(name)


def test_every_tensor_of_the_codec_has_its_place() -> None:
    made = fishspeech.firefly(hollow(fishspeech.CODEC))
    assert len(hollow(fishspeech.CODEC)) == 547
    weights = Counting({name: mx.array(tensor) for name, tensor in made.items()})
    weights.used = set()
    decoder = FireflyDecoder(Tensors(weights))
    assert (decoder.frame, decoder.books) == (2048, 8)
    codes = mx.zeros((1, 8, 1), mx.int32)
    assert decoder.step(codes, decoder.open(1)).shape == (1, 2048)
    steps = FireflyEncoder(Tensors(weights)).codes(np.zeros(4096, np.float32))
    next(steps)
    assert weights.used == made.keys()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("names"))


@pytest.fixture
def run(cold: LoadOptions) -> Callable[[Path], Any]:
    return lambda folder: result(load(folder, cold))


def copy(folder: Path, target: Path, **changed: Any) -> Path:
    """The folder with a changed config.json."""
    for path in folder.iterdir():
        (target / path.name).symlink_to(path)
    config = json.loads((folder / "config.json").read_bytes()) | changed
    (target / "config.json").unlink()
    (target / "config.json").write_text(json.dumps(config))
    return target


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model_type": "naive"}, "this engine runs 'dual_ar'"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings False"),
        ({"n_head": None}, "lacks a size"),
        ({"fast_dim": 16}, "equally wide"),
        ({"vocab_size": 1000}, "more tokens than the model"),
        ({"codebook_size": 1025}, "no readable tokenizer"),
    ],
)
def test_a_model_of_another_kind_is_refused(
    folder: Path, tmp_path: Path, run: Callable[[Path], Any], changed: Any, said: str
) -> None:
    with pytest.raises(ModelUnavailable, match=said):
        run(copy(folder, tmp_path, **changed))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n_layer": 3}, r"7 weights are missing: layers\.2\.attention"),
        ({"n_fast_layer": 1}, r"7 weights have no place in the model: fast_layers\.1"),
        ({"intermediate_size": 32, "fast_intermediate_size": 48}, "6 weights have another shape"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    folder: Path, tmp_path: Path, run: Callable[[Path], Any], changed: Any, said: str
) -> None:
    with pytest.raises(WeightsDamaged, match=said):
        run(copy(folder, tmp_path, **changed))


def test_a_codec_without_a_weight_is_refused(tmp_path: Path, run: Callable[[Path], Any]) -> None:
    codec = tensors("codec")
    del codec["backbone.norm.bias"]
    (tmp_path / "model").mkdir()
    fishspeech.convert(write_files(tmp_path / "files", codec=codec), tmp_path / "model")
    with pytest.raises(WeightsDamaged, match=r"backbone\.norm\.bias"):
        run(tmp_path / "model")


def test_weights_are_bfloat16_as_they_are_published(folder: Path) -> None:
    weights: dict[str, mx.array] = mx.load(str(folder / "model.safetensors"))  # type: ignore[assignment]
    assert {array.dtype for array in weights.values()} == {mx.bfloat16}
    wanted = mx.array(tensors("model")["layers.0.attention.wo.weight"]).astype(mx.bfloat16)
    assert mx.array_equal(weights["layers.0.attention.wo.weight"], wanted)
    odd = np.array([1.0, 1.00390625, 1.01171875, -3e38, np.inf, np.nan], np.float32)
    bits = mx.array(odd).astype(mx.bfloat16).view(mx.uint16)
    assert np.array_equal(narrowed(odd)[:5], np.array(bits)[:5])
    assert np.isnan(np.array(mx.array(narrowed(odd)).view(mx.bfloat16).astype(mx.float32))[-1])


def test_a_warm_up_hears_and_speaks(folder: Path, options: LoadOptions) -> None:
    engine = result(load(folder, options))
    assert engine.held == engine.loop.memory.nbytes == len(engine.shelf) == 0


def test_narrow_weights_stay_narrow_on_a_gpu(tmp_path: Path, loaded: Callable[..., Any]) -> None:
    speak_in_narrow_types(tmp_path, loaded, LoadOptions(device="gpu"))
