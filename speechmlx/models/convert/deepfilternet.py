"""DeepFilterNet3 (three ONNX graphs and config.ini) → the layout of mlx-audio's DeepFilterNet."""

from __future__ import annotations

import configparser
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from speechmlx.models.archive import open_tar
from speechmlx.models.convert.onnx_graph import constants, graph, reordered, scopes
from speechmlx.models.convert.weights import Array, Weights, reading, write
from speechmlx.models.spec import SourceFailed

GRAPHS = ("enc", "erb_dec", "df_dec")
PARTS = (*(f"{name}.onnx" for name in GRAPHS), "config.ini")
MAX_PART, MAX_EXPORT = 64 << 20, 256 << 20
"""Bytes of a part, and of the whole archive when it is unpacked."""
PADDED = ("erb_conv0", "df_conv0", "df_convp")
"""Blocks whose module 0 is a padding and whose convolution is module 1."""
EPSILON = 1e-5
"""Epsilon of batch normalisation. The export folds the normalisation into the convolutions."""


def convert(files: Path, folder: Path) -> None:
    """`files`/export.tar.gz → config.json and float32 model.safetensors."""
    _unpack(files / "export.tar.gz", files)
    weights: Weights = {}
    for name in GRAPHS:
        weights |= _network(files / f"{name}.onnx", name)
    config = _config(files / "config.ini")
    bands = np.zeros((len(config["erb_widths"]), sum(config["erb_widths"])), np.float32)
    for band, end in enumerate(np.cumsum(config["erb_widths"])):
        bands[band, end - config["erb_widths"][band] : end] = 1
    weights["mask.erb_inv_fb"] = bands
    weights["erb_fb"] = (bands / bands.sum(1, keepdims=True)).T
    write(folder, config, weights)


def _unpack(archive: Path, folder: Path) -> None:
    """Extract the PARTS of the export. Their folders in the archive are ignored."""
    with reading(archive, "an archive"), open_tar(archive) as tar:
        for item in tar:
            if item.offset_data + item.size > MAX_EXPORT:
                raise SourceFailed(f"{archive.name} unpacks to more than {MAX_EXPORT} bytes")
            name = PurePosixPath(item.name).name
            file = tar.extractfile(item) if item.isreg() and name in PARTS and item.size <= MAX_PART else None
            if file is not None:
                (folder / name).write_bytes(file.read())
    if missing := [name for name in PARTS if not (folder / name).is_file()]:
        raise SourceFailed(f"{archive.name} lacks {', '.join(missing)}")


def _network(path: Path, prefix: str) -> Weights:
    """The parameters of the graph in one file under `prefix`."""
    onnx = graph(path)
    values = constants(onnx, path)
    weights: Weights = {
        f"{prefix}.{name}": value
        for name, value in values.items()
        if value.dtype == np.float32 and name.endswith((".weight", ".bias"))
    }
    seen: Counter[str] = Counter()
    for node in onnx.node:
        module = next(iter(scopes(node)), "")
        if node.op_type in ("Conv", "ConvTranspose"):
            first = 1 if module in PADDED and (prefix == "enc" or module == "df_convp") else 0
            place = f"{prefix}.{module}", first + seen[module]
            weights |= _convolution(*place, *(values[name] for name in node.input[1:3]))
            seen[module] += 1
        elif node.op_type == "GRU":
            layer = f"{prefix}.{module}.gru", seen[module]
            weights |= _gru(*layer, *(values[name] for name in node.input[1:4]))
            seen[module] += 1
        elif node.op_type == "MatMul" and node.input[1] in values:
            weights[f"{prefix}.{module}.0.weight"] = values[node.input[1]].T
    return weights


