"""CosyVoice 2's published files → the folder that the engine loads: PyTorch checkpoints and ONNX graphs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support import tiny_cosyvoice, torch_files
from support.cosyvoice_runs import Recorded
from support.engine_runs import result
from support.onnx_graphs import GraphNodes, Node, write_graph
from support.small_checkpoints import checkpoint, numbers
from support.tiny_cosyvoice import LETTERS, SHAPES, TEXT, campplus_nodes

from speechmlx.engines import LoadOptions, cosyvoice
from speechmlx.engines.cosyvoice.generation import SECOND
from speechmlx.engines.parts.campplus import CamPlus
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.models.convert import campplus_onnx, s3_onnx
from speechmlx.models.convert import cosyvoice as converter
from speechmlx.models.convert.weights import load_tensors
from speechmlx.models.spec import SourceFailed
from speechmlx.types import Speak, Usage


def s3_nodes() -> tuple[list[Node], dict[str, np.ndarray]]:
    """The graph of the tokenizer as it is published: which node has which tensor, and under which name."""
    given = checkpoint(SHAPES["s3"])
    graph = GraphNodes()
    graph.tensors |= {"eps": np.array(1e-6, np.float32), "bound": np.array(0.999, np.float32)}
    node = graph.add
    for conv in ("conv1", "conv2"):
        node("Conv", f"/{conv}/Conv", given[f"encoder.{conv}.weight"], given[f"encoder.{conv}.bias"])
    for number in range(2):
        block = f"blocks.{number}"
        for norm in ("attn_ln", "mlp_ln"):
            weight, bias = (given[f"encoder.{block}.{norm}.{kind}"] for kind in ("weight", "bias"))
            node("LayerNormalization", f"/{block}/{norm}/LayerNormalization", weight, bias)
        node("Conv", f"/{block}/attn/fsmn_block/Conv", given[f"encoder.{block}.attn.fsmn_block.weight"])
        for place, layer in (
            *((f"attn/{name}", f"attn.{name}") for name in ("query", "key", "value", "out")),
            *((f"mlp/mlp.{name}", f"mlp.{name}") for name in "02"),
        ):
            node("MatMul", f"/{block}/{place}/MatMul", given[f"encoder.{block}.{layer}.weight"].T)
            if f"encoder.{block}.{layer}.bias" in given:
                node("Add", f"/{block}/{place}/Add", given[f"encoder.{block}.{layer}.bias"])
    project = "quantizer._codebook.project_down"
    node("MatMul", "/quantizer/project_in/MatMul", given[f"{project}.weight"].T)
    node("Add", "/quantizer/project_in/Add", given[f"{project}.bias"])
    graph.nodes.append(("Mul", "/quantizer/Mul", ["x", "bound"], ["y"]))
    return graph.nodes, graph.tensors


def test_the_speech_tokenizer(tmp_path: Path) -> None:
    found, wanted = s3_onnx.read(write_graph(tmp_path / "s3.onnx", *s3_nodes())), tiny_cosyvoice.part("s3")
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)


def test_the_speaker_network(tmp_path: Path) -> None:
    """Its graph has normalisations in the weights of some convolutions, which have no names of their own then."""
    weights = campplus_onnx.read(write_graph(tmp_path / "campplus.onnx", *campplus_nodes()))
    whole, recorded = tiny_cosyvoice.part("campplus"), Recorded.of(weights)
    assert len(weights) < len(whole)
    assert {name for name in weights if name not in whole} == {f"{conv}.bias" for conv in folded_convolutions(weights)}
    steps = CamPlus(Tensors(recorded), LayerPace()).embedding(mx.array(numbers(15, 230, 80)))
    assert result(steps).shape == (192,)
    assert recorded.used >= set(weights)


def folded_convolutions(weights: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Those with a bias that are published without one, as a normalisation comes after them."""
    for name in tiny_cosyvoice.part("campplus"):
        conv = name.removesuffix(".weight")
        if name.endswith(".weight") and f"{conv}.bias" in weights and f"{conv}.bias" not in SHAPES["campplus"]:
            yield conv


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (s3_onnx.read, "other.onnx is not an S3 speech tokenizer"),
        (campplus_onnx.read, r"other.onnx is not a CAM\+\+ speaker network"),
    ],
)
def test_another_graph_is_refused(tmp_path: Path, read: Callable[[Path], Any], message: str) -> None:
    path = write_graph(tmp_path / "other.onnx", [("Relu", "/relu", ["x"], ["y"])], {})
    with pytest.raises(SourceFailed, match=message):
        read(path)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a small CosyVoice 2 as its authors publish them."""
    files = tmp_path_factory.mktemp("published")
    small = tiny_cosyvoice.write_vocabulary(tmp_path_factory.mktemp("small"))
    shapes = tiny_cosyvoice.shapes_of(SECOND)
    for name, names in shapes.items():
        tensors = checkpoint(names)
        if name == "llm.pt":
            tensors["llm_decoder.bias"][6561:] += tiny_cosyvoice.ENDING
        torch_files.save(files / name, tensors)
    write_graph(files / "speech_tokenizer_v2.onnx", *s3_nodes())
    write_graph(files / "campplus.onnx", *campplus_nodes())
    (files / converter.TOKENIZER).mkdir()
    for name in ("vocab.json", "merges.txt"):
        (files / converter.TOKENIZER / name).write_bytes((small / name).read_bytes())
    (files / converter.TOKENIZER / "config.json").write_text(
        json.dumps({**TEXT, "vocab_size": LETTERS + len(SECOND.signs)})
    )
    return files


def test_the_whole_of_it_speaks(
    published: Path, tmp_path: Path, loaded: Callable[..., Any], options: LoadOptions
) -> None:
    converter.second(published, tmp_path)
    assert load_tensors(tmp_path / "lm.safetensors")["lm.head.weight"].dtype == np.float16
    engine = loaded(cosyvoice.load(tmp_path, options))
    state = engine.begin(Speak(text="你好"))
    while not state.finished:
        events = engine.step([state])[0]
    assert isinstance(events[-1], Usage) and events[-1].audio_out > 0
    engine.end(state)
    assert list(engine._voices.named) == ["中文女", "中文男", "日语男", "粤语女", "英文女", "英文男", "韩语女"]


def test_a_file_that_is_missing_is_named(published: Path, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for path in published.glob("*.pt"):
        (files / path.name).write_bytes(path.read_bytes())
    (files / "flow.pt").write_bytes(b"PK nothing")
    with pytest.raises(SourceFailed, match=r"flow.pt is not a PyTorch checkpoint we read"):
        converter.second(files, tmp_path)
