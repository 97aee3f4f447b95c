"""The conversion of MeloTTS and of the BERT that it reads words with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.torch_checkpoint import save_old_tensors, save_tensors, saved_tensors

from speechmlx.models.convert import melotts
from speechmlx.models.spec import SourceFailed

CONFIG: dict[str, Any] = {
    "data": {"sampling_rate": 44100, "n_speakers": 256, "spk2id": {"EN-US": 0, "EN-BR": 1}},
    "model": {
        "resblock": "1", "n_heads": 2, "upsample_rates": [8, 8], "resblock_dilation_sizes": [[1, 3, 5]],
    },
    "symbols": ["_", "a", "UNK"],
}  # fmt: skip


def repository(folder: Path, tensors: dict[str, Any], config: dict[str, Any] = CONFIG) -> Path:
    folder.mkdir()
    saved_tensors(folder / "checkpoint.pth", tensors, lambda named: {"model": named, "iteration": 7})
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_tensors_come_in_the_engine_s_names_and_layout(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    direction = random.standard_normal((4, 2, 3)).astype(np.float32)
    length = np.full((4, 1, 1), 2, np.float32)
    tensors = {
        "dec.ups.0.weight_v": direction,
        "dec.ups.0.weight_g": length,
        "dec.resblocks.0.convs1.0.weight_g": length,
        "dec.resblocks.0.convs1.0.weight_v": direction,
        "dp.norm_1.gamma": np.ones(4, np.float32),
        "dp.norm_1.beta": np.zeros(4, np.float32),
        "dp.proj.weight": direction,
        "enc_p.encoder.attn_layers.0.emb_rel_k": direction,
        "enc_p.encoder.spk_emb_linear.weight": direction[0],
        "enc_q.pre.weight": direction,
        "sdp.post_pre.weight": direction,
        "sdp.flows.1.pre.weight": direction,
        "enc_p.bert_proj.weight": direction,
    }
    folder = tmp_path / "model"
    folder.mkdir()
    melotts.english(repository(tmp_path / "files", tensors), folder)
    found = load_file(folder / "model.safetensors")
    whole = 2 * direction / np.linalg.norm(direction.reshape(4, -1), axis=1)[:, None, None]
    assert np.allclose(found.pop("dec.ups.0.weight"), whole.transpose(1, 2, 0))
    assert np.allclose(found.pop("dec.resblocks.0.convs1.0.weight"), whole.swapaxes(1, 2))
    assert np.array_equal(found.pop("dp.proj.weight"), direction.swapaxes(1, 2))
    assert np.array_equal(found.pop("enc_p.encoder.attn_layers.0.emb_rel_k"), direction)
    assert found.keys() == {"dp.norm_1.weight", "dp.norm_1.bias", "enc_p.encoder.spk_emb_linear.weight"}
    config = json.loads((folder / "config.json").read_text())
    assert config["language"] == "en" and config["speakers"] == {"EN-US": 0, "EN-BR": 1}
    assert config["reads_words"] is config["tells_encoder"] is True


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({**CONFIG, "model": {**CONFIG["model"], "resblock": "2"}}, "another network"),
        ({**CONFIG, "data": {**CONFIG["data"], "n_speakers": 0}}, "another network"),
        ({"data": {}, "model": {}}, "config.json is not a configuration of MeloTTS"),
    ],
)
def test_other_configurations_are_refused(tmp_path: Path, config: dict[str, Any], says: str) -> None:
    with pytest.raises(SourceFailed, match=says):
        melotts.english(repository(tmp_path / "files", {"a.bias": np.ones(2, np.float32)}, config), tmp_path)


def test_a_checkpoint_without_a_model_is_refused(tmp_path: Path) -> None:
    files = repository(tmp_path / "files", {})
    with pytest.raises(SourceFailed, match="holds no tensors of a 'model'"):
        melotts.english(files, tmp_path)
    save_tensors(files / "checkpoint.pth", {"x": np.ones(2, np.float32)})
    with pytest.raises(SourceFailed, match="holds no tensors of a 'model'"):
        melotts.english(files, tmp_path)


WORDS = {
    "bert.embeddings.word_embeddings.weight": np.ones((5, 4), np.float32),
    "bert.embeddings.LayerNorm.gamma": np.ones(4, np.float32),
    "bert.encoder.layer.0.output.dense.bias": np.ones(4, np.float32),
    "bert.encoder.layer.1.output.dense.bias": np.ones(4, np.float32),
    "bert.pooler.dense.bias": np.ones(4, np.float32),
    "cls.predictions.bias": np.ones(5, np.float32),
}


def words(folder: Path, kind: str) -> Path:
    folder.mkdir()
    if kind == "safetensors":
        save_file(WORDS, folder / "model.safetensors")
    else:
        (save_old_tensors if kind == "old" else save_tensors)(folder / "pytorch_model.bin", WORDS)
    (folder / "config.json").write_text('{"num_hidden_layers": 3, "num_attention_heads": 2}')
    (folder / "vocab.txt").write_text("[UNK]\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false, "strip_accents": false}')
    return folder


@pytest.mark.parametrize("kind", ["safetensors", "new", "old"])
def test_bert_loses_the_layers_that_are_not_read(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "bert"
    folder.mkdir()
    melotts.bert(words(tmp_path / "files", kind), folder)
    assert load_file(folder / "model.safetensors").keys() == {
        "embeddings.word_embeddings.weight",
        "embeddings.LayerNorm.weight",
        "encoder.layer.0.output.dense.bias",
    }
    config = json.loads((folder / "config.json").read_text())
    assert config == {"model_type": "bert", "heads": 2, "lowercase": False, "strip_accents": False}
