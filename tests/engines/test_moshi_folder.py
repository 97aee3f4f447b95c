"""What Moshi's engine reads of a folder: tokenizer, weights as they are stored, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support import tiny_moshi

from speechmlx.engines import LoadOptions, moshi
from speechmlx.engines.moshi.text import MoshiTokenizer, MoshiWriting
from speechmlx.errors import ModelUnavailable
from speechmlx.models.convert.weights import save_tensors


def test_bytes_become_characters() -> None:
    class Pieces:
        def piece(self, token: int) -> str | bytes:
            known: dict[int, str | bytes] = {1: b"\xc3", 2: b"\xa9", 3: " a", 4: ""}
            return known[token]

    def written(*tokens: int) -> str:
        writing = MoshiWriting(Pieces())  # type: ignore[arg-type]
        return "".join(map(writing.add, tokens))

    assert written(3, 1, 2, 3) == " aé a"
    assert written(1, 3) == "\ufffd a"
    assert written(1, 4, 2) == "é"


def test_roles_and_pieces_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(tiny_moshi.tokenizer(330, byte_fallback=True))
    tokenizer = MoshiTokenizer(tmp_path)
    role = tokenizer.role(" you are a teacher ")
    assert "".join(str(tokenizer.piece(token)) for token in tokenizer.role("<system> a <system>")).count("a") == 1
    assert role == tokenizer.role("<system> you are a teacher <system>") and len(role) > 10
    assert tokenizer.role("  ") == ()
    assert [tokenizer.piece(token) for token in (0, 1, 2, 3, 9999)] == [""] * 5
    assert b"\xc3" in [tokenizer.piece(token) for token in range(tokenizer.count)]


@pytest.mark.parametrize("damage", ["tokenizer", "sizes", "voice", "numbers", "name"])
def test_a_folder_that_is_not_whole_is_told(
    tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions, damage: str
) -> None:
    folder = tiny_moshi.folder(tmp_path, 16)
    if damage == "tokenizer":
        (folder / "tokenizer.model").write_bytes(b"nothing")
    elif damage == "sizes":
        config = (folder / "config.json").read_text()
        (folder / "config.json").write_text(config.replace('"layers": 3', '"layers": 4'))
    elif damage == "voice":
        save_tensors(folder / "voices/x.safetensors", {"embeddings": np.zeros((3, 9), np.float32)})
    elif damage == "numbers":
        voice = {"embeddings": np.full((3, 64), np.nan, np.float32), "cache": np.zeros((1, 17, 4), np.int32)}
        save_tensors(folder / "voices/x.safetensors", voice)
    else:
        save_tensors(folder / "more.safetensors", {"strange": np.zeros(3, np.float32)})
    with pytest.raises(ModelUnavailable):
        loaded(moshi.load(folder, cold))


@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_files_are_read_for_either_device(
    tmp_path: Path, loaded: Callable[..., Any], cpu: LoadOptions, bits: int
) -> None:
    """A GPU keeps the weights as they are stored; a CPU has them in float32."""
    folder = tiny_moshi.wide_folder(tmp_path, bits, stored=True)
    stored: Any = mx.load(str(folder / "model.safetensors"))
    narrow, wide = (loaded(moshi.load(folder, how))._step.network for how in (replace(cpu, device="gpu"), cpu))
    names = [f"text_linear.{part}" for part in ("weight", "scales", "biases")]
    weight, scales, biases = parts = [stored[name] for name in names]
    assert all(mx.array_equal(narrow.text_linear[name[12:]], part) for name, part in zip(names, parts, strict=True))
    expected = mx.dequantize(weight, scales, biases, group_size=32, bits=bits).astype(mx.float32)
    assert wide.text_linear.weight.dtype == mx.float32 and mx.array_equal(wide.text_linear.weight, expected)
    tokens = mx.zeros((1, 1, 17), mx.int32)
    assert mx.allclose(narrow.embed(tokens).astype(mx.float32), wide.embed(tokens), atol=0.05)
