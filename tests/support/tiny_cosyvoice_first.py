"""Small CosyVoices 1 with weights made from names: their parts, and a folder that the engine loads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import mlx.core as mx
from numpy.typing import NDArray
from support import tiny_cosyvoice
from support.small_checkpoints import first_made, numbers, read_json_gz
from support.tiny_cosyvoice import DATA, ENDING, Weights, whole

from speechmlx.engines.cosyvoice.generation import FIRST_SPEECH_TOKENS
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.token_flow import FlowPrompt
from speechmlx.models.convert import cosyvoice
from speechmlx.models.convert.weights import save_tensors

SHAPES = read_json_gz(DATA / "cosyvoice1_shapes.json.gz")
PROMPT = FlowPrompt(numbers(8, 1, 192)[0], whole(6, FIRST_SPEECH_TOKENS, 12), numbers(7, 1, 21, 80)[0])
NAMED = ("中文女", "中文男", "日语男", "粤语女", "英文女", "英文男", "韩语女")


@cache
def published(part: str) -> Weights:
    """The tensors of a small checkpoint under the names of its authors: lm, flow, hift or s3."""
    return {name: first_made(name, shape) for name, shape in SHAPES[part].items()}


@cache
def part(name: str) -> Weights:
    """The converted tensors of a part."""
    given = published(name)
    match name:
        case "lm":
            return cosyvoice.first_language_model(given)
        case "flow":
            return cosyvoice.flow(given)
        case "hift":
            return cosyvoice.hift(given, transposed=True)
    return {key: tensor.transpose(0, 2, 1) if tensor.ndim == 3 else tensor for key, tensor in given.items()}


def tensors(name: str) -> Tensors:
    """The weights of a small part."""
    return Tensors({key: mx.array(tensor) for key, tensor in part(name).items()})


def write_first(folder: Path, kind: str = "cosyvoice1", named: Sequence[str] = NAMED) -> Path:
    """A folder with the parts of a kind; `named`: the speakers of one that has some."""
    parts = {name: part(name) for name in ("lm", "flow", "hift")}
    if kind == "cosyvoice1":
        parts |= {"s3": part("s3"), "campplus": tiny_cosyvoice.part("campplus")}
        named = ()
    else:
        parts["voices"] = {name: numbers(number, 192) for number, name in enumerate(named)}
    ending: NDArray[Any] = parts["lm"]["llm_decoder.bias"].copy()
    ending[FIRST_SPEECH_TOKENS] += ENDING
    parts["lm"] = {**parts["lm"], "llm_decoder.bias": ending}
    for name, weights in parts.items():
        save_tensors(folder / f"{name}.safetensors", {f"{name}.{key}": tensor for key, tensor in weights.items()})
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "voices": list(named)}))
    return folder
