"""The transformer layers that the talker and the code predictor share, with the checkpoint's names of weights."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.parts.kv_rows import Remember
from speechmlx.engines.parts.layer_stack import StackShape


class TalkerAttention(nn.Module):
    """Grouped attention with normalised queries and keys, and rotary positions."""

    def __init__(self, shape: StackShape) -> None:
        super().__init__()
        width, bias = shape.head, shape.bias
        self.q_proj = nn.Linear(shape.hidden, shape.heads * width, bias=bias)
        self.k_proj = nn.Linear(shape.hidden, shape.kv_heads * width, bias=bias)
        self.v_proj = nn.Linear(shape.hidden, shape.kv_heads * width, bias=bias)
        self.o_proj = nn.Linear(shape.heads * width, shape.hidden, bias=bias)
        self.q_norm = nn.RMSNorm(width, eps=shape.epsilon)
        self.k_norm = nn.RMSNorm(width, eps=shape.epsilon)
        self._width, self._base = width, shape.base

    def __call__(self, x: mx.array, remember: Remember, at: int | mx.array, mask: mx.array | str | None) -> mx.array:
        """x [B, L, hidden], whose first position is `at` (an int, or int32 [B]) → the same shape."""
        batch, length, _ = x.shape
        q, k, v = (
            project(x).reshape(batch, length, -1, self._width) for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = (self._turned(norm(y), at) for norm, y in ((self.q_norm, q), (self.k_norm, k)))
        keys, values = remember(k, v.swapaxes(1, 2))
        scale = self._width**-0.5
        y = mx.fast.scaled_dot_product_attention(q, keys, values, scale=scale, mask=mask)
        out: mx.array = self.o_proj(y.swapaxes(1, 2).reshape(batch, length, -1))
        return out

    def _turned(self, x: mx.array, at: int | mx.array) -> mx.array:
        """[B, L, heads, width] → [B, heads, L, width], rotated by the positions."""
        return mx.fast.rope(x.swapaxes(1, 2), self._width, traditional=False, base=self._base, scale=1.0, offset=at)


class TalkerFeedForward(nn.Module):
    def __init__(self, shape: StackShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.hidden, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        y: mx.array = self.down_proj(nn.silu(self.gate_proj(x)) * self.up_proj(x))
        return y


class TalkerLayer(nn.Module):
    def __init__(self, shape: StackShape) -> None:
        super().__init__()
        self.self_attn = TalkerAttention(shape)
        self.mlp = TalkerFeedForward(shape)
        self.input_layernorm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)

    def __call__(self, x: mx.array, remember: Remember, at: int | mx.array, mask: mx.array | str | None) -> mx.array:
        """As TalkerAttention."""
        x = x + self.self_attn(self.input_layernorm(x), remember, at, mask)
        return x + self.mlp(self.post_attention_layernorm(x))
