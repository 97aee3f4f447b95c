"""Moshi and PersonaPlex with small random weights: the files of their repositories, and folders made of them.

Weights come from the tensors' names, as in scripts/parity/moshi.py, and the voice is one that the reference wrote.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from sentencepiece import SentencePieceTrainer

from speechmlx.models.convert import moshi
from speechmlx.models.convert.weights import save_tensors

DATA = Path(__file__).parents[1] / "engines/data"
SIZES = {"dim": 64, "heads": 4, "layers": 3, "text_count": 48, "depth_dim": 32, "depth_heads": 4, "depth_layers": 2}
CODEC = {"dim": 32, "filters": 2, "layers": 2, "heads": 4, "feed_forward": 64, "context": 10, "code_dim": 16}
CONTEXT = 48
"""Of the reference's run."""
SAID = ["you are a friendly teacher", "the train leaves at half past nine", "she reads a letter by the window"]


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor's values from its name."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if "cluster_usage" in name:
        return np.abs(values) + 0.5
    if name.endswith(("alpha", "scale")) or ("norm" in name and name.endswith("weight")):
        return 1 + 0.1 * values
    if "emb" in name.split(".")[0] or "embedding_sum" in name:
        return values
    scaled: np.ndarray = values / np.float32(np.sqrt(np.prod(shape[1:], dtype=int)))
    return scaled


def shapes(part: str) -> dict[str, list[int]]:
    """Names and shapes of the reference's tensors: of its "codec", or of a network of depth "8" or "16"."""
    named: dict[str, dict[str, list[int]]] = json.loads(gzip.decompress((DATA / "moshi_tiny.json.gz").read_bytes()))
    return named[part]


def weights(part: str) -> dict[str, np.ndarray]:
    return {name: weight(name, tuple(shape)) for name, shape in shapes(part).items()}


def tokenizer(count: int = SIZES["text_count"], **settings: Any) -> bytes:
    """A SentencePiece model of so many tokens at most, with the special tokens of the published one."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(SAID * 4),
        model_writer=model,
        vocab_size=count,
        pad_id=3,
        hard_vocab_limit=False,
        minloglevel=2,
        **settings,
    )
    return model.getvalue()


def repository(files: Path, depth: int) -> Path:
    """The files of NVIDIA's repository (depth 16), or of Kyutai's PyTorch ones (8)."""
    files.mkdir(parents=True)
    save_tensors(files / "model.safetensors", weights(str(depth)))
    save_tensors(files / "tokenizer-e351c8d8-checkpoint125.safetensors", weights("codec"))
    (files / "tokenizer_spm_32k_3.model").write_bytes(tokenizer())
    with tarfile.open(files / "voices.tgz", "w:gz") as archive:
        archive.add(DATA / "moshi_voice.pt", "voices/NATF0.pt")
    return files


def folder(at: Path, depth: int, context: int = 256, **config: Any) -> Path:
    """A folder as the conversions make it, with small sizes in its config."""
    made = at / "folder"
    made.mkdir(parents=True)
    (moshi.personaplex if depth == 16 else moshi.moshi)(repository(at / "files", depth), made)
    written = json.loads((made / "config.json").read_text())
    sizes = {**SIZES, "context": context, "codec": CODEC}
    (made / "config.json").write_text(json.dumps({**written, **sizes, **config}))
    return made


def wide_folder(at: Path, **config: Any) -> Path:
    """A folder in bfloat16 whose widths can be quantised; its weights are drawn."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    from speechmlx.engines.moshi.network import MoshiNetwork
    from speechmlx.engines.moshi.sizes import MoshiSizes

    made = folder(at, 16)
    sizes = {**SIZES, "dim": 128, "depth_dim": 128, "depth": 16, "context": 256}
    network = MoshiNetwork(MoshiSizes.of(sizes))
    network.set_dtype(mx.bfloat16)
    (made / "model.safetensors").unlink()
    mx.save_safetensors(str(made / "model.safetensors"), dict(tree_flatten(network.parameters())))
    (made / "voices/natf0.safetensors").unlink()
    written = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps({**written, **sizes, **config}))
    return made
