"""The tiny Qwen3-TTS codec and speaker encoder with weights made of their names, laid out as the published ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import mlx.core as mx
import numpy as np
from support.named_weights import named_weight
from support.tiny_qwen3_tts_sizes import CODEC

DATA = Path(__file__).parents[1] / "engines/data"
NAMES = DATA / "qwen3_tts_names.json.gz"
NUMBERS = np.load(DATA / "qwen3_tts_codec.npz")
"""What scripts/parity/qwen3_tts_codec.py computed."""
EVERY = 8
"""Of the reference's samples, one in so many is there."""


def names(which: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a checkpoint: "tiny" of this codec, "codec" of the published one, "tiny_speaker", ..."""
    lists = json.loads(gzip.decompress(NAMES.read_bytes()))
    return {name: tuple(shape) for name, shape in lists[which].items()}


def tensors(which: str) -> dict[str, mx.array]:
    """The tensors of a checkpoint, with weights made of their names."""
    return {name: mx.array(named_weight(name, shape)) for name, shape in names(which).items()}


def write_codec(folder: Path) -> Path:
    """Write the speech_tokenizer folder of the tiny codec, as it is published."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CODEC))
    mx.save_safetensors(str(folder / "model.safetensors"), tensors("tiny"))
    return folder
