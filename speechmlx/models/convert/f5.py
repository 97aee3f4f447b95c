"""F5-TTS, its vocoder and the recordings of its package: from the files as published to what the engine reads."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from speechmlx.audio.resample import resample
from speechmlx.models.convert import torch_file
from speechmlx.models.convert.hub import link
from speechmlx.models.convert.weights import Weights, reading, save_tensors, write, write_json
from speechmlx.models.spec import SourceFailed

VERSIONS: dict[str, dict[str, Any]] = {
    "version_0": {"first_head": True, "fills": True, "method": "euler", "steps": 32},
    "version_1": {"first_head": False, "fills": False, "method": "euler", "steps": 32},
    "mlx": {"first_head": True, "fills": True, "method": "rk4", "steps": 8},
}
"""What the names of tensors do not tell, and how each repository samples."""
RATE = 24_000
TEXTS = {
    "basic_en": "Some call me nature, others call me mother nature.",
    "basic_zh": "对，这就是我，万人敬仰的太乙真人。",
}
"""What is said in the package's recordings."""


def _convert(version: str, files: Path, folder: Path) -> None:
    """One file of weights, .safetensors or PyTorch's .pt, and vocab.txt, both in any folder below `files`."""
    (vocabulary,) = _found(files, "vocab.txt")
    link(vocabulary, folder / "vocab.txt")
    plain, pickled = _found(files, "*.safetensors", least=0), _found(files, "*.pt", least=0)
    if len(plain) + len(pickled) != 1:
        raise SourceFailed(f"has {len(plain) + len(pickled)} files of weights, not one")
    if plain:
        link(plain[0], folder / "model.safetensors")
    else:
        save_tensors(folder / "model.safetensors", _pickled(pickled[0]))
    write_json(folder / "config.json", {"model_type": "f5", **VERSIONS[version]})


version_0, version_1, mlx = (partial(_convert, name) for name in VERSIONS)


def vocoder(files: Path, folder: Path) -> None:
    """`files`/pytorch_model.bin of Vocos → config.json and weights, convolutions as [out, taps, in]."""
    weights = _pickled(files / "pytorch_model.bin")
    computed = [name for name in weights if name.startswith("feature_extractor.") or name == "head.istft.window"]
    for name in computed:
        del weights[name]
    turned = {name: array.swapaxes(1, 2) if array.ndim == 3 else array for name, array in weights.items()}
    write(folder, {"model_type": "vocos"}, turned)


def voices(files: Path, folder: Path) -> None:
    """`files`/NAME.wav of TEXTS → NAME.safetensors with 16-bit samples at RATE, and config.json with what is said."""
    for name in TEXTS:
        with reading(files / f"{name}.wav", "a recording"):
            sound, rate = soundfile.read(files / f"{name}.wav", dtype="float32", always_2d=True)
        samples = resample(sound.mean(axis=1), rate, RATE)
        pcm16 = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
        save_tensors(folder / f"{name}.safetensors", {"samples": pcm16})
    write_json(folder / "config.json", {"texts": TEXTS})


def _pickled(path: Path) -> Weights:
    """The tensors of a PyTorch checkpoint, or those of its averaged model."""
    saved = torch_file.read(path)
    saved = saved.get("ema_model_state_dict", saved) if isinstance(saved, dict) else {}
    tensors = {name: value for name, value in saved.items() if isinstance(value, np.ndarray) and value.ndim}
    if not tensors:
        raise SourceFailed(f"{path.name} holds no tensors by name")
    return tensors


def _found(files: Path, pattern: str, least: int = 1) -> list[Path]:
    found = sorted(path for path in files.rglob(pattern) if not path.relative_to(files).parts[0].startswith("."))
    if len(found) < least:
        raise SourceFailed(f"has no {pattern}")
    return found
