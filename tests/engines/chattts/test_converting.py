"""The conversion of ChatTTS: every published tensor has its place, and the small files become the engine's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from support.cosyvoice_runs import Recorded
from support.small_checkpoints import read_json_gz
from support.tiny_chattts import LLAMA, WIDTH, made, shapes, statistics, write_files

from speechmlx.engines.chattts.mel_decoder import MelDecoder
from speechmlx.engines.chattts.network import ChatModel, ChatSize
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.vocos import VocosDecoder
from speechmlx.models.convert import chattts
from speechmlx.models.spec import SourceFailed

PUBLISHED = read_json_gz(Path(__file__).parents[1] / "data/chattts_names.json.gz")
SIZES = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 20, "num_attention_heads": 12,
    "rms_norm_eps": 1e-6,
}  # fmt: skip


def given(file: str) -> dict[str, NDArray[Any]]:
    """Ones of published names and shapes; they take no memory."""
    return {name: np.broadcast_to(np.float32(1), tuple(shape)) for name, shape in PUBLISHED[file].items()}


def shapes_of(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


def test_every_published_tensor_of_the_language_model_has_its_place() -> None:
    gpt = {**given("gpt/model.safetensors"), "embed_tokens.weight": np.broadcast_to(np.float32(1), (32000, 768))}
    for prefix in ("", "model."):
        named = {prefix + name: tensor for name, tensor in gpt.items()}
        found = chattts.language_model(given("Embed.safetensors"), named)
        model = ChatModel(ChatSize(SIZES, text=21178, codes=626))
        assert shapes_of(found) == shapes_of(dict(tree_flatten(model.parameters())))


def test_every_published_tensor_of_the_sound_has_its_place() -> None:
    decoder = Recorded.of(chattts.decoder(given("Decoder.safetensors")))
    MelDecoder(Tensors(decoder))(mx.zeros((2, 768)))
    assert decoder.used == set(decoder) and len(decoder) == 115
    vocoder = chattts.vocoder(given("Vocos.safetensors"))
    network = VocosDecoder({name: mx.zeros(tensor.shape) for name, tensor in vocoder.items()})
    assert len(vocoder) == 80 and network.reach == 29
    assert MelDecoder(Tensors(decoder)).reach == 75


def test_the_folder_of_the_engine(tmp_path: Path) -> None:
    files = write_files(tmp_path / "files")
    chattts.convert(files, tmp_path)
    lm, mel = load_file(tmp_path / "lm.safetensors"), load_file(tmp_path / "mel.safetensors")
    assert {tensor.dtype for tensor in lm.values()} == {np.dtype(np.float16)}
    embed = made(shapes()["Embed"])
    length, direction = (embed[f"head_code.1.parametrizations.weight.original{n}"] for n in (0, 1))
    wanted = direction / np.linalg.norm(direction, axis=1, keepdims=True) * length
    np.testing.assert_allclose(lm["lm.code_head.weight"][len(length) : 2 * len(length)], wanted, atol=2e-3)
    assert mel["mel.coef"].shape == (100,) and mel["mel.decoder.conv_in.0.weight"].shape[1] == 3
    std, mean = statistics().reshape(2, -1)
    speakers = load_file(tmp_path / "speakers.safetensors")
    assert np.array_equal(speakers["speakers.std"], std) and np.array_equal(speakers["speakers.mean"], mean)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["llama"] == {"rope_theta": 10_000.0, **LLAMA}
    assert (tmp_path / "tokenizer.json").exists()


def test_without_the_statistics_speakers_are_plain_normal_numbers(tmp_path: Path) -> None:
    found = chattts.speakers(tmp_path / "spk_stat.pt", WIDTH)
    assert not found["mean"].any() and (found["std"] == 1).all()


@pytest.mark.parametrize(
    ("file", "name", "says"),
    [
        ("Embed", "emb_more.weight", "Embed has a tensor 'emb_more.weight', which is not known"),
        ("gpt/model", "layers.0.self_attn.q_proj.bias", "gpt/model has a tensor 'layers.0.self_attn.q_proj.bias'"),
        ("Decoder", "vq_layer.weight", "Decoder has a tensor 'vq_layer.weight'"),
        ("Vocos", "backbone.more", "Vocos has a tensor 'backbone.more'"),
    ],
)
def test_an_unknown_tensor_is_refused(tmp_path: Path, file: str, name: str, says: str) -> None:
    files = write_files(tmp_path / "files")
    path = files / f"asset/{file}.safetensors"
    save_file({**load_file(path), name: np.zeros(1, np.float32)}, path)
    with pytest.raises(SourceFailed, match=says):
        chattts.convert(files, tmp_path)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    embed = made(shapes()["Embed"])
    del embed["head_code.3.parametrizations.weight.original0"]
    with pytest.raises(SourceFailed, match=r"Embed has no tensor 'head_code.3.parametrizations.weight.original0'"):
        chattts.language_model(embed, {})


def test_statistics_of_another_width_are_refused(tmp_path: Path) -> None:
    files = write_files(tmp_path / "files")
    with pytest.raises(SourceFailed, match=r"spk_stat.pt is not a tensor of 20 numbers"):
        chattts.speakers(files / "asset/spk_stat.pt", 10)
