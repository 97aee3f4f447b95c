"""The folders of Moshi and PersonaPlex, and the names of the published checkpoints."""

from __future__ import annotations

import gzip
import json
import tarfile
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten
from support import tiny_moshi

from speechmlx.engines.moshi import names
from speechmlx.engines.moshi.network import MoshiNetwork
from speechmlx.engines.moshi.sizes import MoshiSizes
from speechmlx.engines.parts import mimi
from speechmlx.models.catalog import CATALOG
from speechmlx.models.convert import moshi
from speechmlx.models.convert.weights import load_tensors, save_tensors
from speechmlx.models.spec import SourceFailed
from speechmlx.types import Kind

DATA = Path(__file__).parents[1] / "engines/data"


def published(name: str) -> dict[str, mx.array]:
    """The tensors of a published checkpoint; none is ever in memory."""
    shapes = json.loads(gzip.decompress((DATA / f"names_{name}.json.gz").read_bytes()))
    return {one: mx.zeros(tuple(shape) or (1,), mx.bfloat16) for one, shape in shapes.items()}


def shapes(model: nn.Module) -> dict[str, Any]:
    return {name: one.shape for name, one in tree_flatten(model.parameters())}


@pytest.mark.parametrize(("name", "depth", "count"), [("moshiko_pt", 8, 355), ("personaplex", 16, 475)])
def test_every_published_tensor_has_its_place(name: str, depth: int, count: int) -> None:
    weights, sizes = published(name), MoshiSizes(depth=depth)
    assert len(weights) == count and names.is_torch(weights)
    found = {name: one.shape for name, one in names.own_weights(weights, sizes).items()}
    assert found == shapes(MoshiNetwork(sizes))


def test_every_published_tensor_of_the_codec_has_its_place() -> None:
    """All but the 24 codebooks that no model here uses, and the marks of training."""
    weights, sizes = published("mimi"), mimi.MimiSizes()
    assert len(weights) == 318
    assert {name: one.shape for name, one in mimi.own_weights(weights, sizes).items()} == shapes(mimi.Mimi(sizes))
    left = [name for name in weights if mimi.names.BOOK.fullmatch(name)]
    assert len(left) == 3 * 32


@pytest.mark.parametrize(("bits", "group", "gigabytes"), [(8, 64, 8.17), (4, 32, 4.81)])
def test_quantised_networks_have_the_published_tensors(bits: int, group: int, gigabytes: float) -> None:
    network = MoshiNetwork(MoshiSizes())
    network.set_dtype(mx.bfloat16)
    nn.quantize(network, group, bits)
    found = tree_flatten(network.parameters())
    assert len(found) == 1247
    assert sum(one.nbytes for _, one in found) / 1e9 == pytest.approx(gigabytes, abs=0.01)


def test_rows_say_the_bytes_of_their_weights() -> None:
    rows = [row for row in CATALOG.rows if row.kind is Kind.S2S]
    assert len(rows) == 9
    codec = sum(4 * one.size for _, one in tree_flatten(mimi.Mimi(mimi.MimiSizes()).parameters()))
    for row in rows:
        depth, bits = (16 if "personaplex" in row.name else 8), row.name.rpartition("-")[2]
        network = MoshiNetwork(MoshiSizes(depth=depth))
        network.set_dtype(mx.bfloat16)
        whole = sum(4 * one.size for _, one in tree_flatten(network.parameters()))
        if bits != "bf16":
            nn.quantize(network, {"8bit": 64, "4bit": 32}[bits], int(bits[0]))
        held = sum(one.nbytes for _, one in tree_flatten(network.parameters()))
        assert row.narrow == pytest.approx(held + codec, rel=0.002), row.name
        assert row.memory == pytest.approx(whole + codec, rel=0.002), row.name


def test_a_folder_has_weights_voices_and_a_config(tmp_path: Path) -> None:
    files, folder = tiny_moshi.repository(tmp_path / "files", 16), tmp_path / "folder"
    folder.mkdir()
    moshi.personaplex_4bit(files, folder)
    assert json.loads((folder / "config.json").read_text()) == {
        "model_type": "moshi",
        "depth": 16,
        "takes_roles": True,
        "quantization": {"bits": 4, "group_size": 32},
    }
    voice = load_tensors(folder / "voices/natf0.safetensors")
    assert voice["embeddings"].shape == (11, 64) and voice["cache"].shape == (17, 4)
    assert voice["cache"].dtype == np.int32
    names = {"codec.safetensors", "config.json", "model.safetensors", "tokenizer.model", "voices"}
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize(("name", "bits"), [("model", None), ("model.q8", 8), ("model.q4", 4)])
def test_the_name_of_a_file_says_how_it_is_quantised(tmp_path: Path, name: str, bits: int | None) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    save_tensors(tmp_path / f"{name}.safetensors", {"x": np.zeros(1)})
    save_tensors(tmp_path / "tokenizer-e351c8d8-checkpoint125.safetensors", {"x": np.zeros(1)})
    (tmp_path / "tokenizer_spm_32k_3.model").write_bytes(b"")
    moshi.moshi(tmp_path, folder)
    config = json.loads((folder / "config.json").read_text())
    assert config.get("quantization", {}).get("bits") == bits and not config["takes_roles"]


@pytest.mark.parametrize("damage", ["none", "not a voice", "two networks", "not an archive"])
def test_files_that_are_not_a_model_are_refused(tmp_path: Path, damage: str) -> None:
    files, folder = tiny_moshi.repository(tmp_path / "files", 16), tmp_path / "folder"
    folder.mkdir()
    if damage == "two networks":
        (files / "tokenizer-b.safetensors").write_bytes((files / "model.safetensors").read_bytes())
    elif damage == "not an archive":
        (files / "voices.tgz").write_bytes(b"\x1f\x8b" + b"x" * 100)
    else:
        (files / "X.pt").write_bytes(b"x" * 100)
        with tarfile.open(files / "voices.tgz", "w:gz") as archive:
            archive.add(files / "X.pt", "voices/README" if damage == "none" else "voices/X.pt")
    with pytest.raises(SourceFailed):
        moshi.personaplex(files, folder)
