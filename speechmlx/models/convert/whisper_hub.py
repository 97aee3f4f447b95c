"""Whisper from a hub repository, in the layout of mlx-whisper or transformers → the layout of mlx-whisper."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechmlx.models.convert import torch_file
from speechmlx.models.convert.hub import link
from speechmlx.models.convert.weights import (
    Array,
    check_zip,
    load_tensors,
    read_json,
    reading,
    save_tensors,
    write,
)
from speechmlx.models.spec import SourceFailed

DIMENSIONS = {
    "n_mels": "num_mel_bins",
    "n_audio_ctx": "max_source_positions",
    "n_audio_state": "d_model",
    "n_audio_head": "encoder_attention_heads",
    "n_audio_layer": "encoder_layers",
    "n_vocab": "vocab_size",
    "n_text_ctx": "max_target_positions",
    "n_text_state": "d_model",
    "n_text_head": "decoder_attention_heads",
    "n_text_layer": "decoder_layers",
}
PARTS = {
    "self_attn.q_proj": "attn.query",
    "self_attn.k_proj": "attn.key",
    "self_attn.v_proj": "attn.value",
    "self_attn.out_proj": "attn.out",
    "self_attn_layer_norm": "attn_ln",
    "encoder_attn.q_proj": "cross_attn.query",
    "encoder_attn.k_proj": "cross_attn.key",
    "encoder_attn.v_proj": "cross_attn.value",
    "encoder_attn.out_proj": "cross_attn.out",
    "encoder_attn_layer_norm": "cross_attn_ln",
    "fc1": "mlp1",
    "fc2": "mlp2",
    "final_layer_norm": "mlp_ln",
}
OTHERS = {
    "decoder.embed_tokens.weight": "decoder.token_embedding.weight",
    "decoder.embed_positions.weight": "decoder.positional_embedding",
    **{f"encoder.layer_norm.{p}": f"encoder.ln_post.{p}" for p in ("weight", "bias")},
    **{f"decoder.layer_norm.{p}": f"decoder.ln.{p}" for p in ("weight", "bias")},
    **{f"encoder.{c}.{p}": f"encoder.{c}.{p}" for c in ("conv1", "conv2") for p in ("weight", "bias")},
}
UNUSED = ("proj_out.weight", "encoder.embed_positions.weight")
"""The output is tied to the token embedding; the encoder's positions are sinusoids that the network computes."""


def convert(files: Path, folder: Path) -> None:
    """`files`/config.json and weights in any supported format → config.json and model.safetensors."""
    config = read_json(files / "config.json")
    if (extra := files / "generation_config.json").is_file():
        link(extra, folder / extra.name)
    if "n_mels" in config:
        _keep(files, folder)
    elif config.get("model_type") == "whisper":
        weights = {new: w for name, tensor in _tensors(files) for new, w in _renamed(name, tensor)}
        write(
            folder, {"model_type": "whisper"} | {ours: config[theirs] for ours, theirs in DIMENSIONS.items()}, weights
        )
    else:
        raise SourceFailed(f"its config.json is not a Whisper's (model_type {config.get('model_type')!r})")


def _keep(files: Path, folder: Path) -> None:
    """Link or convert files in mlx-whisper's layout. Only the name or format of the weights file may differ."""
    link(files / "config.json", folder / "config.json")
    for name in ("model.safetensors", "weights.safetensors"):
        if (files / name).is_file():
            link(files / name, folder / "model.safetensors")
            return
    if not (files / "weights.npz").is_file():
        raise SourceFailed("has no weights.safetensors and no weights.npz")
    with reading(files / "weights.npz", "a file of weights"):
        with zipfile.ZipFile(files / "weights.npz") as archive:
            check_zip(files / "weights.npz", archive)
        with np.load(files / "weights.npz", allow_pickle=False) as stored:
            save_tensors(folder / "model.safetensors", dict(stored))


def _tensors(files: Path) -> Iterator[tuple[str, Array]]:
    """All tensors of a transformers checkpoint, in safetensors or PyTorch's format, in one file or several."""
    stored = sorted(files.glob("model*.safetensors"))
    for path in stored:
        yield from load_tensors(path).items()
    if stored:
        return
    pickled = sorted(files.glob("pytorch_model*.bin"))
    if not pickled:
        raise SourceFailed("has neither model.safetensors nor pytorch_model.bin")
    for path in pickled:
        yield from torch_file.read(path).items()


def _renamed(name: str, tensor: Array) -> Iterator[tuple[str, Array]]:
    """The tensor under mlx-whisper's name, in float16. Yields nothing for UNUSED tensors."""
    short = name.removeprefix("model.")
    if short in UNUSED:
        return
    layer = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(.+)\.(weight|bias)", short)
    new = f"{layer[1]}.blocks.{layer[2]}.{PARTS[layer[3]]}.{layer[4]}" if layer else OTHERS[short]
    is_convolution = tensor.ndim == 3
    yield new, (tensor.swapaxes(1, 2) if is_convolution else tensor).astype(np.float16)
