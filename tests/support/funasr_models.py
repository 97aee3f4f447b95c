"""Tiny checkpoints of FunASR's networks, whose weights are made from their names, as scripts/parity makes them."""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from support.torch_checkpoint import save_tensors

from speechmlx.models.spec import Catalog, Companion, LocalFiles

Array = np.ndarray[Any, np.dtype[np.float32]]
REFERENCE = json.loads((Path(__file__).parents[1] / "engines" / "data" / "funasr.json").read_text())
FEATURES = 560
TAGS = (
    "<|zh|>",
    "<|en|>",
    "<|yue|>",
    "<|HAPPY|>",
    "<|NEUTRAL|>",
    "<|Speech|>",
    "<|BGM|>",
    "<|withitn|>",
    "<|nospeech|>",
)
TOKENS = [
    "<blank>", "<s>", "</s>", *(chr(0x4E00 + 7 * place) for place in range(1, 31)), "hel@@", "lo", "world", "a", "b",
    "c", "3", "it's", *(f"word{letter}" for letter in "abcdefgh"), "<unk>",
]  # fmt: skip
"""As many as the tiny Paraformer has."""
MVN = """<Nnet>
<Splice> {n} {n}
[ 0 ]
<AddShift> {n} {n}
<LearnRateCoef> 0 [ {shift} ]
<Rescale> {n} {n}
<LearnRateCoef> 0 [ {scale} ]
</Nnet>
"""


def made(name: str, shape: Sequence[int]) -> Array:
    """The weights of that name."""
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(shape)) * 0.2
    is_norm = name.endswith("norm.weight") or name.rpartition(".")[0].endswith(("norm1", "norm2", "norm3"))
    return np.asarray(noise + (is_norm and name.endswith("weight")), np.float32)


def noise(seed: int, *shape: int) -> Array:
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def checkpoint(folder: Path, shapes: Mapping[str, Sequence[int]], heads: Mapping[str, int]) -> Path:
    """FunASR's files of a network with tensors of such shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(folder / "model.pt", {name: made(name, shape) for name, shape in shapes.items()})
    numbers = {"shift": " ".join(["-12.5"] * FEATURES), "scale": " ".join(["0.25"] * FEATURES)}
    (folder / "am.mvn").write_text(MVN.format(n=FEATURES, **numbers))
    (folder / "config.yaml").write_text("".join(f"{part}:\n  attention_heads: {n}\n" for part, n in heads.items()))
    return folder


def paraformer_files(folder: Path) -> Path:
    checkpoint(folder, REFERENCE["paraformer"]["shapes"], {"encoder_conf": 4, "decoder_conf": 4})
    (folder / "tokens.json").write_text(json.dumps(TOKENS))
    return folder


def punctuation_files(folder: Path) -> Path:
    checkpoint(folder, REFERENCE["punctuation"]["shapes"], {"encoder_conf": 4})
    (folder / "tokens.json").write_text(json.dumps(REFERENCE["punctuation"]["words"]))
    return folder


def sensevoice_files(folder: Path) -> Path:
    checkpoint(folder, REFERENCE["sensevoice"]["shapes"], {"encoder_conf": 4})
    (folder / "tiny.bpe.model").write_bytes(sentence_pieces())
    return folder


def sentence_pieces() -> bytes:
    """A SentencePiece model of 60 pieces."""
    from sentencepiece import SentencePieceTrainer

    model = BytesIO()
    texts = ["the cat sat on the mat", "a dog ran in the rain", "好的 我们 走吧", "今天 天气 很 好", "yes no maybe so"]
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, vocab_size=60, model_type="bpe", character_coverage=1.0,
        user_defined_symbols=list(TAGS), bos_id=1, eos_id=2, unk_id=0, pad_id=-1, minloglevel=2,
    )  # fmt: skip
    return model.getvalue()


def extend(catalog: Catalog) -> Catalog:
    """The catalog, its rows of FunASR's models with tiny networks from the folders in $FUNASR_FILES."""
    home = Path(os.environ["FUNASR_FILES"])
    convert = "speechmlx.models.convert"
    vad = LocalFiles(str(home / "vad"), f"{convert}.hub:as_it_is", "tiny")
    punctuation = LocalFiles(str(home / "punctuation_files"), f"{convert}.funasr:punctuation", "tiny")
    parts = {"vad": Companion("vad", (vad,)), "punctuation": Companion("punctuation", (punctuation,))}
    rows = []
    for row in catalog.rows:
        name = row.engine.split(".")[-1].removesuffix(":load")
        if name in ("paraformer", "sensevoice"):
            source = LocalFiles(str(home / f"{name}_files"), f"{convert}.funasr:{name}", "tiny")
            own = tuple(parts[one.name] for one in row.companions)
            row = dataclasses.replace(row, sources=(source,), companions=own)
        rows.append(row)
    return dataclasses.replace(catalog, rows=tuple(rows))
