"""The published ONNX graphs by the names that other readers of them know: each tensor has its place, and none is left.

No list of their names is published. Those here are what s3tokenizer's reader (versions 2 and 3 of the tokenizer) and
mlx-audio's (CAM++) look for; the latter reads the graph here too, and its network gives the same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from support import tiny_cosyvoice, torch_files
from support.cosyvoice_runs import Recorded
from support.engine_runs import pcm, result, work
from support.small_checkpoints import checkpoint, made, numbers
from support.tiny_cosyvoice import LETTERS, TEXT

from speechmlx.engines import LoadOptions, cosyvoice
from speechmlx.engines.cosyvoice.generation import THIRD
from speechmlx.engines.parts.campplus import CamPlus
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.s3_tokenizer import S3Tokenizer
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.models.convert import campplus_onnx, s3_onnx
from speechmlx.models.convert import cosyvoice as converter
from speechmlx.types import Audio, ReferenceVoice, Speak

Array = NDArray[np.float32]
BLOCKS = {2: 6, 3: 12}
"""Of the tokenizer's versions."""
WIDTH = 64
"""Of the small tokenizer, which is one head."""
LAYERS = (12, 24, 16)
"""Of CAM++'s blocks."""


class Graph:
    """Nodes, and their tensors as initializers or as constants."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.tensors: dict[str, Array] = {}
        """By the name that the node or the initializer stands for."""

    def add(self, kind: str, name: str, *tensors: Array, constant: bool = False, given: str = "") -> None:
        """A node that reads `tensors`. `given`: the name of the first one."""
        inputs = ["x"]
        for number, tensor in enumerate(tensors):
            inputs.append(given if given and not number else f"onnx::{kind}_{1000 + len(self.tensors)}")
            self.tensors[f"{name}:{number}"] = tensor
            proto = numpy_helper.from_array(np.ascontiguousarray(tensor), inputs[-1])
            if constant:
                self.nodes.append(helper.make_node("Constant", [], [inputs[-1]], f"{name}/Constant", value=proto))
            else:
                self.initializers.append(proto)
        self.nodes.append(helper.make_node(kind, inputs, [f"out{len(self.nodes)}"], name))

    def write(self, path: Path) -> Path:
        given, found = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y"))
        onnx.save(helper.make_model(helper.make_graph(self.nodes, "g", [given], [found], self.initializers)), path)
        return path


def tensor(name: str, *shape: int) -> Array:
    return made(name, shape)


def tokenizer_names(version: int) -> list[str]:
    """The tensors of the reference's network."""
    parts = ("attn.query", "attn.key", "attn.value", "attn.out", "mlp.0", "mlp.2", "attn_ln", "mlp_ln")
    names = [f"encoder.conv{number}.{kind}" for number in (1, 2) for kind in ("weight", "bias")]
    names += [f"quantizer._codebook.project_down.{kind}" for kind in ("weight", "bias")]
    for number in range(BLOCKS[version]):
        block = f"encoder.blocks.{number}"
        names += [f"{block}.{part}.{kind}" for part in parts for kind in ("weight", "bias") if part != "attn.key"]
        names += [f"{block}.attn.key.weight", f"{block}.attn.fsmn_block.weight"]
    return names


