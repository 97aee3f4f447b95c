"""FunASR's checkpoints (model.pt, am.mvn, config.yaml) → folders of weights with its names of tensors.

A convolution of each channel by itself becomes [taps, channels], and any other [out, taps, in].
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from speechmlx.models.convert import torch_file
from speechmlx.models.convert.weights import MAX_JSON, Array, Weights, reading, write, write_json
from speechmlx.models.spec import SourceFailed

SHOWN = 5
"""Names of tensors in an error."""
BOTH = ("weight", "bias")
TRAINING = "decoder.embed.0.weight"
"""What only the training of Paraformer uses."""


def vad(files: Path, folder: Path) -> None:
    """FSMN-VAD."""
    weights = _read(files)
    _check(weights, vad_names(weights))
    write(folder, {"model_type": "fsmn_vad"}, weights | _normalisation(files))


def paraformer(files: Path, folder: Path) -> None:
    """Paraformer."""
    weights, config = _read(files), _config(files)
    weights.pop(TRAINING, None)
    _check(weights, paraformer_names(weights))
    heads = [_heads(config, "encoder_conf"), _heads(config, "decoder_conf")]
    about = {"model_type": "paraformer", "heads": heads, "tokens": _list(files / "tokens.json")}
    write(folder, about, laid_out(weights) | _normalisation(files))


def punctuation(files: Path, folder: Path) -> None:
    """CT-Transformer. Its large embedding is a file of its own, of which rows are read."""
    weights, config = _read(files), _config(files)
    _check(weights, punctuation_names(weights))
    np.save(folder / "embedding.npy", np.ascontiguousarray(weights.pop("embed.weight"), np.float32))
    write_json(folder / "tokens.json", _list(files / "tokens.json"))
    write(folder, {"model_type": "ct_transformer", "heads": _heads(config, "encoder_conf")}, laid_out(weights))


def sensevoice(files: Path, folder: Path) -> None:
    """SenseVoiceSmall."""
    weights, config = _read(files), _config(files)
    _check(weights, sensevoice_names(weights))
    about = {"model_type": "sensevoice", "heads": _heads(config, "encoder_conf"), "pieces": _pieces(files)}
    write(folder, about, laid_out(weights) | _normalisation(files))


def laid_out(weights: Weights) -> Weights:
    """The weights with their convolutions in MLX's layout."""
    return {name: _turned(name, array) for name, array in weights.items()}


def _turned(name: str, array: Array) -> Array:
    if array.ndim != 3:
        return array
    return array[:, 0].T if name.endswith("fsmn_block.weight") else array.transpose(0, 2, 1)


# --- Names: of all tensors of a network with as many layers as there are --------------------------------------------


def vad_names(weights: Collection[str]) -> list[str]:
    """Those of FSMN-VAD."""
    names = _both(f"encoder.{part}.linear" for part in ("in_linear1", "in_linear2", "out_linear1", "out_linear2"))
    for block in _numbered(weights, "encoder.fsmn", "linear.linear.weight"):
        names += [
            f"{block}.linear.linear.weight",
            f"{block}.fsmn_block.conv_left.weight",
            *_both([f"{block}.affine.linear"]),
        ]
    return names


def paraformer_names(weights: Collection[str]) -> list[str]:
    """Those of Paraformer, but for TRAINING."""
    parts = ["predictor.cif_conv1d", "predictor.cif_output", "decoder.after_norm", "decoder.output_layer"]
    layers = _numbered(weights, "decoder.decoders", "norm1.weight")
    for layer in layers:
        parts += [f"{layer}.norm2", f"{layer}.norm3"]
        parts += [f"{layer}.src_attn.{part}" for part in ("linear_q", "linear_k_v", "linear_out")]
    alone = [f"{layer}.self_attn.fsmn_block.weight" for layer in layers]
    for layer in [*layers, "decoder.decoders3.0"]:
        parts += [f"{layer}.norm1", f"{layer}.feed_forward.w_1", f"{layer}.feed_forward.norm"]
        alone.append(f"{layer}.feed_forward.w_2.weight")
    return [*encoder_names(weights), *alone, *_both(parts)]


def punctuation_names(weights: Collection[str]) -> list[str]:
    """Those of CT-Transformer."""
    return [*encoder_names(weights), "embed.weight", *_both(["decoder"])]


def sensevoice_names(weights: Collection[str]) -> list[str]:
    """Those of SenseVoiceSmall."""
    return [*encoder_names(weights), "embed.weight", *_both(["ctc.ctc_lo", "encoder.tp_norm"])]


