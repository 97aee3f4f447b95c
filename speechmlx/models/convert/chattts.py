"""ChatTTS as it is published → one folder: language model, decoder, vocoder, and what speakers are drawn by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.convert import torch_file
from speechmlx.models.convert.hub import link
from speechmlx.models.convert.weights import Array, Weights, load_tensors, read_json, save_tensors, write_json
from speechmlx.models.spec import SourceFailed

GROUPS = 4
"""Codes of a frame, each with an embedding and a head of its own."""
LAYER = (
    r"layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj|input_layernorm|post_attention_layernorm)\.weight"
    r"|norm\.weight"
)
UNUSED = "embed_tokens.weight"
"""The Llama's own embeddings, which nothing uses."""
PREFIXES = ("model.", "gpt.")
"""May be before the names of the Llama's tensors."""
SCALE, DIRECTION = ".parametrizations.weight.original0", ".parametrizations.weight.original1"
"""A weight as its length and its direction."""
DECODER = (
    r"coef|out_conv\.weight|decoder\.(conv_out\.weight|conv_in\.[02]\.(weight|bias)"
    r"|decoder_block\.\d+\.(weight|(dwconv|norm|pwconv1|pwconv2)\.(weight|bias)))"
)
VOCODER = (
    r"backbone\.((embed|norm|final_layer_norm)\.(weight|bias)"
    r"|convnext\.\d+\.(gamma|(dwconv|norm|pwconv1|pwconv2)\.(weight|bias)))|head\.out\.(weight|bias)"
)
COMPUTED = ("feature_extractor.", "head.istft.")
"""Begin the names of tensors of the vocoder that are computed."""
SETTINGS = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "rms_norm_eps", "rope_theta", "max_position_embeddings",
)  # fmt: skip
DEFAULTS = {"rms_norm_eps": 1e-6, "rope_theta": 10_000.0}


def convert(files: Path, folder: Path) -> None:
    """`files`/asset: Embed, Decoder and Vocos, gpt/, tokenizer/tokenizer.json, and spk_stat.pt, which may be missing.

    The language model becomes float16, all else float32. Raises SourceFailed, which names what is wrong.
    """
    asset = files / "asset"
    embed = load_tensors(asset / "Embed.safetensors")
    lm = language_model(embed, load_tensors(asset / "gpt/model.safetensors"))
    width = lm["codes.weight"].shape[1]
    parts = {
        "lm": {name: w.astype(np.float16) for name, w in lm.items()},
        "mel": decoder(load_tensors(asset / "Decoder.safetensors")),
        "vocos": vocoder(load_tensors(asset / "Vocos.safetensors")),
        "speakers": speakers(asset / "spk_stat.pt", width),
    }
    for part, weights in parts.items():
        save_tensors(folder / f"{part}.safetensors", {f"{part}.{name}": w for name, w in weights.items()})
    link(asset / "tokenizer/tokenizer.json", folder / "tokenizer.json")
    given = read_json(asset / "gpt/config.json")
    llama: dict[str, Any] = {name: given[name] for name in SETTINGS if given.get(name) is not None}
    write_json(folder / "config.json", {"model_type": "chat_tts", "llama": {**DEFAULTS, **llama}})


def language_model(embed: Mapping[str, Array], gpt: Mapping[str, Array]) -> Weights:
    """The tensors of Embed and of the Llama. Codes have one table and one head, a group behind another."""
    codes = [f"emb_code.{group}.weight" for group in range(GROUPS)]
    heads = [f"head_code.{group}" for group in range(GROUPS)]
    known = {"emb_text.weight", *codes, *(head + end for head in ("head_text", *heads) for end in (SCALE, DIRECTION))}
    _check("Embed", embed, "|".join(map(re.escape, known)))
    weights = {
        "model.embed_tokens.weight": _tensor("Embed", embed, "emb_text.weight"),
        "codes.weight": np.concatenate([_tensor("Embed", embed, name) for name in codes]),
        "text_head.weight": _scaled(embed, "head_text"),
        "code_head.weight": np.concatenate([_scaled(embed, head) for head in heads]),
    }
    for name, tensor in gpt.items():
        short = next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)
        if re.fullmatch(LAYER, short):
            weights[f"model.{short}"] = tensor
        elif short != UNUSED:
            raise SourceFailed(f"gpt/model has a tensor {name!r}, which is not known")
    return weights


def decoder(tensors: Mapping[str, Array]) -> Weights:
    """The tensors of Decoder; convolutions as [out, taps, in], the factors of the bands as [bands]."""
    _check("Decoder", tensors, DECODER)
    weights = _turned(tensors)
    return {**weights, "coef": _tensor("Decoder", tensors, "coef").reshape(-1)}


def vocoder(tensors: Mapping[str, Array]) -> Weights:
    """The tensors of Vocos; convolutions as [out, taps, in]."""
    plain = {name: tensor for name, tensor in tensors.items() if not name.startswith(COMPUTED)}
    _check("Vocos", plain, VOCODER)
    return _turned(plain)


def speakers(path: Path, width: int) -> Weights:
    """The mean and the deviation of speakers [width], by which those of names are drawn; plain ones without a file."""
    if not path.exists():
        return {"mean": np.zeros(width, np.float16), "std": np.ones(width, np.float16)}
    found = torch_file.read(path)
    if not isinstance(found, np.ndarray) or found.size != 2 * width:
        raise SourceFailed(f"{path.name} is not a tensor of {2 * width} numbers")
    std, mean = found.reshape(2, width).astype(np.float16)
    return {"mean": mean, "std": std}


def _scaled(tensors: Mapping[str, Array], layer: str) -> Array:
    """A weight [out, in] from the lengths of its rows and their directions."""
    length, direction = (_tensor("Embed", tensors, layer + end) for end in (SCALE, DIRECTION))
    norms = np.sqrt(np.square(direction, dtype=np.float64).sum(axis=1, keepdims=True))
    scaled: Array = (direction * (length / norms)).astype(np.float32)
    return scaled


def _turned(tensors: Mapping[str, Array]) -> Weights:
    return {
        name: (tensor.transpose(0, 2, 1) if tensor.ndim == 3 else tensor).astype(np.float32)
        for name, tensor in tensors.items()
    }


def _tensor(file: str, tensors: Mapping[str, Array], name: str) -> Array:
    if name not in tensors:
        raise SourceFailed(f"{file} has no tensor {name!r}")
    return tensors[name]


def _check(file: str, tensors: Mapping[str, Array], known: str) -> None:
    """Raises SourceFailed for a tensor whose name is not known."""
    for name in tensors:
        if not re.fullmatch(known, name):
            raise SourceFailed(f"{file} has a tensor {name!r}, which is not known")
