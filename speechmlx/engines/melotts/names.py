"""The names and shapes of the tensors of MeloTTS and of its BERT, as the conversion writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mlx.core as mx

from speechmlx.errors import WeightsDamaged

Shapes = dict[str, tuple[int, ...]]
BINS = 10
"""Of the splines that draw durations."""
SEPARABLE = 3
"""Layers of the convolutions of each channel by itself."""
KEPT_SPLINES = (3, 5, 7)
"""The flow's splines that draw durations; the first is never used."""
COUPLINGS = 4


@dataclass(frozen=True)
class MeloSize:
    """What the shapes of a network follow from."""

    width: int
    inner: int
    layers: int
    taps: int
    near: int
    """Distances between phones that the attention knows."""
    heads: int
    latent: int
    flow_inner: int
    flow_layers: int
    flow_taps: int
    speakers: int
    speaker: int
    """Channels that tell a speaker."""
    plain: int
    """Width of what predicts plain durations."""
    drawn: int
    """Width of what draws them."""
    symbols: int
    tones: int
    languages: int
    features: int
    """Channels of BERT's features."""
    first: int
    """Channels before the vocoder's first stage; each stage halves them."""
    upsampling: tuple[int, ...]
    upsampling_taps: tuple[int, ...]
    block_taps: tuple[int, ...]
    dilations: int
    """Pairs of convolutions of a vocoder's block."""


def size_of(weights: Mapping[str, mx.array], heads: int, upsampling: Sequence[int], blocks: int) -> MeloSize:
    """The size of the network that `weights` are of; `blocks` of each stage. Raises WeightsDamaged for what is none."""
    try:
        flow = "flow.flows.0.enc"
        return MeloSize(
            width=weights["enc_p.emb.weight"].shape[1],
            inner=weights["enc_p.encoder.ffn_layers.0.conv_1.bias"].size,
            layers=_count(weights, "enc_p.encoder.attn_layers"),
            taps=weights["enc_p.encoder.ffn_layers.0.conv_1.weight"].shape[1],
            near=weights["enc_p.encoder.attn_layers.0.emb_rel_k"].shape[1],
            heads=heads,
            latent=weights["enc_p.proj.bias"].size // 2,
            flow_inner=weights[f"{flow}.ffn_layers.0.conv_1.bias"].size,
            flow_layers=_count(weights, f"{flow}.attn_layers"),
            flow_taps=weights[f"{flow}.ffn_layers.0.conv_1.weight"].shape[1],
            speakers=weights["emb_g.weight"].shape[0],
            speaker=weights["emb_g.weight"].shape[1],
            plain=weights["dp.conv_1.bias"].size,
            drawn=weights["sdp.pre.bias"].size,
            symbols=weights["enc_p.emb.weight"].shape[0],
            tones=weights["enc_p.tone_emb.weight"].shape[0],
            languages=weights["enc_p.language_emb.weight"].shape[0],
            features=weights["enc_p.ja_bert_proj.weight"].shape[2],
            first=weights["dec.conv_pre.bias"].size,
            upsampling=tuple(upsampling),
            upsampling_taps=tuple(weights[f"dec.ups.{stage}.weight"].shape[1] for stage in range(len(upsampling))),
            block_taps=tuple(weights[f"dec.resblocks.{number}.convs1.0.weight"].shape[1] for number in range(blocks)),
            dilations=_count(weights, "dec.resblocks.0.convs1"),
        )
    except KeyError as error:
        raise WeightsDamaged(f"the weights are not those of MeloTTS: they have no {error.args[0]!r}") from error


