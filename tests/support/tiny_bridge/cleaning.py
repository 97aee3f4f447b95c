"""Tiny models that enhance speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from support.tiny_bridge.files import save

from speechmlx.engines.mlx_audio import package


def mel_roformer(folder: Path) -> None:
    """With the published names of its weights."""
    module = package.family("sts", "mel_roformer")
    config: dict[str, Any] = {
        "dim": 16, "depth": 1, "heads": 2, "dim_head": 8, "num_bands": 4, "num_stems": 1, "ff_mult": 2,
        "mlp_expansion_factor": 2, "mask_estimator_depth": 2, "n_fft": 64, "hop_length": 32, "win_length": 64,
        "sample_rate": 2000, "checkpoint_family": "custom",
    }  # fmt: skip
    model = module.MelRoFormer(module.MelRoFormerConfig(**config))
    save(folder, config, model, 4)
    stored: dict[str, mx.array] = {}
    for name, array in tree_flatten(model.parameters()):
        if name.endswith(".to_q.weight"):
            parts = [model_weight(model, name.replace("to_q", part)) for part in ("to_q", "to_k", "to_v")]
            name, array = name.replace("to_q", "to_qkv"), mx.concatenate(parts)
        elif name.endswith((".to_k.weight", ".to_v.weight")):
            continue
        elif name.endswith(".to_out.weight"):
            name = name.replace("to_out", "to_out.0")
        elif name.startswith("mask_estimators."):
            first, _, rest = name.rpartition(".0.")
            group, _, place = first.rpartition(".")
            name = f"{group}.0.{2 * int(place)}.{rest}"
        stored[name] = 2 * array
    mx.save_safetensors(str(folder / "model.safetensors"), stored)


def model_weight(model: Any, name: str) -> mx.array:
    return dict(tree_flatten(model.parameters()))[name]


def mossformer2_se(folder: Path) -> None:
    """Its sizes are fixed in the package: here they are made small, for the process that this runs in."""
    module = package.family("sts", "mossformer2_se")
    from mlx_audio.sts.models.mossformer2_se import mossformer2_se_wrapper as wrapper
    from mlx_audio.sts.models.mossformer2_se.mossformer_masknet import MossFormer_MaskNet

    def small(in_channels: int, out_channels: int, out_channels_final: int) -> Any:
        return MossFormer_MaskNet(in_channels, 32, out_channels_final, num_blocks=2)

    wrapper.MossFormer_MaskNet = small
    config = {
        "model_type": "mossformer2_se", "sample_rate": 48000, "win_len": 1920, "win_inc": 384, "fft_len": 1920,
        "num_mels": 60, "win_type": "hamming", "preemphasis": 0.97, "out_channels_final": 961,
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(config)).model, 2)
