"""A CTranslate2 Whisper model (model.bin) → the layout of mlx-whisper."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from speechmlx.models.convert.weights import Array, Weights, check_scale, reading, write

DTYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
MAX_ALIASED = 4
"""Values of all variables and aliases for each byte of the file."""
HEAD = 64
"""Width of an attention head in every Whisper."""


def convert(files: Path, folder: Path) -> None:
    """`files`/model.bin → config.json and float16 model.safetensors."""
    variables = _read(files / "model.bin")
    weights = _network(variables)
    n_vocab, width = weights["decoder.token_embedding.weight"].shape
    layers = {side: len({n.split(".")[2] for n in weights if n.startswith(f"{side}.blocks.")}) for side in SIDES}
    config = {
        "model_type": "whisper",
        "n_mels": weights["encoder.conv1.weight"].shape[2],
        "n_audio_ctx": 1500,
        "n_audio_state": width,
        "n_audio_head": width // HEAD,
        "n_audio_layer": layers["encoder"],
        "n_vocab": n_vocab,
        "n_text_ctx": len(weights["decoder.positional_embedding"]),
        "n_text_state": width,
        "n_text_head": width // HEAD,
        "n_text_layer": layers["decoder"],
    }
    write(folder, config, {name: w.astype(np.float16) for name, w in weights.items()})


# --- The file: header, variables (name, shape, dtype, bytes), aliases; little endian, strings with length and NUL ---


def _read(path: Path) -> dict[str, Array]:
    """Variables and aliases by name. int8 variables are dequantised to float32."""
    reader = _Reader(path.read_bytes())
    with reading(path, "a CTranslate2 model"):
        reader.numbers("I"), reader.text(), reader.numbers("I")  # binary version, specification, its revision
        raw = dict(reader.variable() for _ in range(reader.number("I")))
        aliases = {reader.text(): reader.text() for _ in range(reader.number("I"))}
        raw |= {alias: raw[name] for alias, name in aliases.items()}
        if sum(array.size for array in raw.values()) > MAX_ALIASED * len(reader.data):
            raise ValueError("its aliases are much larger than the file")
        return {name: _unscaled(name, raw) for name in raw if not name.endswith("_scale")}


def _unscaled(name: str, raw: dict[str, Array]) -> Array:
    values, scale = raw[name], raw.get(f"{name}_scale")
    if scale is None:
        return values
    check_scale(values, scale, 0)
    scale = scale.astype(np.float32)
    shaped = scale.reshape(-1, *[1] * (values.ndim - 1)) if scale.size > 1 else scale
    return values.astype(np.float32) / shaped


class _Reader:
    """A cursor over the file's bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.at = 0

    def numbers(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return values

    def number(self, form: str) -> int:
        return self.numbers(form)[0]

    def text(self) -> str:
        length = self.number("H")
        value = bytes(self.data[self.at : self.at + length - 1]).decode()
        self.at += length
        return value

    def variable(self) -> tuple[str, Array]:
        name = self.text()
        shape = self.numbers(f"{self.number('B')}I")
        dtype, size = np.dtype(DTYPES[self.number("B")]), self.number("I")
        values = np.frombuffer(self.data[self.at : self.at + size], dtype).reshape(shape)
        self.at += size
        return name, values


# --- The network --------------------------------------------------------------------------------------------------

SIDES = ("encoder", "decoder")
QUERY, KEY, VALUE = "query", "key", "value"


def _network(v: dict[str, Array]) -> Weights:
    """All variables under mlx-whisper's names."""
    weights: Weights = {
        "decoder.positional_embedding": v["decoder/position_encodings/encodings"],
        "decoder.token_embedding.weight": v["decoder/embeddings/weight"],
    }
    for name in ("conv1", "conv2"):
        weights[f"encoder.{name}.weight"] = v[f"encoder/{name}/weight"].swapaxes(1, 2)
        weights[f"encoder.{name}.bias"] = v[f"encoder/{name}/bias"]
    weights |= _norm("encoder.ln_post", "encoder/layer_norm", v) | _norm("decoder.ln", "decoder/layer_norm", v)
    for side in SIDES:
        layer = 0
        while f"{side}/layer_{layer}/self_attention/layer_norm/gamma" in v:
            weights |= _block(f"{side}.blocks.{layer}", f"{side}/layer_{layer}", v)
            layer += 1
    return weights


def _block(to: str, source: str, v: dict[str, Array]) -> Weights:
    """One layer: self attention, cross attention (decoder only) and the feed-forward layers."""
    own, cross = f"{source}/self_attention", f"{source}/attention"
    weights = _linear([f"{to}.attn.{part}" for part in (QUERY, KEY, VALUE)], f"{own}/linear_0", v)
    weights |= _linear([f"{to}.attn.out"], f"{own}/linear_1", v) | _norm(f"{to}.attn_ln", f"{own}/layer_norm", v)
    if f"{cross}/linear_0/weight" in v:
        weights |= _linear([f"{to}.cross_attn.query"], f"{cross}/linear_0", v)
        weights |= _linear([f"{to}.cross_attn.{part}" for part in (KEY, VALUE)], f"{cross}/linear_1", v)
        weights |= _linear([f"{to}.cross_attn.out"], f"{cross}/linear_2", v)
        weights |= _norm(f"{to}.cross_attn_ln", f"{cross}/layer_norm", v)
    weights |= _linear([f"{to}.mlp1"], f"{source}/ffn/linear_0", v)
    weights |= _linear([f"{to}.mlp2"], f"{source}/ffn/linear_1", v)
    return weights | _norm(f"{to}.mlp_ln", f"{source}/ffn/layer_norm", v)


def _linear(names: list[str], source: str, v: dict[str, Array]) -> Weights:
    """Split a linear layer whose rows are stacked for `names`. Whisper's key projections have no bias."""
    weights = zip(names, np.split(v[f"{source}/weight"], len(names)), strict=True)
    biases = zip(names, np.split(v[f"{source}/bias"], len(names)), strict=True)
    return {f"{n}.weight": w for n, w in weights} | {f"{n}.bias": b for n, b in biases if not n.endswith(f".{KEY}")}


def _norm(to: str, source: str, v: dict[str, Array]) -> Weights:
    return {f"{to}.weight": v[f"{source}/gamma"], f"{to}.bias": v[f"{source}/beta"]}
