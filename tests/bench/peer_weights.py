"""Copies of a Whisper model as other live servers read it: a CTranslate2 folder, and one in PyTorch's layout.

No model hub is needed: both are made from the weights that our catalog fetched.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import asr_systems

from speechmlx.models import catalog, store

MODELS = {"base": "whisper-base", "tiny.en": "whisper-tiny.en"}
"""The name that everybody knows a model by, which is the name of its folders too → our row.

whisper-live and WhisperLiveKit take a folder whose name ends in `en` for English only.
"""


@dataclass(frozen=True)
class PeerWeights:
    """Folders of one model, both named as in MODELS."""

    ct2: Path
    """CTranslate2 in float32, with a tokenizer: what faster-whisper loads, and quantizes as it is told to."""
    torch: Path
    """`model.safetensors` with OpenAI's names in PyTorch's layout, and a `config.json` of dimensions."""


def prepared(model: str) -> PeerWeights:
    """The copies of `model`, a key of MODELS, from the cache folder or made now."""
    kept = store.cache_folder() / "bench" / "peers"
    found = PeerWeights(kept / "ct2" / model, kept / "torch" / model)
    if found.ct2.is_dir() and found.torch.is_dir():
        return found
    source = store.fetch(catalog.CATALOG.resolve(MODELS[model]), store.cache_folder())
    for folder in (found.ct2, found.torch):
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as making:
        asr_systems.prepare(source, Path(making))
        _torch(source, Path(making, "torch"))
        Path(making, "torch").rename(found.torch)
        Path(making, "ct2").rename(found.ct2)
    return found


def _torch(source: Path, out: Path) -> None:
    import mlx.core as mx
    from safetensors.numpy import save_file

    from speechmlx.engines.whisper.model.alignment_heads import known_heads
    from speechmlx.engines.whisper.model.network import sinusoids

    config = json.loads((source / "config.json").read_text())
    stored: Any = mx.load(str(source / "model.safetensors"))
    weights = {name: np.array(array.astype(mx.float32)) for name, array in stored.items()}
    for conv in ("encoder.conv1.weight", "encoder.conv2.weight"):  # MLX: out, kernel, in; PyTorch: out, in, kernel
        weights[conv] = np.ascontiguousarray(weights[conv].swapaxes(1, 2))
    weights["encoder.positional_embedding"] = np.array(sinusoids(config["n_audio_ctx"], config["n_audio_state"]))
    heads = known_heads(config["n_text_layer"], config["n_text_head"], config["n_vocab"]) or {}
    pairs = [(layer, head) for layer, found in heads.items() for head in found]
    weights["alignment_heads"] = np.array(pairs, np.int64)
    out.mkdir()
    save_file(weights, out / "model.safetensors")
    (out / "config.json").write_text(json.dumps(config))
