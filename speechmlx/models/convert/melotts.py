"""MeloTTS and the BERT that it reads words with: from the files as published to what the engine reads.

Convolutions become [out, taps, in], transposed ones too; a weight that is told by its direction and length is one
tensor; what only training needs is left out.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.convert import torch_file
from speechmlx.models.convert.hub import link
from speechmlx.models.convert.weights import Array, Weights, load_tensors, read_json, reading, write
from speechmlx.models.spec import SourceFailed

LEFT_OUT = ("enc_q.", "sdp.post_", "sdp.flows.1.", "enc_p.bert_proj.weight")
"""Begin the names of what speaking does not need: the last is multiplied by nothing but zeros."""
UNREAD = 2
"""Layers of BERT behind the one that is read."""
NORMALISATION = {"gamma": "weight", "beta": "bias"}


def _convert(language: str, files: Path, folder: Path) -> None:
    """`files`/checkpoint.pth and config.json → the engine's folder. Raises SourceFailed."""
    about = read_json(files / "config.json")
    with reading(files / "config.json", "a configuration of MeloTTS"):
        config = _config(language, about)
    saved = torch_file.read(files / "checkpoint.pth")
    weights = saved.get("model") if isinstance(saved, dict) else None
    if not isinstance(weights, dict) or not weights:
        raise SourceFailed("checkpoint.pth holds no tensors of a 'model'")
    with reading(files / "checkpoint.pth", "a checkpoint of MeloTTS"):
        tensors = _tensors(weights)
    write(folder, config, tensors)


english, spanish, french, chinese, japanese = (partial(_convert, code) for code in ("en", "es", "fr", "zh", "ja"))


def _config(language: str, about: dict[str, Any]) -> dict[str, Any]:
    """What the engine must know besides the weights."""
    data, model = about["data"], about["model"]
    if str(model["resblock"]) != "1" or not model.get("use_transformer_flow", True) or not data["n_speakers"]:
        raise SourceFailed("is a MeloTTS of another network: its resblock, its flow or its speakers")
    return {
        "model_type": "melotts",
        "language": language,
        "rate": int(data["sampling_rate"]),
        "speakers": {str(name): int(number) for name, number in data["spk2id"].items()},
        "symbols": [str(symbol) for symbol in about["symbols"]],
        "heads": int(model["n_heads"]),
        "upsampling": [int(factor) for factor in model["upsample_rates"]],
        "dilations": [[int(one) for one in block] for block in model["resblock_dilation_sizes"]],
        "reads_words": not data.get("disable_bert", False),
        "tells_encoder": not model.get("use_vc", False),
    }


def _tensors(weights: dict[str, Any]) -> Weights:
    """The tensors in the engine's names and layout."""
    found: Weights = {}
    for name, array in weights.items():
        if name.startswith(LEFT_OUT) or name.endswith(".weight_g"):
            continue
        if name.endswith(".weight_v"):
            name = name.removesuffix("_v")
            array = _whole(array, weights[f"{name}_g"])
        stem, _, last = name.rpartition(".")
        if last == "weight" and array.ndim == 3:
            array = array.transpose(1, 2, 0) if stem.startswith("dec.ups.") else array.swapaxes(1, 2)
        found[f"{stem}.{NORMALISATION.get(last, last)}"] = array.astype(np.float32)
    return found


def _whole(direction: Array, length: Array) -> Array:
    """The weight whose parts along the first axis have a direction, and a length of their own."""
    norm = np.sqrt(np.square(direction, dtype=np.float64).sum(axis=(1, 2), keepdims=True))
    whole: Array = (direction * (length / norm)).astype(np.float32)
    return whole


def bert(files: Path, folder: Path) -> None:
    """config.json, vocab.txt and the weights of a BERT → the layers that are read, and how its text is cut."""
    config, about = read_json(files / "config.json"), files / "tokenizer_config.json"
    tokenizer = read_json(about) if about.is_file() else {}
    plain = files / "model.safetensors"
    saved = load_tensors(plain) if plain.is_file() else torch_file.read(files / "pytorch_model.bin")
    with reading(files / "config.json", "a configuration of BERT"):
        layers = int(config["num_hidden_layers"]) - UNREAD
        heads = int(config["num_attention_heads"])
    read = tuple(f"encoder.layer.{number}." for number in range(layers))
    weights: Weights = {}
    for name, array in saved.items():
        name = name.removeprefix("bert.")
        if name.startswith((*read, "embeddings.")) and not name.endswith("position_ids"):
            stem, _, last = name.rpartition(".")
            weights[f"{stem}.{NORMALISATION.get(last, last)}"] = np.asarray(array)
    if not weights:
        raise SourceFailed("the weights are not those of BERT")
    is_japanese = tokenizer.get("tokenizer_class") == "BertJapaneseTokenizer"
    lowercase, strips = tokenizer.get("do_lower_case", not is_japanese), tokenizer.get("strip_accents")
    link(files / "vocab.txt", folder / "vocab.txt")
    write(folder, {"model_type": "bert", "heads": heads, "lowercase": lowercase, "strip_accents": strips}, weights)
