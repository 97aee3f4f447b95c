"""The tensors of a published codec → the arrays that the networks compute with.

Kernels become [out, taps, in]. What can be multiplied before is: scales of residual branches, sums of codebooks,
exponents of activations. Every tensor of the checkpoint must be known, and have the shape that config.json promises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import mlx.core as mx

from speechmlx.engines.parts.causal_conv import upsampling_kernel
from speechmlx.engines.qwen3_tts.codec.shape import AttentionShape, CodecShape, DecoderShape, EncoderShape
from speechmlx.errors import WeightsDamaged

Weights = Mapping[str, mx.array]
Made = Iterator[tuple[str, mx.array]]

USAGE_FLOOR = 1e-5
"""A code that was never used in the training has no sum to divide."""
BETA_FLOOR = 1e-9
DILATIONS = (1, 3, 9)
"""Of the three residual units in a block of the decoder."""


def codec_weights(tensors: Weights, shape: CodecShape, encoder: bool = True) -> tuple[dict[str, mx.array], ...]:
    """The weights of the decoder and of the encoder (empty without `encoder`), none evaluated yet.

    Raises WeightsDamaged where `tensors` lacks one, has one of another shape, or has one that nobody knows.
    """
    checkpoint = _Checkpoint(tensors)
    decoding = dict(_decoder(checkpoint, shape.decoder))
    encoding = dict(_encoder(checkpoint, shape.encoder, shape.encoder_codebooks))
    checkpoint.finish()
    return decoding, encoding if encoder else {}


class _Checkpoint:
    """Gives out each tensor once, and knows which ones were not asked for."""

    def __init__(self, tensors: Weights) -> None:
        self._tensors = dict(tensors)

    def take(self, name: str, *shape: int) -> mx.array:
        if (tensor := self._tensors.pop(name, None)) is None:
            raise WeightsDamaged(f"the speech tokenizer's weights lack {name!r}")
        if tensor.shape != shape:
            raise WeightsDamaged(f"the speech tokenizer's weight {name!r} is {tensor.shape}; config.json says {shape}")
        return tensor

    def kernel(self, name: str, out: int, inputs: int, taps: int) -> mx.array:
        """[out, taps, inputs] of a convolution."""
        return mx.contiguous(self.take(f"{name}.weight", out, inputs, taps).swapaxes(1, 2))

    def point(self, name: str, out: int, inputs: int) -> mx.array:
        """[out, inputs] of a convolution of one tap."""
        return self.take(f"{name}.weight", out, inputs, 1)[:, :, 0]

    def transposed(self, name: str, out: int, inputs: int, taps: int, stride: int) -> mx.array:
        """The kernel of a `CausalUpsample`."""
        weight = self.take(f"{name}.weight", inputs, out, taps).transpose(1, 2, 0)
        return upsampling_kernel(weight, stride)

    def codebook(self, name: str, sums: str, size: int, width: int) -> mx.array:
        """[size, width]: the mean of what each code stood for in the training."""
        usage = self.take(f"{name}.cluster_usage", size)
        total = self.take(f"{name}.{sums}", size, width)
        return total / mx.maximum(usage, USAGE_FLOOR)[:, None]

    def finish(self) -> None:
        if self._tensors:
            names = ", ".join(map(repr, sorted(self._tensors)[:3]))
            raise WeightsDamaged(f"the speech tokenizer has {len(self._tensors)} weights more than known: {names}, ...")


def _decoder(checkpoint: _Checkpoint, shape: DecoderShape) -> Made:
    yield from _dequantizer(checkpoint, shape)
    latent, width = shape.latent_dim, shape.hidden_size
    yield "entry.weight", checkpoint.kernel("decoder.pre_conv.conv", latent, shape.codebook_dim, 3)
    yield "entry.bias", checkpoint.take("decoder.pre_conv.conv.bias", latent)
    name = "decoder.pre_transformer"
    yield "transformer.inward.weight", checkpoint.take(f"{name}.input_proj.weight", width, latent)
    yield "transformer.inward.bias", checkpoint.take(f"{name}.input_proj.bias", width)
    for layer in range(shape.num_hidden_layers):
        yield from _attention(checkpoint, f"{name}.layers.{layer}", f"transformer.{layer}", shape.attention)
        yield from _gated(checkpoint, f"{name}.layers.{layer}", f"transformer.{layer}", shape.attention)
    yield "transformer.norm.weight", checkpoint.take(f"{name}.norm.weight", width)
    yield "transformer.outward.weight", checkpoint.take(f"{name}.output_proj.weight", latent, width)
    yield "transformer.outward.bias", checkpoint.take(f"{name}.output_proj.bias", latent)
    for step, ratio in enumerate(shape.upsampling_ratios):
        name = f"decoder.upsample.{step}"
        yield f"upsample.{step}.weight", checkpoint.transposed(f"{name}.0.conv", latent, latent, ratio, ratio)
        yield f"upsample.{step}.bias", checkpoint.take(f"{name}.0.conv.bias", latent)
        yield from _convnext(checkpoint, f"{name}.1", f"upsample.{step}.block", latent)
    yield from _vocoder(checkpoint, shape)


def _dequantizer(checkpoint: _Checkpoint, shape: DecoderShape) -> Made:
    """All codebooks in one table [codebooks * size, width], and the projections of the first and of the others."""
    width, size = shape.codebook_dim // 2, shape.codebook_size
    tables = []
    for place, count in (("first", 1), ("rest", shape.num_quantizers - 1)):
        name = f"decoder.quantizer.rvq_{place}"
        for layer in range(count):
            tables.append(checkpoint.codebook(f"{name}.vq.layers.{layer}._codebook", "embedding_sum", size, width))
        yield f"quantizer.{place}", checkpoint.point(f"{name}.output_proj", shape.codebook_dim, width)
        checkpoint.point(f"{name}.input_proj", width, shape.codebook_dim)  # of the training alone
    yield "quantizer.table", mx.concatenate(tables)


def _attention(checkpoint: _Checkpoint, name: str, to: str, shape: AttentionShape) -> Made:
    sizes = {"q": shape.heads, "k": shape.key_heads, "v": shape.key_heads}
    parts = [
        checkpoint.take(f"{name}.self_attn.{part}_proj.weight", heads * shape.head, shape.width)
        for part, heads in sizes.items()
    ]
    yield f"{to}.attention.inward", mx.concatenate(parts)
    outward = checkpoint.take(f"{name}.self_attn.o_proj.weight", shape.width, shape.heads * shape.head)
    scale = checkpoint.take(f"{name}.self_attn_layer_scale.scale", shape.width)
    yield f"{to}.attention.outward", scale[:, None] * outward
    yield f"{to}.attention_norm.weight", checkpoint.take(f"{name}.input_layernorm.weight", shape.width)
    yield f"{to}.feed_norm.weight", checkpoint.take(f"{name}.post_attention_layernorm.weight", shape.width)


def _gated(checkpoint: _Checkpoint, name: str, to: str, shape: AttentionShape) -> Made:
    """The feed-forward layer of the decoder: two products in one matrix."""
    gate, up = (checkpoint.take(f"{name}.mlp.{part}_proj.weight", shape.inner, shape.width) for part in ("gate", "up"))
    yield f"{to}.feed.inward", mx.concatenate([gate, up])
    down = checkpoint.take(f"{name}.mlp.down_proj.weight", shape.width, shape.inner)
    scale = checkpoint.take(f"{name}.mlp_layer_scale.scale", shape.width)
    yield f"{to}.feed.outward", scale[:, None] * down


def _convnext(checkpoint: _Checkpoint, name: str, to: str, width: int) -> Made:
    yield f"{to}.mix.weight", checkpoint.kernel(f"{name}.dwconv.conv", width, 1, 7)
    yield f"{to}.mix.bias", checkpoint.take(f"{name}.dwconv.conv.bias", width)
    for part in ("weight", "bias"):
        yield f"{to}.norm.{part}", checkpoint.take(f"{name}.norm.{part}", width)
    yield f"{to}.inward.weight", checkpoint.take(f"{name}.pwconv1.weight", 4 * width, width)
    yield f"{to}.inward.bias", checkpoint.take(f"{name}.pwconv1.bias", 4 * width)
    gamma = checkpoint.take(f"{name}.gamma", width)
    yield f"{to}.outward.weight", gamma[:, None] * checkpoint.take(f"{name}.pwconv2.weight", width, 4 * width)
    yield f"{to}.outward.bias", gamma * checkpoint.take(f"{name}.pwconv2.bias", width)


def _vocoder(checkpoint: _Checkpoint, shape: DecoderShape) -> Made:
    name, width = "decoder.decoder", shape.decoder_dim
    yield "vocoder.entry.weight", checkpoint.kernel(f"{name}.0.conv", width, shape.latent_dim, 7)
    yield "vocoder.entry.bias", checkpoint.take(f"{name}.0.conv.bias", width)
    for block, rate in enumerate(shape.upsample_rates):
        part, to = f"{name}.{block + 1}.block", f"vocoder.{block}"
        yield from _snake(checkpoint, f"{part}.0", f"{to}.snake", width)
        yield f"{to}.up.weight", checkpoint.transposed(f"{part}.1.conv", width // 2, width, 2 * rate, rate)
        width //= 2
        yield f"{to}.up.bias", checkpoint.take(f"{part}.1.conv.bias", width)
        for unit in range(len(DILATIONS)):
            at = f"{part}.{unit + 2}"
            for number, taps in ((1, 7), (2, 1)):
                conv, made = f"{at}.conv{number}.conv", f"{to}.{unit}.conv{number}"
                yield from _snake(checkpoint, f"{at}.act{number}", f"{to}.{unit}.snake{number}", width)
                yield f"{made}.weight", checkpoint.kernel(conv, width, width, taps)
                yield f"{made}.bias", checkpoint.take(f"{conv}.bias", width)
    last = len(shape.upsample_rates) + 1
    yield from _snake(checkpoint, f"{name}.{last}", "vocoder.snake", width)
    yield "vocoder.exit.weight", checkpoint.kernel(f"{name}.{last + 1}.conv", 1, width, 7)
    yield "vocoder.exit.bias", checkpoint.take(f"{name}.{last + 1}.conv.bias", 1)


def _snake(checkpoint: _Checkpoint, name: str, to: str, width: int) -> Made:
    """x + depth * sin(x * speed)²."""
    yield f"{to}.speed", mx.exp(checkpoint.take(f"{name}.alpha", width))
    yield f"{to}.depth", 1 / (mx.exp(checkpoint.take(f"{name}.beta", width)) + BETA_FLOOR)


def _encoder(checkpoint: _Checkpoint, shape: EncoderShape, codebooks: int) -> Made:
    yield from _convolutions(checkpoint, shape)
    name, attention = "encoder.encoder_transformer.layers", shape.attention
    for layer in range(shape.num_hidden_layers):
        at, to = f"{name}.{layer}", f"transformer.{layer}"
        yield from _attention(checkpoint, at, to, attention)
        yield f"{to}.attention_norm.bias", checkpoint.take(f"{at}.input_layernorm.bias", attention.width)
        yield f"{to}.feed_norm.bias", checkpoint.take(f"{at}.post_attention_layernorm.bias", attention.width)
        yield f"{to}.feed.inward", checkpoint.take(f"{at}.mlp.fc1.weight", attention.inner, attention.width)
        scale = checkpoint.take(f"{at}.mlp_layer_scale.scale", attention.width)
        outward = checkpoint.take(f"{at}.mlp.fc2.weight", attention.width, attention.inner)
        yield f"{to}.feed.outward", scale[:, None] * outward
    yield "halving.weight", checkpoint.kernel("encoder.downsample.conv", attention.width, attention.width, 4)
    yield from _quantizer(checkpoint, shape, codebooks)


def _convolutions(checkpoint: _Checkpoint, shape: EncoderShape) -> Made:
    """A convolution; then for each stride a residual block and a convolution of that stride; then a last one."""
    name, width = "encoder.encoder.layers", shape.num_filters
    yield "entry.weight", checkpoint.kernel(f"{name}.0.conv", width, 1, shape.kernel_size)
    yield "entry.bias", checkpoint.take(f"{name}.0.conv.bias", width)
    for step, stride in enumerate(shape.strides):
        at, inner = 3 * step + 1, width // shape.compress
        for part, sizes in ((1, (inner, width, shape.residual_kernel_size)), (3, (width, inner, 1))):
            yield f"{step}.residual{part}.weight", checkpoint.kernel(f"{name}.{at}.block.{part}.conv", *sizes)
            yield f"{step}.residual{part}.bias", checkpoint.take(f"{name}.{at}.block.{part}.conv.bias", sizes[0])
        yield f"{step}.down.weight", checkpoint.kernel(f"{name}.{at + 2}.conv", 2 * width, width, 2 * stride)
        width *= 2
        yield f"{step}.down.bias", checkpoint.take(f"{name}.{at + 2}.conv.bias", width)
    at = 3 * len(shape.strides) + 2
    yield "exit.weight", checkpoint.kernel(f"{name}.{at}.conv", shape.hidden_size, width, shape.last_kernel_size)
    yield "exit.bias", checkpoint.take(f"{name}.{at}.conv.bias", shape.hidden_size)


def _quantizer(checkpoint: _Checkpoint, shape: EncoderShape, codebooks: int) -> Made:
    """For each of the first `codebooks`: its table [size, width], transposed for products, and squared lengths."""
    width, size = shape.codebook_dim, shape.codebook_size
    kept = 0
    for place, count in (("semantic", 1), ("acoustic", shape.num_quantizers - 1)):
        name = f"encoder.quantizer.{place}_residual_vector_quantizer"
        for layer in range(count):
            at = f"{name}.layers.{layer}.codebook"
            table = checkpoint.codebook(at, "embed_sum", size, width)
            checkpoint.take(f"{at}.initialized", 1)  # of the training alone
            if kept < codebooks:
                yield f"quantizer.{kept}.table", table
                yield f"quantizer.{kept}.squares", mx.square(table).sum(axis=1)
                kept += 1
        yield f"quantizer.{place}", checkpoint.point(f"{name}.input_proj", width, shape.hidden_size)
        checkpoint.point(f"{name}.output_proj", shape.hidden_size, width)  # of the training alone
