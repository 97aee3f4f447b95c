"""CosyVoice 1's published files → the folders that the engine loads: PyTorch checkpoints, speakers and ONNX graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import torch_files
from support.engine_runs import pcm, run
from support.onnx_graphs import GraphNodes, write_graph
from support.small_checkpoints import numbers
from support.tiny_cosyvoice import ENDING, campplus_nodes
from support.tiny_cosyvoice_first import NAMED, part, published

from speechmlx.engines import LoadOptions, cosyvoice
from speechmlx.engines.cosyvoice.generation import FIRST, FIRST_INSTRUCT, FIRST_SPEECH_TOKENS
from speechmlx.models.convert import cosyvoice as converter
from speechmlx.models.convert import s3_onnx
from speechmlx.models.convert.weights import load_tensors
from speechmlx.models.spec import SourceFailed
from speechmlx.types import Audio, Speak


def s3_graph() -> GraphNodes:
    """The tokenizer as it is published: its normalisations are spelt out, and its table is there as columns, twice."""
    given, graph = published("s3"), GraphNodes()
    graph.tensors["eps"] = np.array(1e-5, np.float32)
    for conv in ("conv1", "conv2"):
        graph.add("Conv", f"/{conv}/Conv", given[f"encoder.{conv}.weight"], given[f"encoder.{conv}.bias"])
    graph.add("Add", "/Add", numbers(0, 51, 128))
    for number in range(2):
        block = f"encoder.blocks.{number}"
        for norm in ("attn_ln", "mlp_ln"):
            graph.nodes.append(("Add", f"/blocks.{number}/{norm}/Add", ["x", "eps"], [f"{norm}{number}"]))
            graph.add("Mul", f"/blocks.{number}/{norm}/Mul", given[f"{block}.{norm}.weight"])
            graph.add("Add", f"/blocks.{number}/{norm}/Add_1", given[f"{block}.{norm}.bias"])
        for layer in ("attn.query", "attn.key", "attn.value", "attn.out", "mlp.0", "mlp.2"):
            place = layer.replace("mlp", "mlp/mlp").replace("attn.", "attn/")
            graph.add("MatMul", f"/blocks.{number}/{place}/MatMul", given[f"{block}.{layer}.weight"].T)
            if f"{block}.{layer}.bias" in given:
                graph.add("Add", f"/blocks.{number}/{place}/Add", given[f"{block}.{layer}.bias"])
    table = given["quantizer._codebook.embed"]
    for node in ("MatMul", "Pow_1"):
        graph.add(node.partition("_")[0], f"/quantizer/rq/model/layers.0/_codebook/{node}", table.T)
    return graph


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a small CosyVoice-300M, and the speakers of the other two."""
    files, graph = tmp_path_factory.mktemp("published"), s3_graph()
    lm = {**published("lm")}
    lm["llm_decoder.bias"] = lm["llm_decoder.bias"] + np.float32(ENDING) * (np.arange(4097) == 4096)
    for name, tensors in {"llm": lm, "flow": published("flow"), "hift": published("hift")}.items():
        torch_files.save(files / f"{name}.pt", tensors)
    speakers = {
        name: {"embedding": numbers(number, 1, 192), "speech_feat": numbers(number, 1, 9, 80)}
        for number, name in enumerate(NAMED)
    }
    torch_files.save(files / "spk2info.pt", speakers)
    write_graph(files / "speech_tokenizer_v1.onnx", graph.nodes, graph.tensors)
    write_graph(files / "campplus.onnx", *campplus_nodes())
    return files


def test_the_graph_of_the_speech_tokenizer(files: Path) -> None:
    found, wanted = s3_onnx.read(files / "speech_tokenizer_v1.onnx"), part("s3")
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)


def test_one_that_imitates(files: Path, tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions) -> None:
    converter.first(files, tmp_path)
    lm = load_tensors(tmp_path / "lm.safetensors")
    assert lm["lm.table.weight"].shape == (FIRST_SPEECH_TOKENS + 2, 32) and lm["lm.table.weight"].dtype == np.float16
    engine = loaded(cosyvoice.load(tmp_path, cold))
    assert engine.generation is FIRST and not engine._voices.named
    recording = Audio(numbers(1, 22_050) * np.float32(0.1), 22_050)
    assert pcm(run(engine, Speak(text="Hi", options={"prompt_speech": recording}))[0])


def test_one_with_speakers(files: Path, tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions) -> None:
    converter.first_instruct(files, tmp_path)
    engine = loaded(cosyvoice.load(tmp_path, cold))
    assert engine.generation is FIRST_INSTRUCT and tuple(engine._voices.named) == NAMED
    np.testing.assert_array_equal(engine._voices.named[NAMED[2]], numbers(2, 192))
    assert pcm(run(engine, Speak(text="你好", options={"instruct_text": "慢"}))[0])


def test_another_list_of_speakers_is_refused(tmp_path: Path) -> None:
    path = torch_files.save(tmp_path / "spk2info.pt", {"one": {"other": numbers(0, 192)}})
    with pytest.raises(SourceFailed, match=r"spk2info.pt is not a list of speakers we read: 'embedding'"):
        converter.speakers(path)
