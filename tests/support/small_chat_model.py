"""A language model of two layers with random weights and the tokenizer of a real one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from speechmlx.types import Generate, Message

SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
FIRST = 12
"""Tokens of the answers that `written` gives."""


def network(config: dict[str, Any]) -> nn.Module:
    """A Llama of these sizes; the same weights each time."""
    from mlx_lm.models import llama

    mx.random.seed(0)
    return llama.Model(llama.ModelArgs.from_dict(config))


def save(model: nn.Module, folder: Path) -> None:
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())))


def small_chat_model(real: Path, folder: Path, bits: int = 0) -> Path:
    """Write one to `folder`, with tokenizer and template of the checkpoint `real`; quantised if `bits` are given."""
    config: dict[str, Any] = json.loads((real / "config.json").read_text()) | SMALL
    model = network(config)
    if bits:
        nn.quantize(model, group_size=32, bits=bits)
        config["quantization"] = {"group_size": 32, "bits": bits}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(real / name, folder / name)
    save(model, folder)
    return folder


def written(engine: Any, *questions: str) -> list[list[int]]:
    """The first tokens of the answers to questions that are asked at once."""
    seats = [engine.begin(Generate(messages=(Message("user", one),), max_tokens=FIRST)) for one in questions]
    while unfinished := [seat for seat in seats if not seat.finished]:
        engine.step(unfinished)
    tokens = [seat.tokens[seat.prompt :] for seat in seats]
    for seat in seats:
        engine.end(seat)
    return tokens
