"""FishSpeech 1.5 as it is published (PyTorch and tiktoken) → one folder of weights under their authors' names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from speechmlx.models.convert import torch_file
from speechmlx.models.convert.bfloat16 import save_bfloat16
from speechmlx.models.convert.hub import link
from speechmlx.models.convert.tiktoken import read_ranks, write_bpe
from speechmlx.models.convert.weights import Array, Weights, read_json, reading, save_tensors, write_json
from speechmlx.models.spec import SourceFailed

MODEL, CODEC = "model.pth", "firefly-gan-vq-fsq-8x1024-21hz-generator.pth"
SPECIAL = "special_tokens.json"
END, SEMANTIC = "<|im_end|>", "<|semantic:{}|>"
OUTPUT = "output.weight"
"""The layer before the logits of the whole vocabulary, of which the engine draws frames and the end of a turn alone."""
LAYER = r"(attention\.(wqkv|wo)|feed_forward\.w[123]|attention_norm|ffn_norm)\.weight"
TRANSFORMERS = re.compile(
    rf"((codebook_|fast_)?embeddings|(fast_)?norm|(fast_)?output)\.weight|(fast_)?layers\.\d+\.{LAYER}"
)
BLOCK = r"(dwconv\.conv|norm|pwconv1|pwconv2)\.(weight|bias)|gamma"
NORMED = r"conv\.(bias|parametrizations\.weight\.original[01])"
FIREFLY = re.compile(
    r"backbone\.(downsample_layers\.\d+\.[01](\.conv)?|norm)\.(weight|bias)"
    rf"|backbone\.stages\.\d+\.\d+\.({BLOCK})"
    rf"|quantizer\.(down|up)sample\.\d+\.(0\.conv\.(weight|bias)|1\.({BLOCK}))"
    r"|quantizer\.residual_fsq\.rvqs\.\d+\.project_(in|out)\.(weight|bias)"
    rf"|head\.(conv_pre|conv_post|ups\.\d+|resblocks\.\d+\.blocks\.\d+\.convs[12]\.\d+)\.{NORMED}"
)
TRANSPOSED = re.compile(r"(quantizer\.upsample\.\d+\.0|head\.ups\.\d+)\.conv\.weight")
"""Convolutions that add samples, which are published as [in, out, taps]."""
NORM = ".parametrizations.weight."


def convert(files: Path, folder: Path) -> None:
    """The transformers become bfloat16, as they are published, and the codec float32.

    Raises SourceFailed, which names what is wrong.
    """
    special = read_json(files / SPECIAL)
    config = read_json(files / "config.json")
    with reading(files / "config.json", "a configuration"):
        codes = int(config["codebook_size"])
    save_bfloat16(folder / "model.safetensors", transformers(_read(files / MODEL, "model."), _drawn(special, codes)))
    codec = {f"firefly.{name}": tensor for name, tensor in firefly(_read(files / CODEC, "generator.")).items()}
    save_tensors(folder / "firefly.safetensors", codec)
    write_bpe(folder, read_ranks(files / "tokenizer.tiktoken"))
    link(files / SPECIAL, folder / SPECIAL)
    write_json(folder / "config.json", config)


def transformers(checkpoint: Mapping[str, Array], drawn: list[int]) -> Weights:
    """The tensors of model.pth; of the logits' layer the rows `drawn`."""
    _check(MODEL, checkpoint, TRANSFORMERS)
    if len(checkpoint.get(OUTPUT, ())) <= max(drawn):
        raise SourceFailed(f"{MODEL} has no {OUTPUT!r} with a row for each token")
    return {name: tensor[drawn] if name == OUTPUT else tensor for name, tensor in checkpoint.items()}


def firefly(checkpoint: Mapping[str, Array]) -> Weights:
    """The codec's tensors: weights from their lengths and directions, convolutions as [out, taps, in]."""
    _check(CODEC, checkpoint, FIREFLY)
    weights: Weights = {}
    for name, tensor in checkpoint.items():
        layer, mark, part = name.partition(NORM)
        if mark and part == "original0":
            continue
        if mark:
            name, tensor = f"{layer}.weight", _scaled(tensor, _tensor(checkpoint, f"{layer}{NORM}original0"))
        if tensor.ndim == 3:
            tensor = tensor.transpose(1, 2, 0) if TRANSPOSED.fullmatch(name) else tensor.transpose(0, 2, 1)
        weights[name] = tensor.astype(np.float32)
    return weights


def _drawn(special: Mapping[str, object], codes: int) -> list[int]:
    """The tokens that the engine draws, in its order: a code each, and the end of a turn."""
    with reading(Path(SPECIAL), "a list of tokens"):
        return [int(str(special[name])) for name in (*map(SEMANTIC.format, range(codes)), END)]


def _scaled(direction: Array, length: Array) -> Array:
    """A weight from its direction and, for each index of the first axis, its length."""
    norms = np.sqrt(np.square(direction, dtype=np.float64).sum(axis=(1, 2), keepdims=True))
    scaled: Array = direction * (length / norms)
    return scaled


def _read(path: Path, prefix: str) -> dict[str, Array]:
    """The tensors of a checkpoint, which may be those of a training: in "state_dict", and their names with a prefix.

    A training's file of the codec has tensors of other networks too, which are left out.
    """
    found = torch_file.read(path)
    with reading(path, "a checkpoint of tensors"):
        found = found.get("state_dict", found)
        tensors = {str(name): np.asarray(tensor) for name, tensor in found.items()}
    if any(name.startswith(prefix) for name in tensors):
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return tensors


def _tensor(checkpoint: Mapping[str, Array], name: str) -> Array:
    if name not in checkpoint:
        raise SourceFailed(f"the checkpoint has no tensor {name!r}")
    return checkpoint[name]


def _check(file: str, checkpoint: Mapping[str, Array], known: re.Pattern[str]) -> None:
    for name in checkpoint:
        if not known.fullmatch(name):
            raise SourceFailed(f"{file} has a tensor {name!r}, which FishSpeech 1.5 does not have")
