"""Moshi and PersonaPlex with small random weights: the files of their repositories, and folders made of them.

Weights come from the tensors' names, as in scripts/parity/moshi.py, and the voice is one that the reference wrote.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten
from sentencepiece import SentencePieceTrainer
from support.compilation import compilation
from support.named_weights import moshi_weight

from speechmlx.engines import LoadOptions
from speechmlx.engines import moshi as moshi_engine
from speechmlx.engines.moshi.network import MoshiNetwork
from speechmlx.engines.moshi.sizes import MoshiSizes
from speechmlx.models.convert import moshi
from speechmlx.models.convert.weights import save_tensors
from speechmlx.types import Audio, Respond

DATA = Path(__file__).parents[1] / "engines/data"
SIZES = {"dim": 64, "heads": 4, "layers": 3, "text_count": 48, "depth_dim": 32, "depth_heads": 4, "depth_layers": 2}
CODEC = {"dim": 32, "filters": 2, "layers": 2, "heads": 4, "feed_forward": 64, "context": 10, "code_dim": 16}
CONTEXT = 48
"""Of the reference's run."""
SAID = ["you are a friendly teacher", "the train leaves at half past nine", "she reads a letter by the window"]


def shapes(part: str) -> dict[str, list[int]]:
    """Names and shapes of the reference's tensors: of its "codec", or of a network of depth "8" or "16"."""
    named: dict[str, dict[str, list[int]]] = json.loads(gzip.decompress((DATA / "moshi_tiny.json.gz").read_bytes()))
    return named[part]


def weights(part: str) -> dict[str, np.ndarray]:
    return {name: moshi_weight(name, tuple(shape)) for name, shape in shapes(part).items()}


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


def answer_in_narrow_types(at: Path, loaded: Callable[..., Any], options: LoadOptions) -> None:
    """Answer as a GPU does, in bfloat16 and in 4 bits: the types stay as they are."""
    engines = [_answered(at / str(bits), loaded, options, bits) for bits in (16, 4)]
    for engine, linear in zip(engines, (nn.Linear, nn.QuantizedLinear), strict=True):
        assert type(engine._step.network.text_linear) is linear
        assert engine._step.network.out_norm.weight.dtype == mx.bfloat16
    assert engines[1].nbytes < 0.6 * engines[0].nbytes


def wide_folder(at: Path, bits: int, stored: bool = False) -> Path:
    """A folder by Kyutai's names in bfloat16 whose widths can be quantised, with drawn weights.

    The weights become quantised when they are loaded; with `stored` they are already.
    """
    made = folder(at, 16)
    sizes = {**SIZES, "dim": 128, "depth_dim": 128, "depth": 9, "layers": 2, "depth_layers": 1, "context": 256}
    network = MoshiNetwork(MoshiSizes.of(sizes))
    network.set_dtype(mx.bfloat16)
    if stored:
        nn.quantize(network, 32, bits)
    (made / "model.safetensors").unlink()
    mx.save_safetensors(str(made / "model.safetensors"), dict(tree_flatten(network.parameters())))
    (made / "voices/natf0.safetensors").unlink()
    written = json.loads((made / "config.json").read_text()) | sizes
    quantised = {} if bits == 16 else {"quantization": {"bits": bits, "group_size": 32}}
    (made / "config.json").write_text(json.dumps(written | quantised))
    return made


def _answered(at: Path, loaded: Callable[..., Any], options: LoadOptions, bits: int) -> Any:
    """The engine of a model in so many bits, after it answered. Nothing is compiled: that takes a minute here."""
    made = wide_folder(at, bits)
    with compilation(False):
        engine = loaded(moshi_engine.load(made, options))
        state = engine.begin(Respond(audio=Audio(np.zeros(1920, np.float32), 24_000), max_steps=3))
        while not state.finished:
            assert not [event for event in engine.step([state])[0] if isinstance(event, Exception)]
        engine.end(state)
    return engine