def tokenizer_graph(version: int, project: int = WIDTH) -> Graph:
    """Version 2 has its normalisations as one node each. Version 3 has them in parts, and biases as constants."""
    graph, third = Graph(), version == 3
    for conv, inputs in (("conv1", 128), ("conv2", WIDTH)):
        weight, bias = tensor(f"{conv}.weight", WIDTH, inputs, 3), tensor(f"{conv}.bias", WIDTH)
        graph.add("Conv", f"/{conv}/Conv", weight, bias)
    for number in range(BLOCKS[version]):
        block = f"/blocks.{number}"
        for norm in ("attn_ln", "mlp_ln"):
            weight, bias = tensor(f"{block}.{norm}.weight", WIDTH), tensor(f"{block}.{norm}.bias", WIDTH)
            if third:
                graph.add("Add", f"{block}/{norm}/Add", np.array(1e-5, np.float32), constant=True)
                graph.add("Mul", f"{block}/{norm}/Mul", weight)
                graph.add("Add", f"{block}/{norm}/Add_1", bias, constant=True)
            else:
                graph.add("LayerNormalization", f"{block}/{norm}/LayerNormalization", weight, bias)
        kernel = tensor(f"{block}.fsmn", WIDTH, 1, 31)
        graph.add("Conv", f"{block}/attn/fsmn_block/Conv", kernel, given=f"blocks.{number}.attn.fsmn_block.weight")
        for place, sizes in (
            *((f"attn/{name}", (WIDTH, WIDTH)) for name in ("query", "key", "value", "out")),
            ("mlp/mlp.0", (4 * WIDTH, WIDTH)),
            ("mlp/mlp.2", (WIDTH, 4 * WIDTH)),
        ):
            graph.add("MatMul", f"{block}/{place}/MatMul", tensor(f"{block}.{place}", *sizes).T)
            if place != "attn/key":
                graph.add("Add", f"{block}/{place}/Add", tensor(f"{block}.{place}.bias", sizes[0]), constant=third)
        graph.add("Mul", f"{block}/attn/Mul", tensor("cosines", 1, 1, WIDTH))  # the turning of queries
        graph.add("MatMul", f"{block}/attn/MatMul")
    graph.add("MatMul", "/quantizer/project_in/MatMul", tensor("project.weight", 8, project).T)
    graph.add("Add", "/quantizer/project_in/Add", tensor("project.bias", 8), given="quantizer.project_in.bias")
    graph.add("Mul", "/quantizer/Mul", np.array(0.999, np.float32))
    return graph


@pytest.mark.parametrize("version", [2, 3])
def test_names_of_the_speech_tokenizer(tmp_path: Path, version: int) -> None:
    graph = tokenizer_graph(version)
    found = s3_onnx.read(graph.write(tmp_path / "s3.onnx"))
    assert sorted(found) == sorted(tokenizer_names(version)) and len(found) == 16 * BLOCKS[version] + 6
    for key, place in (
        ("encoder.conv2.weight", "/conv2/Conv:0"),
        ("encoder.blocks.5.attn.fsmn_block.weight", "/blocks.5/attn/fsmn_block/Conv:0"),
    ):
        np.testing.assert_array_equal(found[key], graph.tensors[place].transpose(0, 2, 1))
    for key, place in (
        ("encoder.blocks.3.mlp.0.weight", "/blocks.3/mlp/mlp.0/MatMul:0"),
        ("quantizer._codebook.project_down.weight", "/quantizer/project_in/MatMul:0"),
    ):
        np.testing.assert_array_equal(found[key], graph.tensors[place].T)
    norm = "Add_1:0" if version == 3 else "LayerNormalization:1"
    np.testing.assert_array_equal(found["encoder.blocks.4.mlp_ln.bias"], graph.tensors[f"/blocks.4/mlp_ln/{norm}"])
    np.testing.assert_array_equal(found["encoder.blocks.4.attn.out.bias"], graph.tensors["/blocks.4/attn/out/Add:0"])
    weights = Recorded.of(found)
    assert len(result(S3Tokenizer(Tensors(weights), 1e-5, LayerPace()).of_mel(mx.zeros((40, 128))))) == 10
    assert weights.used == set(found)


def speaker_names() -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """The nodes that have tensors, in full: a convolution's weight, or a normalisation's width."""
    yield "Conv", "/head/conv1", (32, 1, 3, 3)
    for stage in ("layer1", "layer2"):
        for number in (0, 1):
            for conv in ("conv1", "conv2"):
                yield "Conv", f"/head/{stage}/{stage}.{number}/{conv}", (32, 32, 3, 3)
        yield "Conv", f"/head/{stage}/{stage}.0/shortcut/shortcut.0", (32, 32, 1, 1)
    yield "Conv", "/head/conv2", (32, 32, 3, 3)
    yield "Conv", "/xvector/tdnn/linear", (128, 320, 5)
    width = 128
    for block, count in enumerate(LAYERS, 1):
        for layer in range(1, count + 1):
            name = f"/xvector/block{block}/tdnnd{layer}"
            yield "BatchNormalization", f"{name}/nonlinear1/batchnorm", (width,)
            yield "Conv", f"{name}/linear1", (128, width, 1)
            yield "Conv", f"{name}/cam_layer/linear_local", (32, 128, 3)
            yield "Conv", f"{name}/cam_layer/linear1", (64, 128, 1)
            yield "Conv", f"{name}/cam_layer/linear2", (32, 64, 1)
            width += 32
        yield "BatchNormalization", f"/xvector/transit{block}/nonlinear/batchnorm", (width,)
        width //= 2
        yield "Conv", f"/xvector/transit{block}/linear", (width, 2 * width, 1)
    yield "Conv", "/xvector/dense/linear", (192, 2 * width, 1)
    yield "BatchNormalization", "/xvector/dense/nonlinear/batchnorm", (192,)


