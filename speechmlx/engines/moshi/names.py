"""The tensors of a PyTorch checkpoint under the names of Kyutai's MLX checkpoints, which are the network's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import mlx.core as mx

from speechmlx.engines.moshi.sizes import MoshiSizes
from speechmlx.errors import ModelUnavailable

Named = Iterator[tuple[str, mx.array]]


def is_torch(weights: Mapping[str, mx.array]) -> bool:
    """Whether the weights have PyTorch's names."""
    return "depformer_text_emb.weight" in weights


def own_weights(weights: Mapping[str, mx.array], sizes: MoshiSizes) -> dict[str, mx.array]:
    """Weights by PyTorch's names → by the network's. Raises ModelUnavailable for a name that has no place."""
    own, left = dict[str, mx.array](), list[str]()
    for name, tensor in weights.items():
        rule = next((make for pattern, make in RULES if pattern.fullmatch(name)), None)
        if rule is None:
            left.append(name)
        else:
            own.update(rule(name, tensor, sizes))
    if left:
        raise ModelUnavailable(f"the checkpoint has weights that this network has no place for: {', '.join(left[:5])}")
    return own


def _plain(name: str, tensor: mx.array, sizes: MoshiSizes) -> Named:
    name = name.replace("in_proj_weight", "in_proj.weight").replace(".alpha", ".weight")
    yield name, tensor.reshape(-1) if tensor.ndim == 3 else tensor


def _audio_embedding(name: str, tensor: mx.array, sizes: MoshiSizes) -> Named:
    yield f"audio_embs.{name.removeprefix('emb.')}", tensor


def _depth_embedding(name: str, tensor: mx.array, sizes: MoshiSizes) -> Named:
    place = 0 if "text" in name else int(name.split(".")[1]) + 1
    yield f"depformer.slices.{place}.emb.weight", tensor


def _depth_end(name: str, tensor: mx.array, sizes: MoshiSizes) -> Named:
    group, place, _ = name.split(".")
    yield f"depformer.slices.{place}.{'linear_in' if group == 'depformer_in' else 'linear_out'}.weight", tensor


def _depth_gate(name: str, tensor: mx.array, sizes: MoshiSizes) -> Named:
    _, _, layer, _, place, part, _ = name.split(".")
    yield f"depformer.slices.{place}.transformer.layers.{layer}.gating.{part}.weight", tensor


def _depth_norm(name: str, tensor: mx.array, sizes: MoshiSizes) -> Named:
    """One norm for all codebooks."""
    _, _, layer, norm, _ = name.split(".")
    for place in range(sizes.depth):
        yield f"depformer.slices.{place}.transformer.layers.{layer}.{norm}.weight", tensor.reshape(-1)


def _depth_attention(name: str, tensor: mx.array, sizes: MoshiSizes) -> Named:
    """The weights of all codebooks one below the other."""
    layer, part = name.split(".")[2], "in_proj" if "in_proj" in name else "out_proj"
    for place, one in enumerate(mx.split(tensor, sizes.depth)):
        yield f"depformer.slices.{place}.transformer.layers.{layer}.self_attn.{part}.weight", one


RULES: tuple[tuple[re.Pattern[str], Callable[[str, mx.array, MoshiSizes], Named]], ...] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"text_(emb|linear)\.weight|out_norm\.alpha|transformer\.layers\..*", _plain),
        (r"emb\.\d+\.weight", _audio_embedding),
        (r"depformer_(text_emb|emb\.\d+)\.weight", _depth_embedding),
        (r"(depformer_in|linears)\.\d+\.weight", _depth_end),
        (r"depformer\.layers\.\d+\.gating\.\d+\.linear_(in|out)\.weight", _depth_gate),
        (r"depformer\.layers\.\d+\.norm[12]\.alpha", _depth_norm),
        (r"depformer\.layers\.\d+\.self_attn\.(in_proj_weight|out_proj\.weight)", _depth_attention),
    )
)
