"""CosyVoice as its generations are published (PyTorch and ONNX) → one folder of weights under their authors' names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from speechmlx.models.convert import campplus_onnx, s3_onnx, torch_file
from speechmlx.models.convert.hub import link
from speechmlx.models.convert.weights import Array, Weights, read_json, reading, save_tensors, write_json
from speechmlx.models.spec import SourceFailed

TOKENIZER = "CosyVoice-BlankEN"
"""Folder of the text model's files."""
TEXT_MODEL = "llm.model.model."
TIED = "llm.model.lm_head.weight"
"""A copy of the embeddings of text, which nothing uses."""
TABLE = ("speech_embedding.weight", "llm_embedding.weight", f"{TEXT_MODEL}embed_tokens.weight")
"""The tables of embeddings, of which CosyVoice 3 has no second one: its marks are speech tokens."""
HEAD = ("llm_decoder.weight", "llm_decoder.bias")
"""The layer before the logits; CosyVoice 3's has no bias."""
COMPUTED = "decoder.estimator.rotary_embed.inv_freq"
"""A constant that is published with CosyVoice 3."""
DOUBLING = "decoder.estimator.up_blocks.0.2.conv.weight"
"""Of the transposed convolution, which is published as [in, out, taps]."""
LAYER = (
    r"(layers\.\d+\.(self_attn\.([qkv]_proj\.(weight|bias)|o_proj\.weight)|mlp\.(gate|up|down)_proj\.weight"
    r"|(input|post_attention)_layernorm\.weight)|norm\.weight)"
)
NORMED, SCALE, DIRECTION = ".parametrizations.weight.", "original0", "original1"
"""A weight as its length and its direction."""
FIRST_LM = (
    "text_embedding.", "text_encoder.", "text_encoder_affine_layer.", "spk_embed_affine_layer.", "llm.", "llm_decoder.",
)  # fmt: skip
FLOW = (
    "input_embedding.", "spk_embed_affine_layer.", "pre_lookahead_layer.", "encoder.", "encoder_proj.",
    "length_regulator.", "decoder.estimator.",
)  # fmt: skip
HIFT = (
    "m_source.", "conv_pre.", "ups.", "source_downs.", "source_resblocks.", "resblocks.", "conv_post.", "f0_predictor.",
)  # fmt: skip
"""What the names of tensors begin with."""
VOICES = Path(__file__).with_name("cosyvoice_voices.npz")
"""The embeddings [192] of the speakers that CosyVoice 1 was published with, under Apache-2.0.

They are those of spk2info.pt in the package xinference 4.1.0, whose SHA-256 begins with fb491609da25a351.
"""


def first(files: Path, folder: Path) -> None:
    """CosyVoice-300M: llm.pt, flow.pt, hift.pt, campplus.onnx and speech_tokenizer_v1.onnx in `files`.

    The language model becomes float16, all else float32. Raises SourceFailed, which names what is wrong.
    """
    hearing = {
        "s3": s3_onnx.read(files / "speech_tokenizer_v1.onnx"),
        "campplus": campplus_onnx.read(files / "campplus.onnx"),
    }
    _convert_first(files, folder, "cosyvoice1", hearing)


def first_sft(files: Path, folder: Path) -> None:
    """CosyVoice-300M-SFT: llm.pt, flow.pt, hift.pt, and spk2info.pt with its speakers."""
    _convert_first(files, folder, "cosyvoice1-sft", {"voices": speakers(files / "spk2info.pt")})


def first_instruct(files: Path, folder: Path) -> None:
    """CosyVoice-300M-Instruct: the same files."""
    _convert_first(files, folder, "cosyvoice1-instruct", {"voices": speakers(files / "spk2info.pt")})


def second(files: Path, folder: Path) -> None:
    """CosyVoice 2: llm.pt, flow.pt, hift.pt, campplus.onnx, speech_tokenizer_v2.onnx and the tokenizer in `files`.

    The language model becomes float16, all else float32. Raises SourceFailed, which names what is wrong.
    """
    with np.load(VOICES) as voices:
        named = {name: voices[name] for name in voices.files}
    _convert(files, folder, "cosyvoice2", named)


def third(files: Path, folder: Path) -> None:
    """CosyVoice 3: the same with speech_tokenizer_v3.onnx; it knows no speakers."""
    _convert(files, folder, "cosyvoice3", {})


def _convert(files: Path, folder: Path, kind: str, voices: Weights) -> None:
    is_second = kind == "cosyvoice2"
    parts = {
        "lm": _narrow(language_model(_read(files / "llm.pt"))),
        "flow": flow(_read(files / "flow.pt")),
        "hift": hift(_read(files / "hift.pt"), transposed=is_second),
        "s3": s3_onnx.read(files / f"speech_tokenizer_v{2 if is_second else 3}.onnx"),
        "campplus": campplus_onnx.read(files / "campplus.onnx"),
        "voices": voices,
    }
    _save(folder, parts)
    for name in ("vocab.json", "merges.txt"):
        link(files / TOKENIZER / name, folder / name)
    text = {**read_json(files / TOKENIZER / "config.json"), "tie_word_embeddings": True}
    write_json(folder / "config.json", {"model_type": kind, "text": text, "voices": list(voices)})


def _convert_first(files: Path, folder: Path, kind: str, besides: Mapping[str, Weights]) -> None:
    parts = {
        "lm": _narrow(first_language_model(_read(files / "llm.pt"))),
        "flow": flow(_read(files / "flow.pt")),
        "hift": hift(_read(files / "hift.pt"), transposed=True),
        **besides,
    }
    _save(folder, parts)
    write_json(folder / "config.json", {"model_type": kind, "voices": list(parts.get("voices", ()))})


def _narrow(weights: Weights) -> Weights:
    return {name: tensor.astype(np.float16) for name, tensor in weights.items()}


def _save(folder: Path, parts: Mapping[str, Weights]) -> None:
    for part, weights in parts.items():
        if weights:
            save_tensors(folder / f"{part}.safetensors", {f"{part}.{name}": w for name, w in weights.items()})


def speakers(path: Path) -> Weights:
    """The embeddings [192] of the speakers in a spk2info.pt, by name. Raises SourceFailed."""
    found = torch_file.read(path)
    with reading(path, "a list of speakers"):
        return {str(name): np.asarray(told["embedding"], np.float32).reshape(192) for name, told in found.items()}


def first_language_model(checkpoint: Mapping[str, Array]) -> Weights:
    """The tensors of CosyVoice 1's llm.pt. One table has the embeddings of speech and of the two marks."""
    tables = TABLE[:2]
    kept = {name: tensor for name, tensor in checkpoint.items() if name not in tables}
    _check("llm.pt", kept, FIRST_LM)
    _tensor(kept, "text_embedding.weight")  # which later generations do not have
    return {"table.weight": np.concatenate([_tensor(checkpoint, name) for name in tables]), **kept}


def language_model(checkpoint: Mapping[str, Array]) -> Weights:
    """The tensors of llm.pt. One table has the embeddings of speech, of the two marks if there are any, and of text."""
    weight = _tensor(checkpoint, HEAD[0])
    tables = [_tensor(checkpoint, name) for name in TABLE if name in checkpoint or name != TABLE[1]]
    weights = {
        "model.embed_tokens.weight": np.concatenate(tables),
        "head.weight": weight,
        "head.bias": checkpoint.get(HEAD[1], np.zeros(len(weight), weight.dtype)),
    }
    for name, tensor in checkpoint.items():
        if name.startswith(TEXT_MODEL) and re.fullmatch(LAYER, name[len(TEXT_MODEL) :]):
            weights[f"model.{name[len(TEXT_MODEL) :]}"] = tensor
        elif name not in (*TABLE, *HEAD, TIED):
            raise _unknown("llm.pt", name)
    return weights


def flow(checkpoint: Mapping[str, Array]) -> Weights:
    """The tensors of flow.pt; convolutions as [out, taps, in], of which one doubles the frames in CosyVoice 1."""
    _check("flow.pt", checkpoint, FLOW)
    return {
        name: tensor.transpose(1, 2, 0) if name == DOUBLING else _convolution(tensor)
        for name, tensor in checkpoint.items()
        if name != COMPUTED
    }


def hift(checkpoint: Mapping[str, Array], transposed: bool) -> Weights:
    """The tensors of hift.pt; weights from their lengths and directions, convolutions as [out, taps, in].

    `transposed`: those that add samples are transposed ones, which are published as [in, out, taps].
    """
    plain = {name.removeprefix("generator."): tensor for name, tensor in checkpoint.items()}
    _check("hift.pt", plain, HIFT)
    weights: Weights = {}
    for name, tensor in plain.items():
        layer, mark, kind = name.partition(NORMED)
        if kind == DIRECTION:
            name, tensor = f"{layer}.weight", _scaled(tensor, _tensor(plain, layer + mark + SCALE))
        elif mark:
            continue
        is_transposed = transposed and re.fullmatch(r"ups\.\d+\.weight", name)
        weights[name] = tensor.transpose(1, 2, 0) if is_transposed else _convolution(tensor)
    return weights


def _scaled(direction: Array, length: Array) -> Array:
    norms = np.sqrt(np.square(direction, dtype=np.float64).sum(axis=(1, 2), keepdims=True))
    scaled: Array = (direction * (length / norms)).astype(np.float32)
    return scaled


def _convolution(tensor: Array) -> Array:
    return tensor.transpose(0, 2, 1) if tensor.ndim == 3 else tensor


def _read(path: Path) -> dict[str, Array]:
    found = torch_file.read(path)
    with reading(path, "a checkpoint of tensors"):
        return {str(name): np.asarray(tensor) for name, tensor in found.items()}


def _tensor(checkpoint: Mapping[str, Array], name: str) -> Array:
    if name not in checkpoint:
        raise SourceFailed(f"the checkpoint has no tensor {name!r}")
    return checkpoint[name]


def _check(file: str, checkpoint: Mapping[str, Array], known: tuple[str, ...]) -> None:
    """Raises SourceFailed for a tensor whose name begins with none of the known ones."""
    for name in checkpoint:
        if not name.startswith(known):
            raise _unknown(file, name)


def _unknown(file: str, name: str) -> SourceFailed:
    return SourceFailed(f"{file} has a tensor {name!r}, which CosyVoice does not have")
