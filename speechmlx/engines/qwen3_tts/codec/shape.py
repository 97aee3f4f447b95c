"""The sizes of the codec, as the config.json of its folder gives them; the defaults are those of the published one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

from speechmlx.errors import ModelUnavailable

MODEL_TYPE = "qwen3_tts_tokenizer_12hz"


@dataclass(frozen=True)
class AttentionShape:
    """The transformer of either half. A position sees itself and the `window` - 1 positions before it."""

    width: int
    layers: int
    heads: int
    key_heads: int
    head: int
    """Values of a head."""
    inner: int
    """Width of the feed-forward layers."""
    window: int
    theta: float
    epsilon: float


@dataclass(frozen=True)
class DecoderShape:
    """codes [16, F] → samples: the fields of `decoder_config` that a checkpoint may choose."""

    codebook_size: int = 2048
    codebook_dim: int = 512
    latent_dim: int = 1024
    hidden_size: int = 512
    num_hidden_layers: int = 8
    num_attention_heads: int = 16
    num_key_value_heads: int = 16
    head_dim: int = 64
    intermediate_size: int = 1024
    sliding_window: int = 72
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5
    num_quantizers: int = 16
    upsample_rates: tuple[int, ...] = (8, 5, 4, 3)
    upsampling_ratios: tuple[int, ...] = (2, 2)
    decoder_dim: int = 1536

    @property
    def frame(self) -> int:
        """Samples of a frame of codes."""
        return math.prod(self.upsample_rates) * math.prod(self.upsampling_ratios)

    @property
    def attention(self) -> AttentionShape:
        return _attention(self, self.rms_norm_eps)


@dataclass(frozen=True)
class EncoderShape:
    """samples → codes: the fields of `encoder_config` that a checkpoint may choose."""

    codebook_size: int = 2048
    codebook_dim: int = 256
    hidden_size: int = 512
    num_filters: int = 64
    compress: int = 2
    kernel_size: int = 7
    residual_kernel_size: int = 3
    last_kernel_size: int = 3
    num_hidden_layers: int = 8
    num_attention_heads: int = 8
    num_key_value_heads: int = 8
    head_dim: int = 64
    intermediate_size: int = 2048
    sliding_window: int = 250
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5
    num_quantizers: int = 32
    upsampling_ratios: tuple[int, ...] = (8, 6, 5, 4)

    @property
    def strides(self) -> tuple[int, ...]:
        """What the convolutions divide the rate by, one after another."""
        return self.upsampling_ratios[::-1]

    @property
    def frame(self) -> int:
        """Samples of a frame of codes: the last convolution halves the rate once more."""
        return 2 * math.prod(self.upsampling_ratios)

    @property
    def attention(self) -> AttentionShape:
        return _attention(self, self.norm_eps)


def _attention(shape: DecoderShape | EncoderShape, epsilon: float) -> AttentionShape:
    return AttentionShape(
        width=shape.hidden_size,
        layers=shape.num_hidden_layers,
        heads=shape.num_attention_heads,
        key_heads=shape.num_key_value_heads,
        head=shape.head_dim,
        inner=shape.intermediate_size,
        window=shape.sliding_window,
        theta=shape.rope_theta,
        epsilon=epsilon,
    )


@dataclass(frozen=True)
class CodecShape:
    decoder: DecoderShape = DecoderShape()
    encoder: EncoderShape = EncoderShape()
    encoder_codebooks: int = 16
    """How many of the encoder's codebooks a recording is encoded with: the first ones."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Raises ModelUnavailable where `config` is of something else than this codec."""
        if (kind := config.get("model_type")) != MODEL_TYPE:
            raise ModelUnavailable(f"the speech tokenizer is a {kind!r}; this engine reads a {MODEL_TYPE!r}")
        return cls(
            _chosen(DecoderShape, config.get("decoder_config")),
            _chosen(EncoderShape, config.get("encoder_config")),
            config.get("encoder_valid_num_quantizers", cls.encoder_codebooks),
        )


Shape = TypeVar("Shape", DecoderShape, EncoderShape)


def _chosen(kind: type[Shape], config: Mapping[str, Any] | None) -> Shape:
    """A shape with the values that `config` has for its fields."""
    config = config or {}
    given = {field.name: config[field.name] for field in fields(kind) if config.get(field.name) is not None}
    chosen: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return kind(**chosen)
