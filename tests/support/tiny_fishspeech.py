"""A tiny FishSpeech with weights made of their names, published as the real one is, and converted.

The sizes are those of scripts/parity/fishspeech.py. $SPEECHMLX_CATALOG names `extend`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.named_weights import named_weight
from support.small_checkpoints import read_json_gz
from support.torch_checkpoint import save_tensors

from speechmlx.models.convert import fishspeech
from speechmlx.models.spec import Catalog, LocalFiles

DATA = Path(__file__).parents[1] / "engines/data"
REFERENCE: dict[str, Any] = json.loads((DATA / "fishspeech.json").read_text())
RATE = 44_100
Tensors = dict[str, NDArray[np.float32]]


def tensors(part: str) -> Tensors:
    """The tensors of "model" or "codec", as they are published."""
    shapes = read_json_gz(DATA / "fishspeech_tiny.json.gz")[part]
    return {name: named_weight(name, tuple(shape)) for name, shape in shapes.items()}


def write_files(files: Path, *, model: Tensors | None = None, codec: Tensors | None = None) -> Path:
    """A repository's files."""
    files.mkdir(parents=True)
    save_tensors(files / fishspeech.MODEL, OrderedDict(tensors("model") if model is None else model))
    save_tensors(files / fishspeech.CODEC, OrderedDict(tensors("codec") if codec is None else codec))
    (files / "config.json").write_text(json.dumps(REFERENCE["config"]))
    semantic = {f"<|semantic:{code}|>": REFERENCE["semantic"] + code for code in range(1024)}
    (files / "special_tokens.json").write_text(json.dumps(REFERENCE["special"] | semantic))
    ranks = "".join(f"{token} {rank}\n" for rank, token in enumerate(REFERENCE["ranks"]))
    (files / "tokenizer.tiktoken").write_text(ranks)
    return files


def write_model(folder: Path) -> Path:
    """The engine's folder, converted from such files."""
    model = folder / "model"
    model.mkdir(parents=True)
    fishspeech.convert(write_files(folder / "files"), model)
    return model


def recording(count: int = RATE) -> NDArray[np.float32]:
    """A sound of `count` samples at RATE, as the script makes it."""
    times = np.arange(count) / RATE
    return (0.2 * np.sin(2 * np.pi * (200 + 150 * times) * times) * (1 + np.sin(20 * times))).astype(np.float32)


def extend(catalog: Catalog) -> Catalog:
    """`catalog`, whose row of FishSpeech has the files that `write_files` put into the folder $FISHSPEECH_FILES."""
    rows = list(catalog.rows)
    for place, row in enumerate(rows):
        if row.engine.startswith("speechmlx.engines.fishspeech:"):
            source = LocalFiles(os.environ["FISHSPEECH_FILES"], str(row.sources[0].convert), "tiny")
            rows[place] = dataclasses.replace(row, sources=(source,))
    return dataclasses.replace(catalog, rows=tuple(rows))
