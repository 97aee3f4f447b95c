"""Small CosyVoices with weights made from names: their parts, and a folder that the engine loads."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from support.onnx_graphs import Node
from support.small_checkpoints import checkpoint, numbers, read_json_gz
from tokenizers import pre_tokenizers

from speechmlx.engines.cosyvoice.generation import SECOND, SPEECH_TOKENS, Generation
from speechmlx.engines.parts.token_flow import FlowPrompt
from speechmlx.models.convert import campplus_onnx, cosyvoice
from speechmlx.models.convert.weights import save_tensors

DATA = Path(__file__).parents[1] / "engines" / "data"
SHAPES = read_json_gz(DATA / "cosyvoice2_shapes.json.gz")
TEXT = {
    "model_type": "qwen2", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
}  # fmt: skip
QWEN = {
    "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
    "num_attention_heads": 14, "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "vocab_size": 151936,
}  # fmt: skip
"""The published sizes."""
NAMED = ("first", "second")
ENDING = 8.0
"""Added to the logits of the end of speech, which comes soon after the least number of tokens then."""
LETTERS = 256
"""Tokens of text of the small vocabulary, before the signs: a byte each."""

Weights = dict[str, NDArray[np.float32]]


def whole(seed: int, most: int, count: int) -> tuple[int, ...]:
    """Whole numbers, as scripts/parity/cosyvoice.py draws them."""
    return tuple(np.random.RandomState(seed).randint(0, most, (1, count))[0].tolist())


PROMPT = FlowPrompt(numbers(8, 1, 192)[0], whole(6, 40, 25), numbers(7, 1, 50, 80)[0])
TOKENS = whole(9, 40, 60)
"""What the reference implementation's spectrograms are of."""


@cache
def part(name: str) -> Weights:
    """The converted tensors of a part: flow, hift, lm, s3 or campplus; flow3 and hift3 are those of CosyVoice 3."""
    shapes = SHAPES[name]
    match name:
        case "flow" | "flow3":
            return cosyvoice.flow(checkpoint(shapes))
        case "hift" | "hift3":
            return cosyvoice.hift(checkpoint(shapes), transposed=name == "hift")
        case "lm":
            given = checkpoint(shapes)
            tied = given["llm.model.lm_head.weight"]  # both are one tensor there, and this one is read last
            return cosyvoice.language_model({**given, "llm.model.model.embed_tokens.weight": tied})
        case "s3":
            given = checkpoint(shapes)
            return {key: tensor.transpose(0, 2, 1) if tensor.ndim == 3 else tensor for key, tensor in given.items()}
    return _campplus(checkpoint(shapes))


def _campplus(given: Weights) -> Weights:
    """As the reader of the ONNX file gives them; normalisations are not folded into what is before them."""
    found: Weights = {}
    for name, tensor in given.items():
        norm, _, member = name.rpartition(".")
        if member == "running_mean":
            ones = np.ones_like(tensor)
            weight, bias = given.get(f"{norm}.weight", ones), given.get(f"{norm}.bias", 0 * ones)
            scale, shift = campplus_onnx.folded(weight, bias, tensor, given[f"{norm}.running_var"], 1e-5)
            short = norm.removesuffix(".batchnorm")
            found |= {f"{short}.scale": scale, f"{short}.shift": shift}
        elif f"{norm}.running_mean" not in given:
            found[name] = np.moveaxis(tensor, 1, -1) if tensor.ndim > 2 else tensor
    return found


def campplus_nodes() -> tuple[list[Node], Weights]:
    """The graph that torch writes of the reference network, and tensors of its shapes."""
    graph = read_json_gz(DATA / "campplus_graph.json.gz")
    return graph["nodes"], {name: np.abs(tensor) for name, tensor in checkpoint(graph["shapes"]).items()}


def shapes_of(generation: Generation) -> dict[str, dict[str, list[int]]]:
    """Names and shapes of small checkpoints of the language model, the flow and the vocoder, with all speech tokens."""
    is_second = generation is SECOND
    lm, flow = dict(SHAPES["lm"]), dict(SHAPES["flow" if is_second else "flow3"])
    text = [LETTERS + len(generation.signs), TEXT["hidden_size"]]
    lm |= {name: text for name in ("llm.model.model.embed_tokens.weight", "llm.model.lm_head.weight")}
    if not is_second:
        del lm["llm_embedding.weight"], lm["llm_decoder.bias"]
        lm |= {name: [generation.logits, text[1]] for name in ("speech_embedding.weight", "llm_decoder.weight")}
    flow["input_embedding.weight"] = [SPEECH_TOKENS, flow["input_embedding.weight"][1]]
    return {"llm.pt": lm, "flow.pt": flow, "hift.pt": SHAPES["hift" if is_second else "hift3"]}


def write_vocabulary(folder: Path) -> Path:
    """The files of a tokenizer whose tokens are single bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    (folder / "vocab.json").write_text(json.dumps({letter: number for number, letter in enumerate(alphabet)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return folder


def write_folder(folder: Path, named: tuple[str, ...] = NAMED, generation: Generation = SECOND) -> Path:
    """A folder with all parts, and a vocabulary of single bytes and the signs."""
    shapes = shapes_of(generation)
    parts = {
        "lm": cosyvoice.language_model(checkpoint(shapes["llm.pt"])),
        "flow": cosyvoice.flow(checkpoint(shapes["flow.pt"])),
        "hift": part("hift" if generation is SECOND else "hift3"),
        "s3": part("s3"),
        "campplus": part("campplus"),
        "voices": {name: numbers(number, 192) for number, name in enumerate(named)},
    }
    parts["lm"]["head.bias"][SPEECH_TOKENS:] += ENDING
    for name, weights in parts.items():
        if weights:
            save_tensors(folder / f"{name}.safetensors", {f"{name}.{key}": tensor for key, tensor in weights.items()})
    write_vocabulary(folder)
    config = {
        "model_type": "cosyvoice2" if generation is SECOND else "cosyvoice3",
        "text": {**TEXT, "vocab_size": LETTERS + len(generation.signs)},
        "voices": list(named),
        "transformer_heads": 4,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder
