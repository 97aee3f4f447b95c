"""The code predictor: groups 2 to 16 of a frame, each after the one before it, as one graph."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.parts.kv_rows import FramePast
from speechmlx.engines.parts.row_draws import Draw, choose
from speechmlx.engines.qwen3_tts.layers import TalkerLayer
from speechmlx.engines.qwen3_tts.shape import TalkerShape


class PredictorStack(nn.Module):
    """The layers, and the embeddings of the groups that it predicts, as wide as the talker."""

    def __init__(self, shape: TalkerShape) -> None:
        super().__init__()
        self.layers = [TalkerLayer(shape.predictor) for _ in range(shape.predictor.layers)]
        self.norm = nn.RMSNorm(shape.predictor.hidden, eps=shape.predictor.epsilon)
        self.codec_embedding = [nn.Embedding(shape.codes, shape.talker.hidden) for _ in range(shape.groups - 1)]


class CodePredictor(nn.Module):
    """The state of the talker and the first code of a frame → its other codes."""

    def __init__(self, shape: TalkerShape) -> None:
        super().__init__()
        self._shape = shape.predictor
        self.model = PredictorStack(shape)
        self.lm_head = [nn.Linear(shape.predictor.hidden, shape.codes, bias=False) for _ in range(shape.groups - 1)]
        if shape.predictor.hidden != shape.talker.hidden:
            self.small_to_mtp_projection = nn.Linear(shape.talker.hidden, shape.predictor.hidden, bias=True)

    def __call__(
        self, state: mx.array, first: mx.array, draw: Draw, chance: mx.array
    ) -> tuple[mx.array, mx.array, mx.array]:
        """The codes of a frame.

        state [B, hidden] of the talker, first [B, hidden] the embedding of its code, chance [B, groups - 1] → codes
        int32 [B, groups - 1], the sum of their embeddings and of `first` [B, hidden], and whether all was finite [B].
        """
        past = [FramePast(len(self.lm_head) + 1) for _ in self.model.layers]
        chance = chance * draw.luck[:, None]
        codes, total, checked, at = list[mx.array](), first, mx.array(0.0), 0
        x = mx.stack([state, first], axis=1)
        for group, (head, embedding) in enumerate(zip(self.lm_head, self.model.codec_embedding, strict=True)):
            logits = head(self._last(x, past, at)).astype(mx.float32)
            at += x.shape[1]
            code = choose(logits, draw, chance[:, group])
            checked = checked + logits.sum(axis=-1)  # not finite if one of them is not
            x = embedding(code)[:, None]
            total = total + x[:, 0]
            codes.append(code)
        return mx.stack(codes, axis=1), total, mx.isfinite(checked)

    def _last(self, x: mx.array, past: list[FramePast], at: int) -> mx.array:
        """[B, L, hidden of the talker] at positions from `at` → the state of the last [B, hidden]."""
        if "small_to_mtp_projection" in self:
            x = self.small_to_mtp_projection(x)
        mask = "causal" if x.shape[1] > 1 else None
        turn = self._shape.turn(at, x.shape[1])
        for layer, before in zip(self.model.layers, past, strict=True):
            x = layer(x, before.add, turn, mask)
        last: mx.array = self.model.norm(x[:, -1])
        return last


Predict = Callable[[mx.array, mx.array, Draw, mx.array], tuple[mx.array, mx.array, mx.array]]
"""As CodePredictor."""


def as_function(predictor: CodePredictor, fused: bool) -> Predict:
    """The predictor; `fused`: compiled, once for each size of batch, with and without a nucleus."""
    if not fused:
        return predictor

    @mx.compile
    def predict(
        state: mx.array, first: mx.array, draw: list[mx.array], is_nucleus: bool, chance: mx.array
    ) -> tuple[mx.array, mx.array, mx.array]:
        coldness, luck, top_k, top_p = draw
        return predictor(state, first, Draw(coldness, luck, top_k, top_p, is_nucleus), chance)

    return lambda state, first, draw, chance: predict(
        state, first, [draw.coldness, draw.luck, draw.top_k, draw.top_p], draw.is_nucleus, chance
    )
