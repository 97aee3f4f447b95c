"""A Llama-type language model in GGUF → the layout of mlx-lm: float16 weights, tokenizer, chat template."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.convert import gguf
from speechmlx.models.convert.weights import Array, Weights, write, write_json
from speechmlx.models.spec import SourceFailed

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_norm": "input_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_norm": "post_attention_layernorm",
}
CONTROL = 3
"""GGUF type of control tokens."""


def convert(files: Path, folder: Path) -> None:
    """`files`/model.gguf → config.json, model.safetensors, tokenizer.json and tokenizer_config.json."""
    metadata, tensors = gguf.read(files / "model.gguf")
    if metadata["general.architecture"] != "llama":
        raise SourceFailed(f"the model is a {metadata['general.architecture']}, not a llama")
    heads = {"attn_q": metadata["llama.attention.head_count"], "attn_k": metadata["llama.attention.head_count_kv"]}
    weights = {_name(name): _rows(name, tensor, heads).astype(np.float16) for name, tensor in tensors.items()}
    write(folder, _config(metadata, weights), weights)
    _write_tokenizer(folder, metadata)


def _name(name: str) -> str:
    """ "blk.3.attn_q.weight" → "model.layers.3.self_attn.q_proj.weight"."""
    if layer := re.fullmatch(r"blk\.(\d+)\.(\w+)\.(\w+)", name):
        return f"model.layers.{layer[1]}.{NAMES[layer[2]]}.{layer[3]}"
    module, _, part = name.rpartition(".")
    return f"{NAMES[module]}.{part}"


def _rows(name: str, tensor: Array, heads: dict[str, int]) -> Array:
    """Undo llama.cpp's interleaving of the rotary halves in the rows of queries and keys."""
    count = next((n for part, n in heads.items() if f".{part}." in name), None)
    if count is None:
        return tensor
    return tensor.reshape(count, -1, 2, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)


def _config(metadata: dict[str, Any], weights: Weights) -> dict[str, Any]:
    """The config.json of transformers."""
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": metadata["llama.embedding_length"],
        "num_hidden_layers": metadata["llama.block_count"],
        "intermediate_size": metadata["llama.feed_forward_length"],
        "num_attention_heads": metadata["llama.attention.head_count"],
        "num_key_value_heads": metadata["llama.attention.head_count_kv"],
        "rms_norm_eps": metadata["llama.attention.layer_norm_rms_epsilon"],
        "vocab_size": len(weights["model.embed_tokens.weight"]),
        "max_position_embeddings": metadata["llama.context_length"],
        "rope_theta": metadata["llama.rope.freq_base"],
        "tie_word_embeddings": "lm_head.weight" not in weights,
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
        "bos_token_id": metadata["tokenizer.ggml.bos_token_id"],
    }


def _write_tokenizer(folder: Path, metadata: dict[str, Any]) -> None:
    """Write the byte-level BPE tokenizer of the metadata. Each digit is a token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    if metadata["tokenizer.ggml.model"] != "gpt2":
        raise SourceFailed(f"its tokenizer is {metadata['tokenizer.ggml.model']}, not a byte-level BPE")
    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [(left, right) for left, _, right in (m.partition(" ") for m in metadata["tokenizer.ggml.merges"])]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    kinds = zip(tokens, metadata["tokenizer.ggml.token_type"], strict=True)
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t, kind in kinds if kind == CONTROL]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": tokens[metadata["tokenizer.ggml.eos_token_id"]],
        "bos_token": tokens[metadata["tokenizer.ggml.bos_token_id"]],
        "chat_template": metadata.get("tokenizer.chat_template"),
    }
    write_json(folder / "tokenizer_config.json", settings)