def encoder_names(weights: Collection[str]) -> list[str]:
    """Those of a SAN-M encoder, without the norm behind its second part."""
    names = _both(["encoder.after_norm"])
    for group in ("encoders0", "encoders", "tp_encoders"):
        for layer in _numbered(weights, f"encoder.{group}", "norm1.weight"):
            inside = ("norm1", "norm2", "feed_forward.w_1", "feed_forward.w_2", *_ATTENTION)
            names += [*_both(f"{layer}.{part}" for part in inside), f"{layer}.self_attn.fsmn_block.weight"]
    return names


_ATTENTION = ("self_attn.linear_q_k_v", "self_attn.linear_out")


def _both(parts: Iterable[str]) -> list[str]:
    return [f"{part}.{kind}" for part in parts for kind in BOTH]


def _numbered(weights: Collection[str], group: str, tensor: str) -> list[str]:
    """group.0, group.1, ... that have such a tensor."""
    return [f"{group}.{n}" for n in _count(weights, group, tensor)]


def _count(weights: Collection[str], group: str, tensor: str) -> Iterator[int]:
    number = 0
    while f"{group}.{number}.{tensor}" in weights:
        yield number
        number += 1


def _check(weights: Collection[str], wanted: Collection[str]) -> None:
    """Raises SourceFailed, with the names, where tensors are missing or nobody knows what they are for."""
    have, need = set(weights), set(wanted)
    for names, what in ((need - have, "lacks {} tensors"), (have - need, "has {} tensors of which we know nothing")):
        if names:
            raise SourceFailed(f"model.pt {what.format(len(names))}: {', '.join(sorted(names)[:SHOWN])}")


# --- Files ----------------------------------------------------------------------------------------------------------


def _read(files: Path) -> Weights:
    found = torch_file.read(files / "model.pt")
    weights = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(array, np.ndarray) for array in weights.values()):
        raise SourceFailed("model.pt is not a checkpoint of FunASR: it holds no tensors by their names")
    return {str(name): np.asarray(array, np.float32) for name, array in weights.items()}


def _normalisation(files: Path) -> Weights:
    """What am.mvn says: features are shifted, then scaled."""
    with reading(files / "am.mvn", "a Kaldi normalisation"):
        text = (files / "am.mvn").read_text()
        return {"cmvn.shift": _numbers(text, "AddShift"), "cmvn.scale": _numbers(text, "Rescale")}


def _numbers(text: str, part: str) -> Array:
    found = re.search(rf"<{part}>[^\[]*\[([^\]]*)\]", text)
    if found is None:
        raise SourceFailed(f"am.mvn has no {part}")
    return np.array(found[1].split(), np.float32)


def _config(files: Path) -> dict[str, Any]:
    path = files / "config.yaml"
    with reading(path, "a configuration of FunASR"):
        if path.stat().st_size > MAX_JSON:
            raise SourceFailed(f"config.yaml has {path.stat().st_size} bytes; it may have {MAX_JSON}")
        config = yaml.safe_load(path.read_bytes())
        if not isinstance(config, dict):
            raise SourceFailed("config.yaml is not a table")
        return config


def _heads(config: dict[str, Any], part: str) -> int:
    inside = config.get(part)
    heads = inside.get("attention_heads") if isinstance(inside, dict) else None
    if not isinstance(heads, int) or heads < 1:
        raise SourceFailed(f"config.yaml has no number attention_heads in {part}")
    return heads


def _list(path: Path) -> list[str]:
    """A JSON list of texts."""
    with reading(path, "a list of tokens"):
        if path.stat().st_size > MAX_JSON:
            raise SourceFailed(f"{path.name} has {path.stat().st_size} bytes; it may have {MAX_JSON}")
        found = json.loads(path.read_bytes())
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise SourceFailed(f"{path.name} is not a list of texts")
        return found


def _pieces(files: Path) -> list[str]:
    """The pieces of the SentencePiece model, by their numbers."""
    models = sorted(files.glob("*.model"))
    if len(models) != 1:
        raise SourceFailed(f"has {len(models)} files *.model, not one")
    from sentencepiece import SentencePieceProcessor

    with reading(models[0], "a SentencePiece model"):
        model = SentencePieceProcessor(model_file=str(models[0]))
        return [model.id_to_piece(number) for number in range(model.get_piece_size())]
