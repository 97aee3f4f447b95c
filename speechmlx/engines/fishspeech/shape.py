"""What config.json of a FishSpeech says: the sizes of its two transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechmlx.engines.parts.layer_stack import StackShape
from speechmlx.engines.weights import read_config
from speechmlx.errors import ModelUnavailable

PLAIN = {"tie_word_embeddings": False, "attention_qkv_bias": False, "share_codebook_embeddings": True}
"""Settings of the published model, and their values where config.json does not say them."""


@dataclass(frozen=True)
class DualArShape:
    """Both stacks and their vocabularies."""

    slow: StackShape
    fast: StackShape
    """As wide as `slow`: the state of one is the input of the other."""
    vocabulary: int
    codes: int
    """Of each codebook; those of the first are tokens of the vocabulary too."""
    codebooks: int
    positions: int


def read_shape(folder: Path) -> DualArShape:
    """Raises ModelUnavailable for a model of another kind, or one that this engine does not compute."""
    config = read_config(folder)
    if config.get("model_type") != "dual_ar":
        raise ModelUnavailable(
            f"the folder {folder.name!r} holds {config.get('model_type')!r}; this engine runs 'dual_ar', FishSpeech 1.5"
        )
    for name, value in PLAIN.items():
        if bool(config.get(name, value)) is not value:
            raise ModelUnavailable(f"this engine runs FishSpeech 1.5, whose config.json has {name} {value}")
    try:
        return _shape(config)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelUnavailable(f"config.json of the model folder {folder.name!r} lacks a size: {error}") from error


def _shape(config: Mapping[str, Any]) -> DualArShape:
    slow = _stack(config, "", int(config["n_layer"]))
    fast = _stack(config, "fast_", int(config.get("n_fast_layer", 4)))
    if fast.hidden != slow.hidden:
        raise ValueError("both transformers must be equally wide")
    return DualArShape(
        slow,
        fast,
        vocabulary=int(config["vocab_size"]),
        codes=int(config["codebook_size"]),
        codebooks=int(config["num_codebooks"]),
        positions=int(config["max_seq_len"]),
    )


def _stack(config: Mapping[str, Any], prefix: str, layers: int) -> StackShape:
    def size(name: str) -> int:
        return int(config.get(prefix + name) or config[name])

    hidden, heads = size("dim"), size("n_head")
    return StackShape(
        hidden=hidden,
        inner=size("intermediate_size"),
        layers=layers,
        heads=heads,
        kv_heads=size("n_local_heads"),
        head=hidden // heads,
        epsilon=float(config.get("norm_eps", 1e-5)),
        base=float(config.get("rope_base", 10_000)),
        neighbours=True,
    )
