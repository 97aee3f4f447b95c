"""Small models of F5-TTS whose weights are made of their names, as scripts/parity/f5.py makes them."""

from __future__ import annotations

import dataclasses
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from safetensors.numpy import save_file

from speechmlx.engines.f5 import names
from speechmlx.engines.f5.names import CONVOLUTIONS, NetworkSize
from speechmlx.models.convert import f5
from speechmlx.models.convert.weights import write
from speechmlx.models.spec import Catalog, Companion, LocalFiles

Array = np.ndarray[Any, np.dtype[np.float32]]
SYMBOLS = " abcdefghijklmnopqrstuvwxyz.,OS"
SIZE = NetworkSize(
    width=64, depth=3, inner=128, text=32, text_inner=64, text_depth=2, symbols=len(SYMBOLS) + 1, bands=100, heads=4
)
VOCODER_WIDTH, VOCODER_INNER, VOCODER_DEPTH = 24, 40, 2


def made(name: str, shape: tuple[int, ...]) -> Array:
    """The weights of a name."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.1
    whole: Array = (values + (1 if name.endswith(("norm.weight", "layer_norm.weight")) else 0)).astype(np.float32)
    return whole


def published(size: NetworkSize = SIZE) -> dict[str, Array]:
    """The weights in PyTorch's layout and names, with what a checkpoint has besides."""
    weights = {}
    for name, shape in names.shapes(size).items():
        is_turned = name.endswith(CONVOLUTIONS)
        weights[f"ema_model.transformer.{name}"] = made(name, (shape[0], shape[2], shape[1]) if is_turned else shape)
    turns = np.ones(size.width // size.heads // 2, np.float32)
    return {
        **weights,
        "ema_model.transformer.rotary_embed.inv_freq": turns,
        "ema_model.mel_spec.mel_stft.mel_scale.fb": turns,
        "initted": np.ones(1, np.float32),
    }


def of_mlx(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The same weights as f5-tts-mlx names and lays them out."""
    found = {}
    for name, array in weights.items():
        if "mel_spec" in name or name == "initted":
            continue
        short = name.removeprefix("ema_model.")
        for part in ("to_out", "text_blocks", "time_mlp", "conv1d"):
            short = short.replace(f".{part}.", f".{part}.layers.")
        short = short.replace("ff.ff.0.0", "ff.ff.layers.0.layers.0").replace("ff.ff.2", "ff.ff.layers.2")
        found[short] = array.swapaxes(1, 2) if name.endswith(CONVOLUTIONS) else array
    return found


def quantised(weights: dict[str, Array]) -> dict[str, mx.array]:
    """Weights of f5-tts-mlx with its linear layers in 8 bits, where their width allows it."""
    found = dict[str, mx.array]()
    for name, array in weights.items():
        is_linear = array.ndim == 2 and name.endswith(".weight") and "text_embed.text_embed" not in name
        if is_linear and array.shape[1] % 64 == 0:
            layer = name.removesuffix(".weight")
            packed = mx.quantize(mx.array(array), group_size=64, bits=8)
            found |= dict(zip((name, f"{layer}.scales", f"{layer}.biases"), packed, strict=True))
        else:
            found[name] = mx.array(array)
    return found


def vocoder_weights() -> dict[str, Array]:
    """Vocos in MLX's layout."""
    width, inner = VOCODER_WIDTH, VOCODER_INNER
    shapes: dict[str, tuple[int, ...]] = {"backbone.embed.weight": (width, 100, 7), "backbone.embed.bias": (width,)}
    for number in range(VOCODER_DEPTH):
        block = f"backbone.convnext.{number}"
        shapes |= {f"{block}.dwconv.weight": (width, 1, 7), f"{block}.dwconv.bias": (width,)}
        shapes |= {f"{block}.norm.weight": (width,), f"{block}.norm.bias": (width,), f"{block}.gamma": (width,)}
        shapes |= {f"{block}.pwconv1.weight": (inner, width), f"{block}.pwconv1.bias": (inner,)}
        shapes |= {f"{block}.pwconv2.weight": (width, inner), f"{block}.pwconv2.bias": (width,)}
    for name in ("backbone.norm", "backbone.final_layer_norm"):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    shapes |= {"head.out.weight": (1026, width), "head.out.bias": (1026,)}
    found = {name: made(name, shape) for name, shape in shapes.items()}
    return {name: array.swapaxes(1, 2) if array.ndim == 3 else array for name, array in found.items()}


def recording(seconds: float = 0.8) -> Array:
    """A sound at 24 kHz."""
    times = np.arange(round(24_000 * seconds)) / 24_000
    return (0.05 * np.sin(2 * np.pi * (200 + 150 * times) * times) * (1 + np.sin(20 * times))).astype(np.float32)


def write_files(files: Path, weights: dict[str, Array]) -> Path:
    """The files of a repository: weights in a folder of their own, and the vocabulary."""
    (files / "weights").mkdir(parents=True)
    save_file(
        {name: np.ascontiguousarray(array) for name, array in weights.items()}, files / "weights/model.safetensors"
    )
    (files / "vocab.txt").write_text("".join(f"{symbol}\n" for symbol in SYMBOLS))
    return files


def write_model(folder: Path, version: str = "version_1", weights: dict[str, Array] | None = None) -> Path:
    """The engine's folder, converted from such files, with a vocoder and two voices."""
    files = write_files(folder / "files", published() if weights is None else weights)
    model = folder / "model"
    model.mkdir()
    getattr(f5, version)(files, model)
    (model / "vocoder").mkdir()
    write(model / "vocoder", {"model_type": "vocos"}, vocoder_weights())
    write_voices(model / "voices")
    config = (model / "config.json").read_text().replace("{", '{\n "heads": 4,', 1)
    (model / "config.json").write_text(config)
    return model


def write_voices(folder: Path) -> None:
    folder.mkdir()
    texts = {"basic_en": "Some call me nature.", "basic_zh": "Others call me mother."}
    sound = (recording() * 32768).astype(np.int16)
    for name in texts:
        save_file({"samples": sound}, folder / f"{name}.safetensors")
    (folder / "config.json").write_text(f'{{"texts": {texts}}}'.replace("'", '"'))


def told(array: mx.array | Array, wanted: list[Any]) -> Iterator[tuple[Any, Any]]:
    """What the reference told of an array, beside the same of another: shape, mean magnitude and some values."""
    flat = np.array(array).reshape(-1)
    chosen = flat[np.linspace(0, len(flat) - 1, len(wanted[2])).astype(int)]
    yield list(array.shape), wanted[0]
    yield np.abs(flat).mean(), wanted[1]
    yield chosen, wanted[2]


def extend(catalog: Catalog) -> Catalog:
    """The catalog, its rows of F5-TTS with the small model that `write_model` put into the folder $F5_FILES."""
    home = Path(os.environ["F5_FILES"])
    parts = [
        Companion(name, (LocalFiles(str(home / "model" / name), "speechmlx.models.convert.hub:as_it_is", "small"),))
        for name in ("vocoder", "voices")
    ]
    rows = []
    for row in catalog.rows:
        if row.engine.startswith("speechmlx.engines.f5:"):
            files = LocalFiles(str(home / "files"), str(row.sources[0].convert), "small")
            row = dataclasses.replace(row, sources=(files,), companions=tuple(parts))
        rows.append(row)
    return dataclasses.replace(catalog, rows=tuple(rows))
