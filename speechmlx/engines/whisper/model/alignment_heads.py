"""Alignment heads: the attention heads whose attention follows the audio.

For OpenAI's checkpoints they are published facts; a checkpoint is recognised by its sizes. large-v1 and large-v2 have
the same sizes: the heads are large-v2's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.engines.whisper.model.network import Dims

Heads = dict[int, list[int]]
"""Decoder layer → heads."""

_KNOWN = {
    (4, 6, 51864): "1:0 2:0,5 3:0,1,2,3,4",
    (4, 6, 51865): "2:2 3:0,2,3,4,5",
    (6, 8, 51864): "3:3 4:7 5:1,5,7",
    (6, 8, 51865): "3:1 4:2,3,7 5:1,2,4,6",
    (12, 12, 51864): "6:6 7:0,3,8 8:2,5,7 9:0,4,8,10 10:0,1,2,3,6,11 11:2,4",
    (12, 12, 51865): "5:3,9 8:0,4,7,8 9:0,7,9 10:5",
    (24, 16, 51864): "11:4 14:1,12,14 15:4 16:0,4,9 17:12,14 18:7,10,15 20:0,3,9,14 21:12",
    (24, 16, 51865): "13:15 15:4,15 16:1 20:0 23:4",
    (32, 20, 51865): "10:12 13:17 16:11,12,13 17:15,16 18:4,11,19 19:11 21:2,3 22:3,9,12 23:5,7,13 25:5 26:1,12 27:15",
    (32, 20, 51866): "7:0 10:17 12:18 13:12 16:1 17:14 19:11 21:4 24:1 25:6",
    (4, 20, 51866): "2:4,11 3:3,6,11,14",
}
"""(decoder layers, heads, vocabulary) → "layer:head,head ..." """


def known_heads(layers: int, heads: int, vocabulary: int) -> Heads | None:
    """The alignment heads of a checkpoint of these sizes, or None when it is not one of OpenAI's."""
    text = _KNOWN.get((layers, heads, vocabulary))
    if text is None:
        return None
    pairs = (part.split(":") for part in text.split())
    return {int(layer): [int(head) for head in named.split(",")] for layer, named in pairs}


def alignment_heads(folder: Path, dims: Dims) -> Heads:
    """The heads named in `folder`'s generation_config.json, or known for these sizes, or all of the upper half.

    Some distilled models name heads of their teacher that they do not have; those are ignored.
    """
    config = folder / "generation_config.json"
    named = json.loads(config.read_text()).get("alignment_heads") if config.is_file() else None
    heads: Heads = {}
    for layer, head in sorted(tuple(pair) for pair in named or ()):
        if layer < dims.n_text_layer and head < dims.n_text_head:
            heads.setdefault(layer, []).append(head)
    upper = range(dims.n_text_layer // 2, dims.n_text_layer)
    known = known_heads(dims.n_text_layer, dims.n_text_head, dims.n_vocab)
    return heads or known or {layer: list(range(dims.n_text_head)) for layer in upper}
