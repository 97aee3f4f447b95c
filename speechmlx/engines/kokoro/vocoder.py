"""Generates audio from text features, pitch and energy: decoder, harmonic source and iSTFT generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines.kokoro.layers import (
    Layer,
    Styled,
    Weights,
    conv,
    down_conv,
    leaky,
    snake_conv,
    styled_block,
    up_conv,
)

RATE = 24000
FRAME = 0.025
"""Seconds of a frame of text features."""
HARMONICS = 9
VOICED = 10.0  # Hz: a frame with a lower F0 is unvoiced
SINE, VOICED_NOISE = 0.1, 0.003
UNVOICED_NOISE = SINE / 3
DECODER, RESIDUAL = 1024, 64


@dataclass(frozen=True)
class Vocoder:
    """The parts of the network in the order they run. A frame has 25 ms, a style is [1, 128]."""

    decode: Callable[[mx.array, mx.array, mx.array, mx.array], mx.array]
    """(text [t, 512], F0 [2t], energy [2t], style) → [2t, 512]."""
    source: Callable[[mx.array, mx.array], mx.array]
    """(F0 [2t] in Hz, random key) → spectrum of the harmonic source [120 * t + 1, 22]."""
    generate: Callable[[mx.array, mx.array, mx.array], Iterator[mx.array]]
    """(decoded, source, style) → arrays to evaluate in order. The last is the audio, float32 [t * 600]."""


def build(weights: Weights, config: Mapping[str, Any]) -> Vocoder:
    net = config["istftnet"]
    size, hop = int(net["gen_istft_n_fft"]), int(net["gen_istft_hop_size"])
    scale = math.prod(net["upsample_rates"]) * hop
    return Vocoder(
        decode=_decode(weights, int(config["hidden_dim"])),
        source=_source(weights.exact(), scale, size, hop),
        generate=_generate(weights, net, size, hop),
    )


def _decode(weights: Weights, hidden: int) -> Callable[[mx.array, mx.array, mx.array, mx.array], mx.array]:
    beside = DECODER + 2 + RESIDUAL
    halve = [_halve(weights, f"decoder.{name}_conv") for name in ("F0", "N")]
    residual = conv(weights, "decoder.asr_res.0", hidden)
    first = styled_block(weights, "decoder.encode", hidden + 2, DECODER)
    outputs = (DECODER, DECODER, DECODER, hidden)
    rest = [styled_block(weights, f"decoder.decode.{i}", beside, o, double=i == 3) for i, o in enumerate(outputs)]

    def run(text: mx.array, f0: mx.array, energy: mx.array, style: mx.array) -> mx.array:
        curves = mx.stack([halve[0](f0), halve[1](energy)], axis=1).astype(text.dtype)
        x = first(mx.concatenate([text, curves], axis=1), style)
        extra = mx.concatenate([residual(text), curves], axis=1)
        for block in rest:
            x = block(mx.concatenate([x, extra], axis=1), style)
        return x

    return run


def _halve(weights: Weights, name: str) -> Layer:
    """A convolution of one channel, kernel 3 and stride 2: x [2t] → [t]."""
    kernel, bias = weights.kernel(name, 1).reshape(3), weights[f"{name}.bias"]

    def run(x: mx.array) -> mx.array:
        before = mx.pad(x[1:-1:2], (1, 0))
        return before * kernel[0] + x[::2] * kernel[1] + x[1::2] * kernel[2] + bias

    return run


def _source(weights: Weights, scale: int, size: int, hop: int) -> Callable[[mx.array, mx.array], mx.array]:
    """Magnitudes and phases of the source: sines at F0 and its harmonics in voiced frames, noise in unvoiced ones.

    Each frame of F0 covers `scale` samples. Phases are linear between the centres of frames. The original network adds
    noise to each harmonic before the linear `mix`; here one noise of the same variance replaces the nine.
    """
    name = "decoder.generator.m_source.l_linear"
    mix, bias = weights[f"{name}.weight"][0], weights[f"{name}.bias"]
    noise_gain = mx.sqrt(mx.sum(mix * mix))
    harmonics = mx.arange(1, HARMONICS + 1)
    ramp = (mx.arange(scale) + 0.5) / scale + 0.5
    spectrum = _stft(size, hop)

    def run(f0: mx.array, key: mx.array) -> mx.array:
        f0 = f0.astype(mx.float32)
        turns = (f0[:, None] * harmonics / RATE % 1) * scale
        start = mx.cumsum(turns % 1, axis=0) % 1
        early, late = start - turns, start
        early_step = mx.concatenate([mx.zeros_like(turns[:1]), turns[1:]])
        late_step = mx.concatenate([turns[1:], mx.zeros_like(turns[:1])])
        early = mx.concatenate([start[:1], early[1:]])
        phase = mx.concatenate(
            [
                early[:, None] + early_step[:, None] * ramp[: scale // 2, None],
                late[:, None] + late_step[:, None] * (ramp[scale // 2 :, None] - 1),
            ],
            axis=1,
        )
        voiced = (f0 > VOICED).astype(mx.float32)[:, None]
        sines = (mx.sin(phase % 1 * (2 * math.pi)) @ mix) * (SINE * voiced)
        loudness = voiced * VOICED_NOISE + (1 - voiced) * UNVOICED_NOISE
        noise = mx.random.normal(sines.shape, key=key) * (loudness * noise_gain)
        return spectrum(mx.tanh(sines + noise + bias).reshape(-1))

    return run


def _window(size: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def _stft(size: int, hop: int) -> Layer:
    """Audio [n] → magnitudes and phases [n / hop + 1, size + 2]. The ends are padded by reflection."""
    angles = 2 * np.pi * np.outer(np.arange(size), np.arange(size // 2 + 1)) / size
    sines = -np.sin(angles)
    sines[:, [0, -1]] = 0.0  # exact: the sign of a zero here would turn the phase by π
    table = _window(size)[:, None] * np.concatenate([np.cos(angles), sines], axis=1)
    basis = mx.array(table.astype(np.float32))
    edge, overlap = size // 2, size // hop

    def run(x: mx.array) -> mx.array:
        x = mx.concatenate([x[edge:0:-1], x, x[-2 : -edge - 2 : -1]])
        hops = x.reshape(-1, hop)
        count = hops.shape[0] - overlap + 1
        frames = mx.concatenate([hops[i : i + count] for i in range(overlap)], axis=1)
        real, imaginary = mx.split(frames @ basis, 2, axis=1)
        return mx.concatenate([mx.sqrt(real * real + imaginary * imaginary), mx.arctan2(imaginary, real)], axis=1)

    return run


def _istft(size: int, hop: int) -> Callable[[mx.array, mx.array], mx.array]:
    """(magnitudes, phases) [f, size / 2 + 1] → audio [(f - 1) * hop]."""
    angles = 2 * np.pi * np.outer(np.arange(size // 2 + 1), np.arange(size)) / size
    weight = np.full((size // 2 + 1, 1), 2 / size)
    weight[[0, -1]] = 1 / size
    window, overlap, edge = _window(size), size // hop, size // 2
    table = np.concatenate([np.cos(angles) * weight, -np.sin(angles) * weight]) * window
    basis = mx.array(table.astype(np.float32))
    squares = mx.array((window**2).reshape(overlap, hop).astype(np.float32))

    def overlap_add(pieces: mx.array) -> mx.array:
        """[f, overlap, hop] → [f + overlap - 1, hop]."""
        shifts = [mx.pad(pieces[:, i], [(i, overlap - 1 - i), (0, 0)]) for i in range(overlap)]
        return mx.stack(shifts).sum(axis=0)

    def run(magnitudes: mx.array, phases: mx.array) -> mx.array:
        frames = mx.concatenate([magnitudes * mx.cos(phases), magnitudes * mx.sin(phases)], axis=1) @ basis
        count = frames.shape[0]
        total = overlap_add(frames.reshape(count, overlap, hop))
        norm = overlap_add(mx.broadcast_to(squares, (count, overlap, hop)))
        inside = slice(edge, edge + (count - 1) * hop)
        return total.reshape(-1)[inside] / norm.reshape(-1)[inside]

    return run


def _resblock(weights: Weights, name: str, channels: int, dilations: list[int]) -> list[Styled]:
    """The residual steps of one block. Each maps (x [t, c], style) to x plus the residual [t, c]."""

    def step(i: int, dilation: int) -> Styled:
        first = snake_conv(
            weights, f"{name}.adain1.{i}", f"{name}.alpha1.{i}", f"{name}.convs1.{i}", channels, dilation
        )
        second = snake_conv(weights, f"{name}.adain2.{i}", f"{name}.alpha2.{i}", f"{name}.convs2.{i}", channels, 1)
        return lambda x, style: second(first(x, style, None), style, x)

    return [step(i, d) for i, d in enumerate(dilations)]


@dataclass(frozen=True)
class _Stage:
    """One upsampling stage of the generator: the noise branch and the parallel residual blocks."""

    up: Layer
    noise: Layer
    noise_steps: list[Styled]
    blocks: list[list[Styled]]
    last: bool


def _stage(weights: Weights, net: Mapping[str, Any], i: int, size: int) -> _Stage:
    name, rates, kernels = "decoder.generator", net["upsample_rates"], net["resblock_kernel_sizes"]
    inputs = int(net["upsample_initial_channel"]) >> i
    channels, last = inputs // 2, i + 1 == len(rates)
    stride = math.prod(rates[i + 1 :])
    noise = f"{name}.noise_convs.{i}"
    return _Stage(
        up=up_conv(weights, f"{name}.ups.{i}", inputs, channels, rates[i]),
        noise=conv(weights, noise, size + 2) if last else down_conv(weights, noise, size + 2, stride),
        noise_steps=_resblock(weights, f"{name}.noise_res.{i}", channels, [1, 3, 5]),
        blocks=[
            _resblock(weights, f"{name}.resblocks.{i * len(kernels) + j}", channels, dilations)
            for j, dilations in enumerate(net["resblock_dilation_sizes"])
        ],
        last=last,
    )


def _generate(
    weights: Weights, net: Mapping[str, Any], size: int, hop: int
) -> Callable[[mx.array, mx.array, mx.array], Iterator[mx.array]]:
    stages = [_stage(weights, net, i, size) for i in range(len(net["upsample_rates"]))]
    post = conv(weights, "decoder.generator.conv_post", int(net["upsample_initial_channel"]) >> len(stages))
    sound = _istft(size, hop)

    def run(x: mx.array, source: mx.array, style: mx.array) -> Iterator[mx.array]:
        source = source.astype(x.dtype)
        for stage in stages:
            noise = stage.noise(source)
            for step in stage.noise_steps:
                yield (noise := step(noise, style))
            x = stage.up(leaky(x, 0.1))
            x = mx.concatenate([x[1:2], x]) + noise if stage.last else x + noise
            total = mx.array(0.0, x.dtype)
            for block in stage.blocks:
                y = x
                for step in block:
                    yield (y := step(y, style))
                total = total + y
            x = total / len(stage.blocks)
        spectrum = post(leaky(x, 0.01)).astype(mx.float32)
        magnitudes, phases = mx.split(spectrum, [size // 2 + 1], axis=1)
        yield sound(mx.exp(magnitudes), mx.sin(phases))

    return run
