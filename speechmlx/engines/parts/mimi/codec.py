"""The codec: a frame of 80 ms in or out at a time, for several rows at once. Nothing of a row is kept on the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.parts.causal_conv import Past
from speechmlx.engines.parts.mimi.layers import (
    MimiConv,
    MimiConvTranspose,
    MimiDownsample,
    MimiUnit,
    MimiUpsample,
    chain_tails,
    run_chain,
)
from speechmlx.engines.parts.mimi.quantizer import MimiCodes
from speechmlx.engines.parts.mimi.sizes import MimiSizes
from speechmlx.engines.parts.mimi.transformer import MimiTransformer

RATE = 24000
FRAME = 1920
"""Samples of a frame of the published checkpoint: 80 ms."""

CodecState = list[mx.array]
"""The state of one direction for all rows: steps of each [b], then the tails of the layers. Its size never changes."""


class MimiChain(nn.Module):
    """A chain of layers in a list with the places of the checkpoint's."""

    def __init__(self, model: Sequence[Any]) -> None:
        super().__init__()
        self.model = list(model)

    def tails(self) -> Iterator[tuple[int, ...]]:
        return chain_tails(self.model)

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        return run_chain(self.model, x, past)


def _encoder(sizes: MimiSizes) -> MimiChain:
    channels, layers = sizes.filters, list[Any]()
    layers.append(MimiConv(1, channels, 7))
    for stride in sizes.strides:
        layers += [MimiUnit(channels), nn.ELU(), MimiConv(channels, 2 * channels, 2 * stride, stride)]
        channels *= 2
    return MimiChain([*layers, nn.ELU(), MimiConv(channels, sizes.dim, 3)])


def _decoder(sizes: MimiSizes) -> MimiChain:
    channels, layers = sizes.filters << len(sizes.strides), list[Any]()
    layers.append(MimiConv(sizes.dim, channels, 7))
    for stride in reversed(sizes.strides):
        layers += [nn.ELU(), MimiConvTranspose(channels, channels // 2, stride), MimiUnit(channels // 2)]
        channels //= 2
    return MimiChain([*layers, nn.ELU(), MimiConv(channels, 1, 3)])


class Mimi(nn.Module):
    """Encodes and decodes frames of `sizes.frame` samples. States are given and returned; rows are independent."""

    def __init__(self, sizes: MimiSizes) -> None:
        super().__init__()
        self.encoder, self.decoder = _encoder(sizes), _decoder(sizes)
        self.encoder_transformer, self.decoder_transformer = MimiTransformer(sizes), MimiTransformer(sizes)
        self.downsample = MimiDownsample(sizes.dim, sizes.dim, 4, 2, bias=False)
        self.upsample = MimiUpsample(sizes.dim, 2)
        self.quantizer = MimiCodes(sizes)
        self.sizes = sizes

    def encoding(self, rows: int) -> CodecState:
        """The state of `rows` recordings before their first frame."""
        return _empty(rows, (self.encoder, self.encoder_transformer, self.downsample))

    def decoding(self, rows: int) -> CodecState:
        """The state of `rows` sounds before their first frame."""
        return _empty(rows, (self.upsample, self.decoder_transformer, self.decoder))

    def encode(self, samples: mx.array, state: CodecState) -> tuple[mx.array, CodecState]:
        """The next frame of each row, float32 [b, frame] at 24 kHz → codes, int32 [b, codes], and the state after.

        All codes of a frame are NO_CODE where what they are made of are no finite numbers.
        """
        steps, past = state[0], Past(state[1:])
        x = self.encoder(samples[:, :, None], past)
        count = x.shape[1]
        x = self.encoder_transformer(x, steps, past)
        x = self.downsample.first(x, steps == 0, past)
        return self.quantizer.encode(x)[:, 0], [steps + count, *past.after]

    def decode(self, codes: mx.array, state: CodecState) -> tuple[mx.array, CodecState]:
        """The next codes of each row, int32 [b, codes] → its frame, float32 [b, frame], and the state after."""
        steps, past = state[0], Past(state[1:])
        x = self.upsample(self.quantizer.decode(codes[:, None]), past)
        count = x.shape[1]
        x = self.decoder_transformer(x, steps, past)
        return self.decoder(x, past)[:, :, 0], [steps + count, *past.after]


def _empty(rows: int, layers: Sequence[Any]) -> CodecState:
    return [mx.zeros(rows, mx.int32), *(mx.zeros((rows, *shape)) for shape in chain_tails(layers))]
