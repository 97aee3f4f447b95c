"""The transformer layers that the talker and the code predictor share.

They have the checkpoint's names of weights until `join`, which puts products that read the same input into one.
"""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.parts.activations import swiglu
from speechmlx.engines.parts.joined import added, joined
from speechmlx.engines.parts.kv_rows import Remember
from speechmlx.engines.parts.layer_stack import StackShape
from speechmlx.engines.parts.rotary import Turn


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
        self._shape = shape

    def join(self) -> None:
        """Queries, keys and values become one product, and the two norms one."""
        shape = self._shape
        self.qkv_proj = joined([self.pop(name) for name in ("q_proj", "k_proj", "v_proj")])
        q, k = (self.pop(name).weight for name in ("q_norm", "k_norm"))
        self.qk_norm = mx.concatenate([mx.tile(q, (shape.heads, 1)), mx.tile(k, (shape.kv_heads, 1))])

    def __call__(self, x: mx.array, remember: Remember, turn: Turn, mask: mx.array | str | None) -> mx.array:
        """x [B, L, hidden], whose positions `turn` knows → what o_proj reads [B, L, heads * width]."""
        shape, (batch, length, _) = self._shape, x.shape
        turning = shape.heads + shape.kv_heads
        found = self.qkv_proj(x).reshape(batch, length, -1, shape.head)
        normed = mx.fast.rms_norm(found[:, :, :turning], None, shape.epsilon) * self.qk_norm
        turned = turn(normed.swapaxes(1, 2))
        keys, values = remember(turned[:, shape.heads :], found[:, :, turning:].swapaxes(1, 2))
        y = mx.fast.scaled_dot_product_attention(
            turned[:, : shape.heads], keys, values, scale=shape.head**-0.5, mask=mask
        )
        return y.swapaxes(1, 2).reshape(batch, length, -1)


class TalkerFeedForward(nn.Module):
    def __init__(self, shape: StackShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.hidden, bias=False)

    def join(self) -> None:
        """The two products that read the input become one."""
        self.gate_up_proj = joined([self.pop(name) for name in ("gate_proj", "up_proj")])

    def __call__(self, x: mx.array) -> mx.array:
        """x [B, L, hidden] → what down_proj reads [B, L, inner]."""
        return swiglu(*mx.split(self.gate_up_proj(x), 2, axis=-1))


class TalkerLayer(nn.Module):
    def __init__(self, shape: StackShape) -> None:
        super().__init__()
        self.self_attn = TalkerAttention(shape)
        self.mlp = TalkerFeedForward(shape)
        self.input_layernorm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)

    def join(self) -> None:
        """Before the first call."""
        self.self_attn.join()
        self.mlp.join()

    def __call__(self, x: mx.array, remember: Remember, turn: Turn, mask: mx.array | str | None) -> mx.array:
        """x [B, L, hidden], whose positions `turn` knows → the same shape."""
        x = added(x, self.self_attn.o_proj, self.self_attn(self.input_layernorm(x), remember, turn, mask))
        return added(x, self.mlp.down_proj, self.mlp(self.post_attention_layernorm(x)))
