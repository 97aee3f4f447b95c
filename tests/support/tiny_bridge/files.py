"""The files of tiny models: weights, configurations and tokenizers."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers


def save(folder: Path, config: dict[str, Any], model: Any, gain: float = 1.0) -> None:
    """Write `config` and the weights that `model` was made with, times `gain`: a quiet network is heard then."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: array * gain for name, array in tree_flatten(model.parameters())}
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    (folder / "config.json").write_text(json.dumps(config))


def byte_tokenizer(folder: Path, special: Iterable[str]) -> Tokenizer:
    """Write a tokenizer with a token for each byte and for each of `special`, in the layout of transformers."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *special)
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in names])
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    return tokenizer


def sentence_pieces(path: Path, special: Iterable[str], size: int) -> None:
    """Write a SentencePiece model of `size` pieces, `special` among them."""
    import sentencepiece

    letters = "abcdefghijklmnopqrstuvwxyz"
    text = [f"{one}{two}{three}" for one in letters for two in letters for three in letters[:6]]
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=made, vocab_size=size, model_type="bpe",
        user_defined_symbols=list(special), minloglevel=2, bos_id=-1, eos_id=-1,
    )  # fmt: skip
    path.write_bytes(made.getvalue())
