"""Repositories of Moshi and PersonaPlex → the folder of `engines/moshi`: weights are linked, voices converted."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from speechmlx.models.archive import open_tar
from speechmlx.models.convert import torch_file
from speechmlx.models.convert.hub import link
from speechmlx.models.convert.weights import reading, save_tensors, write_json
from speechmlx.models.spec import SourceFailed
from speechmlx.names import spelt

QUANTISED = {".q8": {"bits": 8, "group_size": 64}, ".q4": {"bits": 4, "group_size": 32}}
"""By what stands in the name of the file of weights; also how PersonaPlex is quantised when it is loaded."""
VOICES = "voices.tgz"
MAX_VOICE, MAX_VOICES = 16 << 20, 256 << 20
"""Bytes of a voice, and of all when they are unpacked."""
STREAMS, COLUMNS = 17, 4
"""Of the last tokens of a voice."""


def moshi(files: Path, folder: Path) -> None:
    """One of Kyutai's MLX repositories: model[.q4|.q8].safetensors, the codec and the tokenizer."""
    weights = _one(files, "model*.safetensors")
    quantised = QUANTISED.get(PurePosixPath(weights.stem).suffix)
    _write(files, folder, weights, {"depth": 8, "takes_roles": False}, quantised)


def personaplex(files: Path, folder: Path) -> None:
    """NVIDIA's repository: weights in bfloat16, the codec, the tokenizer and the voices."""
    _personaplex(files, folder, None)


def personaplex_8bit(files: Path, folder: Path) -> None:
    """The same, for weights that are quantised to 8 bits when they are loaded."""
    _personaplex(files, folder, QUANTISED[".q8"])


def personaplex_4bit(files: Path, folder: Path) -> None:
    """The same, for weights that are quantised to 4 bits when they are loaded."""
    _personaplex(files, folder, QUANTISED[".q4"])


def _personaplex(files: Path, folder: Path, quantised: dict[str, int] | None) -> None:
    _write(files, folder, _one(files, "model.safetensors"), {"depth": 16, "takes_roles": True}, quantised)
    _voices(files / VOICES, folder / "voices")


def _write(files: Path, folder: Path, weights: Path, config: dict[str, Any], quantised: dict[str, int] | None) -> None:
    link(weights, folder / "model.safetensors")
    link(_one(files, "tokenizer-*.safetensors"), folder / "codec.safetensors")
    link(_one(files, "tokenizer_spm*.model"), folder / "tokenizer.model")
    settings = {"quantization": quantised} if quantised else {}
    write_json(folder / "config.json", {"model_type": "moshi", **config, **settings})


def _one(files: Path, pattern: str) -> Path:
    """The only file of a pattern. Raises SourceFailed."""
    found = sorted(files.glob(pattern))
    if len(found) != 1:
        raise SourceFailed(f"has {len(found)} files {pattern}, not one")
    return found[0]


def _voices(archive: Path, folder: Path) -> None:
    """Convert the PyTorch files of an archive to voices/NAME.safetensors. Their folders in it are ignored."""
    folder.mkdir(parents=True, exist_ok=True)
    part = archive.with_suffix(".part")
    with reading(archive, "an archive of voices"), open_tar(archive) as tar:
        for item in tar:
            if item.offset_data + item.size > MAX_VOICES:
                raise SourceFailed(f"{archive.name} unpacks to more than {MAX_VOICES} bytes")
            name = PurePosixPath(item.name)
            file = tar.extractfile(item) if item.isreg() and name.suffix == ".pt" and item.size <= MAX_VOICE else None
            if file is not None:
                part.write_bytes(file.read())
                _voice(part, name.stem, folder)
    part.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        raise SourceFailed(f"{archive.name} holds no voice")


def _voice(path: Path, name: str, folder: Path) -> None:
    """Inputs of the network [frames, dim] and the last tokens [STREAMS, COLUMNS] of one voice."""
    stored = torch_file.read(path)
    inputs, ring = (stored.get(part) if isinstance(stored, dict) else None for part in ("embeddings", "cache"))
    if not (isinstance(inputs, np.ndarray) and isinstance(ring, np.ndarray) and ring.size == STREAMS * COLUMNS):
        raise SourceFailed(f"the voice {name!r} is not one of PersonaPlex's")
    tensors = {
        "embeddings": inputs.reshape(-1, inputs.shape[-1]).astype(np.float32),
        "cache": ring.reshape(STREAMS, COLUMNS).astype(np.int32),
    }
    save_tensors(folder / f"{spelt(name)}.safetensors", tensors)