UNBIASED = ("dense/linear", "linear_local", "transit1/linear", "transit2/linear")
"""Convolutions without a bias: none of their own, and no normalisation after them that the graph could have in them."""


@pytest.fixture(scope="module")
def speaker_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = Graph()
    for kind, name, shape in speaker_names():
        if kind == "Conv":
            biases = [] if name.endswith(UNBIASED) else [tensor(f"{name}.bias", shape[0])]
            graph.add(
                kind, f"{name}/Conv", tensor(name, *shape) * np.float32(20 / np.sqrt(np.prod(shape[1:]))), *biases
            )
        else:
            weight, bias, mean, variance = (tensor(f"{name}.{number}", *shape) for number in range(4))
            if "dense" in name:  # the last one has no weight
                weight, bias = 0 * weight, 0 * bias
            graph.add(kind, f"{name}/BatchNormalization", weight + 1, bias, mean, np.abs(variance) + 1)
    return graph.write(tmp_path_factory.mktemp("campplus") / "campplus.onnx")


def test_names_of_the_speaker_network(speaker_file: Path) -> None:
    found = campplus_onnx.read(speaker_file)
    names = {name.strip("/").replace("/", "."): kind for kind, name, _ in speaker_names()}
    wanted: set[str] = set()
    for name, kind in names.items():
        module = name.removesuffix(".batchnorm")
        for layer in ("layer1", "layer2"):
            module = module.replace(f"{layer}.{layer}.", f"{layer}.").replace("shortcut.shortcut.", "shortcut.")
        wanted |= {f"{module}.scale", f"{module}.shift"} if kind == "BatchNormalization" else {f"{module}.weight"}
        if kind == "Conv" and not name.replace(".", "/").endswith(UNBIASED):
            wanted.add(f"{module}.bias")
    assert set(found) == wanted and len(names) == 281
    weights = Recorded.of(found)
    assert result(CamPlus(Tensors(weights), LayerPace()).embedding(mx.zeros((230, 80)))).shape == (192,)
    assert weights.used == set(found)


def test_another_reader_finds_all_of_its_network_in_the_same_graph(speaker_file: Path) -> None:
    from mlx_audio.codec.models.stepaudio2.convert import load_campplus_weights
    from mlx_audio.codec.models.stepaudio2.speaker import StepAudio2CAMPPlus

    other = StepAudio2CAMPPlus()
    load_campplus_weights(other, speaker_file)
    other.eval()
    weights = {name: mx.array(array) for name, array in campplus_onnx.read(speaker_file).items()}
    features = mx.array(numbers(15, 110, 80))  # more than a segment of means
    found = np.array(result(CamPlus(Tensors(weights), LayerPace()).embedding(features)))
    wanted = np.array(other(features[None]))[0]
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())


@pytest.fixture
def third_files(tmp_path: Path) -> Path:
    """The files of a small CosyVoice 3 as its authors publish them."""
    files = tmp_path / "published"
    (files / converter.TOKENIZER).mkdir(parents=True)
    for name, shapes in tiny_cosyvoice.shapes_of(THIRD).items():
        torch_files.save(files / name, checkpoint(shapes))
    tokenizer_graph(3).write(files / "speech_tokenizer_v3.onnx")
    tiny_cosyvoice.write_vocabulary(files / converter.TOKENIZER)
    config = {**TEXT, "vocab_size": LETTERS + len(THIRD.signs)}
    (files / converter.TOKENIZER / "config.json").write_text(json.dumps(config))
    return files


def test_the_third_is_converted_and_speaks(
    third_files: Path, speaker_file: Path, tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions
) -> None:
    (third_files / "campplus.onnx").write_bytes(speaker_file.read_bytes())
    folder = tmp_path / "converted"
    folder.mkdir()
    converter.third(third_files, folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "cosyvoice3" and config["voices"] == []
    (folder / "config.json").write_text(json.dumps({**config, "transformer_heads": 4}))
    engine = loaded(cosyvoice.load(folder, cold))
    voice = ReferenceVoice(Audio(numbers(1, 24_000) * np.float32(0.1), 24_000), "one", "one")
    state = engine.begin(Speak(text="A", voice=voice))
    assert len(pcm(work(engine, [state])[0])) > 2 * 480