def _convolution(block: str, index: int, weight: Array, bias: Array | None = None) -> Weights:
    """Parameters of a convolution. Its bias comes from a folded normalisation, written as identity plus bias."""
    tensors = {f"{block}.{index}.weight": weight}
    if bias is not None:
        norm = f"{block}.{index + 1}"
        tensors[f"{norm}.weight"], tensors[f"{norm}.bias"] = np.ones_like(bias), bias
        tensors[f"{norm}.running_mean"] = np.zeros_like(bias)
        tensors[f"{norm}.running_var"] = np.full_like(bias, 1 - EPSILON)
    return tensors


def _gru(module: str, layer: int, inner: Array, hidden: Array, biases: Array) -> Weights:
    """Parameters of a one-directional GRU. The gate order is z, r, h in ONNX and r, z, n in PyTorch."""
    b_inner, b_hidden = (reordered(b, "zrn", "rzn") for b in np.split(biases[0], 2))
    return {
        f"{module}.weight_ih_l{layer}": reordered(inner[0], "zrn", "rzn"),
        f"{module}.weight_hh_l{layer}": reordered(hidden[0], "zrn", "rzn"),
        **folded_biases(module, layer, b_inner, b_hidden),
    }


def folded_biases(module: str, layer: int, inner: Array, hidden: Array) -> Weights:
    """GRU biases with the hidden biases of r and z moved to the input biases. The sum of both stays the same."""
    gates = 2 * len(hidden) // 3
    moved = np.concatenate([hidden[:gates], np.zeros_like(hidden[gates:])])
    return {f"{module}.bias_ih_l{layer}": inner + moved, f"{module}.bias_hh_l{layer}": hidden - moved}


# --- config.ini ---------------------------------------------------------------------------------------------------

LARGEST = {"sr": 192_000, "fft_size": 65_536, "nb_erb": 4096, "min_nb_erb_freqs": 4096}
SIZES = ("fft_size", "hop_size", "nb_erb", "nb_df", "df_order", "df_lookahead", "lsnr_max", "lsnr_min")


def _config(path: Path) -> dict[str, Any]:
    """config.json of the network, with the widths of its frequency bands in `erb_widths`."""
    ini = configparser.ConfigParser()
    ini.read(path, encoding="utf-8")
    signal = ini["df"]
    sizes = {name: int(signal[name]) for name in ("sr", "fft_size", "nb_erb", "min_nb_erb_freqs")}
    if wrong := [f"{name} = {value}" for name, value in sizes.items() if not 0 < value <= LARGEST[name]]:
        raise SourceFailed(f"{path.name} has {', '.join(wrong)}")
    return {
        "model_version": "DeepFilterNet3",
        "sample_rate": int(signal["sr"]),
        **{name: int(signal[name]) for name in SIZES},
        **{name: _value(text) for name, text in ini["deepfilternet"].items()},
        "erb_widths": erb_widths(
            int(signal["sr"]), int(signal["fft_size"]), int(signal["nb_erb"]), int(signal["min_nb_erb_freqs"])
        ),
    }


def _value(text: str) -> bool | int | list[int] | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    numbers = text.split(",")
    if all(number.strip().lstrip("-").isdigit() for number in numbers):
        return int(text) if len(numbers) == 1 else [int(number) for number in numbers]
    return text


def erb_widths(rate: int, fft: int, bands: int, least: int) -> list[int]:
    """Bins of each of `bands` equal steps on the ERB scale (Glasberg and Moore 1990), at least `least` per band.

    A band that is widened to `least` takes the bins from the next bands. The last band ends at rate / 2.
    """
    quality, minimum = 9.265, 24.7
    step = quality * np.log1p(rate / 2 / (minimum * quality)) / bands
    widths: list[int] = []
    before = owed = 0
    for band in range(1, bands + 1):
        edge = minimum * quality * (np.exp(band * step / quality) - 1)
        bin_ = round(edge / (rate / fft))
        free = bin_ - before - owed
        owed = max(least - free, 0)
        widths.append(max(free, least))
        before = bin_
    widths[-1] += 1
    widths[-1] -= max(sum(widths) - (fft // 2 + 1), 0)
    return widths
