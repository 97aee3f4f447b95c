"""FunASR's checkpoints: every tensor of the published ones has its place, and what is none is refused by its name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.funasr_models import (
    FEATURES,
    REFERENCE,
    TOKENS,
    made,
    paraformer_files,
    punctuation_files,
    sensevoice_files,
)
from support.torch_checkpoint import save_tensors

from speechmlx.models.convert import funasr
from speechmlx.models.convert.weights import load_tensors
from speechmlx.models.spec import SourceFailed

PUBLISHED: dict[str, dict[str, list[int]]] = json.loads(
    gzip.decompress((Path(__file__).parents[2] / "engines" / "data" / "funasr_names.json.gz").read_bytes())
)
UNUSED = {"decoder.embed.0.weight"}
WIDE, VOCABULARY = 2048, {"paraformer-zh": 8404, "SenseVoiceSmall": 25055}


@pytest.mark.parametrize(
    ("name", "wanted", "tensors"),
    [
        ("paraformer-zh", funasr.paraformer_names, 956),
        ("ct-punc", funasr.punctuation_names, 161),
        ("fsmn-vad", funasr.vad_names, 24),
        ("SenseVoiceSmall", funasr.sensevoice_names, 917),
    ],
)
def test_every_tensor_that_was_published_has_its_place(
    name: str, wanted: Callable[[list[str]], list[str]], tensors: int
) -> None:
    names = list(PUBLISHED[name])
    assert len(names) == tensors
    assert sorted([*wanted(names), *(UNUSED & set(names))]) == sorted(names)


@pytest.mark.parametrize(
    ("name", "width", "first"), [("paraformer-zh", 512, 560), ("ct-punc", 516, 516), ("SenseVoiceSmall", 512, 560)]
)
def test_the_shapes_that_were_published_are_those_that_the_encoder_takes(name: str, width: int, first: int) -> None:
    shapes = PUBLISHED[name]
    for tensor in funasr.encoder_names(shapes):
        inside = first if tensor.startswith("encoder.encoders0.0") else width
        shape = {
            "linear_q_k_v.weight": [3 * width, inside], "linear_q_k_v.bias": [3 * width],
            "linear_out.weight": [width, width], "fsmn_block.weight": [width, 1, 11],
            "w_1.weight": [WIDE, width], "w_1.bias": [WIDE], "w_2.weight": [width, WIDE],
            "norm1.weight": [inside], "norm1.bias": [inside],
        }.get(".".join(tensor.split(".")[-2:]), [width])  # fmt: skip
        assert shapes[tensor] == shape, tensor


def test_the_shapes_of_the_rest_are_those_that_are_taken() -> None:
    decoder = PUBLISHED["paraformer-zh"]
    assert decoder["predictor.cif_conv1d.weight"] == [512, 512, 3] and decoder["predictor.cif_output.weight"] == [
        1,
        512,
    ]
    for n in range(16):
        layer = f"decoder.decoders.{n}"
        assert decoder[f"{layer}.src_attn.linear_k_v.weight"] == [1024, 512]
        assert decoder[f"{layer}.self_attn.fsmn_block.weight"] == [512, 1, 11]
        assert decoder[f"{layer}.feed_forward.norm.weight"] == [WIDE]
        assert f"{layer}.feed_forward.w_2.bias" not in decoder
    assert decoder["decoder.output_layer.weight"] == [8404, 512]
    assert PUBLISHED["ct-punc"]["embed.weight"] == [471067, 516] and PUBLISHED["ct-punc"]["decoder.weight"] == [6, 516]
    assert PUBLISHED["SenseVoiceSmall"]["embed.weight"] == [16, FEATURES]
    assert PUBLISHED["SenseVoiceSmall"]["ctc.ctc_lo.weight"] == [25055, 512]
    vad = PUBLISHED["fsmn-vad"]
    assert vad["encoder.in_linear1.linear.weight"] == [140, 400]
    assert vad["encoder.fsmn.3.fsmn_block.conv_left.weight"] == [128, 1, 20, 1]


def test_convolutions_are_laid_out_as_mlx_has_them(tmp_path: Path) -> None:
    files = paraformer_files(tmp_path / "files")
    funasr.paraformer(files, tmp_path)
    weights = load_tensors(tmp_path / "model.safetensors")
    memory, wide = "encoder.encoders.0.self_attn.fsmn_block.weight", "predictor.cif_conv1d.weight"
    assert np.array_equal(weights[memory], made(memory, [32, 1, 11])[:, 0].T)
    assert np.array_equal(weights[wide], made(wide, [32, 32, 3]).transpose(0, 2, 1))
    assert weights["cmvn.shift"].tolist() == [-12.5] * FEATURES and weights["cmvn.scale"].tolist() == [0.25] * FEATURES
    assert UNUSED.isdisjoint(weights)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["heads"] == [4, 4] and config["tokens"] == TOKENS


def test_the_embedding_of_words_is_a_file_of_its_own(tmp_path: Path) -> None:
    funasr.punctuation(punctuation_files(tmp_path / "files"), tmp_path)
    assert "embed.weight" not in load_tensors(tmp_path / "model.safetensors")
    embedding = np.load(tmp_path / "embedding.npy", mmap_mode="r")
    assert np.array_equal(embedding, made("embed.weight", [50, 32]))
    assert json.loads((tmp_path / "tokens.json").read_text()) == REFERENCE["punctuation"]["words"]


def test_pieces_come_from_the_sentencepiece_model(tmp_path: Path) -> None:
    funasr.sensevoice(sensevoice_files(tmp_path / "files"), tmp_path)
    pieces = json.loads((tmp_path / "config.json").read_text())["pieces"]
    assert len(pieces) == 60 and {"<|zh|>", "<|HAPPY|>", "▁"} <= set(pieces)


def changed(files: Path, change: str) -> None:
    """Break one of the files."""
    shapes = REFERENCE["paraformer"]["shapes"]
    arrays = {name: made(name, shape) for name, shape in shapes.items()}
    match change:
        case "lacks":
            del arrays["encoder.encoders.1.norm2.bias"]
            save_tensors(files / "model.pt", arrays)
        case "more":
            save_tensors(files / "model.pt", arrays | {"seaco_decoder.weight": np.zeros(3, np.float32)})
        case "config":
            (files / "config.yaml").write_text("encoder_conf:\n  attention_heads: many\n")
        case "list":
            (files / "config.yaml").write_text("- 1\n")
        case "tokens":
            (files / "tokens.json").write_text('["a", 1]')
        case "mvn":
            (files / "am.mvn").write_text("<Nnet>")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("lacks", "lacks 1 tensors: encoder.encoders.1.norm2.bias"),
        ("more", "has 1 tensors of which we know nothing: seaco_decoder.weight"),
        ("config", "no number attention_heads in encoder_conf"),
        ("list", "config.yaml is not a table"),
        ("tokens", "tokens.json is not a list of texts"),
        ("mvn", "am.mvn has no AddShift"),
    ],
)
def test_what_is_no_such_checkpoint_is_refused(tmp_path: Path, change: str, message: str) -> None:
    files = paraformer_files(tmp_path / "files")
    changed(files, change)
    with pytest.raises(SourceFailed, match=message):
        funasr.paraformer(files, tmp_path)


def test_another_network_is_refused_by_the_names_of_its_tensors(tmp_path: Path) -> None:
    files = punctuation_files(tmp_path / "files")
    with pytest.raises(SourceFailed, match="lacks"):
        funasr.vad(files, tmp_path)
    with pytest.raises(SourceFailed, match=r"has 0 files \*.model"):
        funasr.sensevoice(paraformer_files(tmp_path / "other") and _as_sensevoice(tmp_path / "other"), tmp_path)


def _as_sensevoice(files: Path) -> Path:
    shapes: dict[str, Any] = REFERENCE["sensevoice"]["shapes"]
    save_tensors(files / "model.pt", {name: made(name, shape) for name, shape in shapes.items()})
    return files
