"""The codec of Qwen3-TTS: 12.5 frames a second of 16 codes each ↔ samples of 24 kHz."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from speechmlx.engines.qwen3_tts.codec.checkpoint import codec_weights
from speechmlx.engines.qwen3_tts.codec.decoder import CodecDecoder
from speechmlx.engines.qwen3_tts.codec.encoder import CodecEncoder
from speechmlx.engines.qwen3_tts.codec.shape import CodecShape
from speechmlx.engines.weights import read_config, read_weights, settle
from speechmlx.types import Progress

RATE = 24_000
"""Samples of a second."""

__all__ = ["RATE", "CodecDecoder", "CodecEncoder", "SpeechCodec", "load"]


@dataclass(frozen=True)
class SpeechCodec:
    """Both halves. Checkpoints call it the speech tokenizer."""

    decoder: CodecDecoder
    encoder: CodecEncoder | None
    """None where it was not loaded."""
    nbytes: int


def load(
    folder: Path, dtype: mx.Dtype = mx.float32, encoder: bool = True, fused: bool = False
) -> Generator[Progress, None, SpeechCodec]:
    """Load the codec of a model's speech_tokenizer `folder`. Progress is in bytes, of the decoder and the encoder.

    The decoder computes in `dtype`, the encoder, which only cloning needs, in float32. `fused`: see `CodecDecoder`.
    Raises ModelUnavailable or WeightsDamaged for a folder that is no such codec.
    """
    shape = CodecShape.of(read_config(folder))
    decoding, encoding = codec_weights(read_weights(folder), shape, encoder)
    total = sum(array.nbytes for array in (*decoding.values(), *encoding.values()))
    decoding = yield from _settled(decoding, dtype, 0, total)
    done = total - sum(array.nbytes for array in encoding.values())
    encoding = yield from _settled(encoding, mx.float32, done, total)
    return SpeechCodec(
        CodecDecoder(decoding, shape.decoder, fused),
        CodecEncoder(encoding, shape.encoder, shape.encoder_codebooks) if encoder else None,
        sum(array.nbytes for array in (*decoding.values(), *encoding.values())),
    )


def _settled(
    weights: dict[str, mx.array], dtype: mx.Dtype, before: int, total: int
) -> Generator[Progress, None, dict[str, mx.array]]:
    """`settle` as a part of `total` bytes of which `before` are done."""
    steps = settle(weights, dtype)
    while True:
        try:
            progress = next(steps)
        except StopIteration as done:
            settled: dict[str, mx.array] = done.value
            return settled
        yield Progress(progress.stage, before + progress.done, total)