def shapes(size: MeloSize) -> Shapes:
    """The shape of each tensor of a network of this size."""
    width, told = size.width, size.speaker
    found: Shapes = {
        "emb_g.weight": (size.speakers, told),
        "enc_p.emb.weight": (size.symbols, width),
        "enc_p.tone_emb.weight": (size.tones, width),
        "enc_p.language_emb.weight": (size.languages, width),
        "enc_p.bert_proj.bias": (width,),
        "sdp.flows.0.m": (2, 1),
        "sdp.flows.0.logs": (2, 1),
        "dec.conv_post.weight": (1, 7, size.first >> len(size.upsampling)),
    }
    found |= _layer("enc_p.ja_bert_proj", width, 1, size.features) | _layer("enc_p.proj", 2 * size.latent, 1, width)
    found |= _encoder("enc_p.encoder", size, size.inner, size.taps, size.layers)
    for number in range(COUPLINGS):
        coupling = f"flow.flows.{2 * number}"
        found |= _layer(f"{coupling}.pre", width, 1, size.latent // 2)
        found |= _layer(f"{coupling}.post", size.latent // 2, 1, width)
        found |= _encoder(f"{coupling}.enc", size, size.flow_inner, size.flow_taps, size.flow_layers)
    found |= _layer("dp.cond", width, 1, told) | _layer("dp.proj", 1, 1, size.plain)
    for number, inputs in ((1, width), (2, size.plain)):
        found |= _layer(f"dp.conv_{number}", size.plain, 3, inputs) | _layer(f"dp.norm_{number}", size.plain)
    return found | _drawn(size) | _vocoder(size)


def bert_shapes(tokens: int, places: int, kinds: int, width: int, inner: int, layers: int) -> Shapes:
    """The shape of each tensor of a BERT."""
    found: Shapes = {
        "embeddings.word_embeddings.weight": (tokens, width),
        "embeddings.position_embeddings.weight": (places, width),
        "embeddings.token_type_embeddings.weight": (kinds, width),
        **_layer("embeddings.LayerNorm", width),
    }
    for number in range(layers):
        layer = f"encoder.layer.{number}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            found |= _layer(f"{layer}.{name}", width, width)
        found |= _layer(f"{layer}.intermediate.dense", inner, width) | _layer(f"{layer}.output.dense", width, inner)
        found |= _layer(f"{layer}.attention.output.LayerNorm", width) | _layer(f"{layer}.output.LayerNorm", width)
    return found


def check_bert(weights: Mapping[str, mx.array], features: int) -> None:
    """Raises WeightsDamaged where the weights are not those of a BERT with so many features."""
    try:
        words, places, kinds = (
            weights[f"embeddings.{name}_embeddings.weight"].shape for name in ("word", "position", "token_type")
        )
        inner = weights["encoder.layer.0.intermediate.dense.bias"].size
    except KeyError as error:
        raise WeightsDamaged(f"the weights are not those of BERT: they have no {error.args[0]!r}") from error
    wanted = bert_shapes(words[0], places[0], kinds[0], features, inner, _count(weights, "encoder.layer"))
    check(weights, wanted, "BERT")


def check(weights: Mapping[str, mx.array], wanted: Shapes, whose: str) -> None:
    """Raises WeightsDamaged where a tensor is missing, is one too many, or has another shape."""
    for name in sorted(wanted.keys() | weights.keys()):
        found = weights[name].shape if name in weights else None
        if wanted.get(name) != found:
            raise WeightsDamaged(
                f"the weights are not those of {whose}: {name!r} is {found or 'missing'}, "
                f"not {wanted.get(name, 'there')}"
            )


def _count(weights: Mapping[str, mx.array], name: str) -> int:
    return len({key[len(name) + 1 :].partition(".")[0] for key in weights if key.startswith(f"{name}.")})


def _layer(name: str, *shape: int) -> Shapes:
    """A layer with a bias; of one number: a normalisation."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _encoder(name: str, size: MeloSize, inner: int, taps: int, layers: int) -> Shapes:
    width = size.width
    found = _layer(f"{name}.spk_emb_linear", width, size.speaker)
    for number in range(layers):
        attention, forward = f"{name}.attn_layers.{number}", f"{name}.ffn_layers.{number}"
        for part in "qkvo":
            found |= _layer(f"{attention}.conv_{part}", width, 1, width)
        found |= {f"{attention}.emb_rel_{part}": (1, size.near, width // size.heads) for part in "kv"}
        found |= _layer(f"{forward}.conv_1", inner, taps, width) | _layer(f"{forward}.conv_2", width, taps, inner)
        found |= _layer(f"{name}.norm_layers_1.{number}", width) | _layer(f"{name}.norm_layers_2.{number}", width)
    return found


def _drawn(size: MeloSize) -> Shapes:
    width = size.drawn
    found = _layer("sdp.pre", width, 1, size.width) | _layer("sdp.proj", width, 1, width)
    found |= _layer("sdp.cond", width, 1, size.speaker) | _separable("sdp.convs", width)
    for number in KEPT_SPLINES:
        spline = f"sdp.flows.{number}"
        found |= _layer(f"{spline}.pre", width, 1, 1) | _layer(f"{spline}.proj", 3 * BINS - 1, 1, width)
        found |= _separable(f"{spline}.convs", width)
    return found


def _separable(name: str, width: int) -> Shapes:
    found: Shapes = {}
    for number in range(SEPARABLE):
        found |= _layer(f"{name}.convs_sep.{number}", width, 3, 1) | _layer(
            f"{name}.convs_1x1.{number}", width, 1, width
        )
        found |= _layer(f"{name}.norms_1.{number}", width) | _layer(f"{name}.norms_2.{number}", width)
    return found


def _vocoder(size: MeloSize) -> Shapes:
    found = _layer("dec.conv_pre", size.first, 7, size.latent) | _layer("dec.cond", size.first, 1, size.speaker)
    for stage, taps in enumerate(size.upsampling_taps):
        width = size.first >> (stage + 1)
        found |= _layer(f"dec.ups.{stage}", width, taps, 2 * width)
        for number, reach in enumerate(size.block_taps):
            block = f"dec.resblocks.{stage * len(size.block_taps) + number}"
            for pair in range(size.dilations):
                found |= _layer(f"{block}.convs1.{pair}", width, reach, width)
                found |= _layer(f"{block}.convs2.{pair}", width, reach, width)
    return found
