"""Small models of MeloTTS whose weights are made of their names, as scripts/parity/melotts.py makes them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from support.torch_checkpoint import saved_tensors

from speechmlx.engines.melotts.names import MeloSize, bert_shapes, shapes
from speechmlx.models.convert import melotts
from speechmlx.models.spec import Catalog, Companion, LocalFiles

Array = np.ndarray[Any, np.dtype[np.float32]]
FEATURES, WORDS, PLACES, BERT_INNER, BERT_LAYERS = 12, 40, 64, 20, 4
NORM = re.compile(r"(norm(_layers)?_[12](\.\d+)?|norms_[12]\.\d+)\.(weight|bias)")
SPEAKERS = {"EN-US": 0, "EN-BR": 1, "EN_INDIA": 2, "EN-Default": 3}


def size(symbols: int) -> MeloSize:
    """That of the reference's small network."""
    return MeloSize(
        width=16, inner=24, layers=4, taps=3, near=9, heads=2, latent=8, flow_inner=24, flow_layers=3, flow_taps=5,
        speakers=4, speaker=6, plain=256, drawn=16, symbols=symbols, tones=16, languages=10, features=FEATURES,
        first=16, upsampling=(4, 2), upsampling_taps=(8, 4), block_taps=(3, 7), dilations=3,
    )  # fmt: skip


def made(name: str, shape: Sequence[int]) -> Array:
    """The weights of a name."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(shape)) * 0.1
    if name.endswith("weight_g"):
        values = 0.5 + np.abs(values)
    elif name.endswith(("gamma", "LayerNorm.weight")):
        values = 1 + values
    return values.astype(np.float32)


def published(of: MeloSize) -> dict[str, Array]:
    """The weights in PyTorch's layout and names, with what a checkpoint has besides."""
    found = dict[str, Array]()
    for name, shape in shapes(of).items():
        stem = name.removesuffix(".weight")
        if NORM.search(name):
            name = stem + ".gamma" if name != stem else name.removesuffix("bias") + "beta"
            found[name] = made(name, shape)
        elif name == stem or len(shape) < 3:
            found[name] = made(name, shape)
        elif stem.startswith("dec.ups."):
            out, taps, inputs = shape
            found |= _in_parts(stem, (inputs, out, taps))
        elif stem.startswith("dec.resblocks."):
            found |= _in_parts(stem, (shape[0], shape[2], shape[1]))
        else:
            found[name] = made(name, (shape[0], shape[2], shape[1]))
    unused = ("enc_q.pre.weight", "sdp.post_pre.weight", "sdp.flows.1.pre.weight", "enc_p.bert_proj.weight")
    return found | {name: made(name, (2, 2, 1)) for name in unused}


def _in_parts(stem: str, shape: tuple[int, ...]) -> dict[str, Array]:
    """A weight as its direction and its length."""
    names = (f"{stem}.weight_g", f"{stem}.weight_v")
    return {name: made(name, sizes) for name, sizes in zip(names, ((shape[0], 1, 1), shape), strict=True)}


def bert_weights() -> dict[str, Array]:
    """As published: with a prefix and heads, and the layers that are not read."""
    found = {
        name: made(name, shape)
        for name, shape in bert_shapes(WORDS, PLACES, 2, FEATURES, BERT_INNER, BERT_LAYERS).items()
    }
    old = {"weight": "gamma", "bias": "beta"}
    return {
        f"bert.{re.sub(r'(?<=LayerNorm.)(weight|bias)$', lambda m: old[m[1]], name)}": array
        for name, array in found.items()
    } | {"cls.predictions.bias": made("x", (WORDS,)), "bert.pooler.dense.bias": made("x", (FEATURES,))}


def write_files(home: Path, symbols: Sequence[str], vocabulary: Sequence[str], **data: Any) -> Path:
    """The files of a repository in home/files, and those of its BERT in home/words."""
    files, words = home / "files", home / "words"
    files.mkdir(parents=True)
    words.mkdir()
    of = size(len(symbols))
    extra = {"iteration": 3, "optimizer": None, "learning_rate": 0.0003}
    saved_tensors(files / "checkpoint.pth", published(of), lambda named: {"model": named, **extra})
    model = {
        "resblock": "1", "n_heads": of.heads, "upsample_rates": list(of.upsampling),
        "resblock_dilation_sizes": [[1, 3, 5]] * len(of.block_taps), "use_transformer_flow": True,
    }  # fmt: skip
    about = {"sampling_rate": 44100, "n_speakers": of.speakers, "add_blank": True, "spk2id": SPEAKERS, **data}
    config = {"data": about, "model": model, "symbols": list(symbols), "num_tones": 16, "num_languages": 10}
    (files / "config.json").write_text(json.dumps(config))
    save_file(bert_weights(), words / "model.safetensors")
    (words / "config.json").write_text(json.dumps({"num_hidden_layers": BERT_LAYERS, "num_attention_heads": 2}))
    (words / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    (words / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary))
    return home


def write_model(
    home: Path, symbols: Sequence[str], vocabulary: Sequence[str], language: str = "english", **data: Any
) -> Path:
    """The engine's folder, converted from such files."""
    write_files(home, symbols, vocabulary, **data)
    folder = home / "model"
    (folder / "bert").mkdir(parents=True)
    getattr(melotts, language)(home / "files", folder)
    melotts.bert(home / "words", folder / "bert")
    return folder


def told(array: Any, wanted: list[Any]) -> Iterator[tuple[Any, Any]]:
    """What the reference told of an array, beside the same of another: shape, mean magnitude and some values."""
    flat = np.array(array).reshape(-1)
    chosen = flat[np.linspace(0, len(flat) - 1, len(wanted[2])).astype(int)]
    yield list(array.shape), wanted[0]
    yield np.abs(flat).mean(), wanted[1]
    yield chosen, wanted[2]


def extend(catalog: Catalog) -> Catalog:
    """The catalog, its rows of MeloTTS with the small model that `write_files` put into the folder $MELO_FILES."""
    home = Path(os.environ["MELO_FILES"])
    rows = []
    for row in catalog.rows:
        if row.engine.startswith("speechmlx.engines.melotts:") and not row.refusal:
            files = LocalFiles(str(home / "files"), str(row.sources[0].convert), "small")
            bert = Companion(
                "bert", (LocalFiles(str(home / "words"), "speechmlx.models.convert.melotts:bert", "small"),)
            )
            row = dataclasses.replace(row, sources=(files,), companions=(bert,))
        rows.append(row)
    return dataclasses.replace(catalog, rows=tuple(rows))
