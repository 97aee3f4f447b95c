"""Small ChatTTS models with weights made from names: the files as they are published, and the engine's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from support.named_weights import named_weight
from support.torch_checkpoint import checkpoint, tensor
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from speechmlx.models.convert import chattts

WIDTH, CODES, BANDS = 48, 24, 100
INNER, LAYERS = 80, 2
LLAMA = {
    "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
    "num_key_value_heads": 4, "rms_norm_eps": 1e-6, "max_position_embeddings": 4096,
}  # fmt: skip
MARKS = (
    "[Stts]", "[Ptts]", "[Sbreak]", "[Pbreak]", "[Ebreak]", "[uv_break]", "[lbreak]", "[laugh]", "[spk_emb]",
    *(f"[break_{n}]" for n in range(8)), *(f"[laugh_{n}]" for n in range(3)), *(f"[oral_{n}]" for n in range(10)),
    *(f"[speed_{n}]" for n in range(10)),
)  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIGNS = (*LETTERS, *(f"##{letter}" for letter in LETTERS), *"'.,，。你好吗我很", *MARKS)
TEXT = 2 + len(SIGNS)
"""Number of text tokens."""

Weights = dict[str, NDArray[Any]]


def shapes(width: int = WIDTH, codes: int = CODES, text: int = TEXT) -> dict[str, dict[str, tuple[int, ...]]]:
    """Names and shapes of the tensors of each file, as they are published."""
    embed: dict[str, tuple[int, ...]] = {f"emb_code.{group}.weight": (codes, width) for group in range(4)}
    for head, size in (("head_text", text), *((f"head_code.{group}", codes) for group in range(4))):
        embed[f"{head}.parametrizations.weight.original0"] = (size, 1)
        embed[f"{head}.parametrizations.weight.original1"] = (size, width)
    return {
        "Embed": {"emb_text.weight": (text, width), **embed},
        "gpt/model": _llama(width, INNER, LAYERS),
        "Decoder": _decoder(idim=width // 2, narrow=12, inner=20, blocks=2, odim=width // 2),
        "Vocos": _vocos(width=24, inner=40, blocks=2),
    }


def _llama(width: int, inner: int, layers: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"norm.weight": (width,)}
    for layer in range(layers):
        name = f"layers.{layer}"
        found |= {f"{name}.self_attn.{one}_proj.weight": (width, width) for one in "qkvo"}
        found |= {f"{name}.mlp.{one}_proj.weight": (inner, width) for one in ("gate", "up")}
        found[f"{name}.mlp.down_proj.weight"] = (width, inner)
        found |= {f"{name}.{one}_layernorm.weight": (width,) for one in ("input", "post_attention")}
    return found


def _decoder(idim: int, narrow: int, inner: int, blocks: int, odim: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"coef": (1, BANDS, 1), "out_conv.weight": (BANDS, odim, 3)}
    found |= {"decoder.conv_in.0.weight": (narrow, idim, 3), "decoder.conv_in.0.bias": (narrow,)}
    found |= {"decoder.conv_in.2.weight": (inner, narrow, 3), "decoder.conv_in.2.bias": (inner,)}
    found["decoder.conv_out.weight"] = (odim, inner, 1)
    for block in range(blocks):
        name = f"decoder.decoder_block.{block}"
        found |= {f"{name}.weight": (inner,), **_block(name, inner, 4 * inner)}
    return found


def _vocos(width: int, inner: int, blocks: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"backbone.embed.weight": (width, BANDS, 7), "backbone.embed.bias": (width,)}
    for name in ("backbone.norm", "backbone.final_layer_norm"):
        found |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for block in range(blocks):
        name = f"backbone.convnext.{block}"
        found |= {f"{name}.gamma": (width,), **_block(name, width, inner)}
    computed = {"head.istft.window": (1024,), "feature_extractor.mel_spec.spectrogram.window": (1024,)}
    return {**found, "head.out.weight": (1026, width), "head.out.bias": (1026,), **computed}


def _block(name: str, width: int, inner: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.dwconv.weight": (width, 1, 7), f"{name}.dwconv.bias": (width,),
        f"{name}.norm.weight": (width,), f"{name}.norm.bias": (width,),
        f"{name}.pwconv1.weight": (inner, width), f"{name}.pwconv1.bias": (inner,),
        f"{name}.pwconv2.weight": (width, inner), f"{name}.pwconv2.bias": (width,),
    }  # fmt: skip


def made(names: Mapping[str, tuple[int, ...]]) -> Weights:
    """The tensors of these names and shapes, as scripts/parity/chattts.py makes them."""
    return {name: weight(name, shape) for name, shape in names.items()}


def weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One tensor. Heads are made longer, so that some tokens are much likelier than others."""
    found = named_weight(name, shape)
    if name.endswith("original0"):
        return np.abs(found) + 1
    return np.abs(found) + 1 if name == "coef" else found


def write_tokenizer(path: Path) -> None:
    """A tokenizer of single letters and the marks, which cuts and fills up texts as the published one does."""
    vocabulary = {sign: number for number, sign in enumerate(("[PAD]", "[UNK]", *SIGNS))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in MARKS])
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16, pad_token="[PAD]")
    tokenizer.save(str(path))


def statistics() -> NDArray[np.float16]:
    """The deviations and the means of speakers."""
    return np.random.RandomState(5).uniform(0.1, 1, 2 * WIDTH).astype(np.float16)


def write_files(files: Path, weights: Mapping[str, Weights] | None = None) -> Path:
    """The files of a repository."""
    asset = files / "asset"
    for folder in ("gpt", "tokenizer"):
        (asset / folder).mkdir(parents=True)
    for name, names in shapes().items():
        save_file((weights or {}).get(name) or made(names), asset / f"{name}.safetensors")
    (asset / "gpt/config.json").write_text(json.dumps(LLAMA))
    write_tokenizer(asset / "tokenizer/tokenizer.json")
    numbers = statistics()
    checkpoint(
        asset / "spk_stat.pt",
        tensor("HalfStorage", "0", len(numbers), 0, numbers.shape, (1,)),
        {"0": numbers.tobytes()},
    )
    return files


def endless() -> dict[str, Weights]:
    """Weights of a model that hardly ends its speech by itself."""
    embed = made(shapes()["Embed"])
    for group in range(4):
        embed[f"head_code.{group}.parametrizations.weight.original0"][-1] = 0.01
    return {"Embed": embed}


def write_folder(folder: Path, weights: Mapping[str, Weights] | None = None) -> Path:
    """The engine's folder, converted from such files."""
    files = write_files(folder / "files", weights)
    model = folder / "model"
    model.mkdir()
    chattts.convert(files, model)
    return model
