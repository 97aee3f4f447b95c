"""Models with a tensor that makes what they compute no finite numbers, for engine tests and for a server.

$SPEECHMLX_CATALOG names `extend`: its rows load the real engines from planted copies of the real folders. $PLANTED
names the models, with commas. With $PLANTED_COLD they are not warmed up, so that the first request finds it.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechmlx.engines import LoadOptions
from speechmlx.models.catalog import CATALOG
from speechmlx.models.spec import Catalog

if TYPE_CHECKING:
    from speechmlx.types import Progress

HUGE = 3e38
"""Finite in float32, and no product with it is."""
TENSORS = {
    "kokoro-82m": "decoder.generator.resblocks.2.convs1.2.bias",
    "deepfilternet3": "enc.erb_conv2.2.bias",
    "silero-vad": "vad_16k.conv2.bias",
    "smart-turn-v3": "inner.encoder.layers.0.fc1.bias",
    "ecapa-diarizer": "ecapa.mfa.conv.bias",
    "whisper-tiny.en": "decoder.ln.weight",
    "smollm2-135m-instruct": "model.layers.3.post_attention_layernorm.weight",
}
"""By the name of a model: a tensor that overflows where it is full of HUGE."""


def plant(source: Path, target: Path, tensor: str, value: float = HUGE) -> None:
    """Make `target`, the model in `source` with a tensor that is full of `value`. Its other files are links."""
    import mlx.core as mx

    from speechmlx.engines.weights import read_weights

    shutil.copytree(source, target, ignore=lambda folder, names: ["model.safetensors"], copy_function=os.symlink)
    weights = read_weights(source)
    weights[tensor] = mx.full(weights[tensor].shape, value)
    mx.save_safetensors(str(target / "model.safetensors"), weights)


def loader(name: str) -> Any:
    """The function that loads the model."""
    module, _, function = CATALOG.resolve(name).engine.partition(":")
    return getattr(importlib.import_module(module), function)


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Any]:
    """Load the model with its tensor planted."""
    place = Path(tempfile.mkdtemp(), folder.name)  # in the folder of the engine process, which goes with it
    plant(folder, place, TENSORS[folder.name])
    options = replace(options, warm_up=not os.environ.get("PLANTED_COLD"))
    return (yield from loader(folder.name)(place, options))


def extend(catalog: Catalog) -> Catalog:
    """`catalog` with planted weights in the models of $PLANTED."""
    engine, names = "support.planted_weights:load", os.environ["PLANTED"].split(",")
    rows = tuple(replace(row, engine=engine) if row.name in names else row for row in catalog.rows)
    return replace(catalog, rows=rows)
