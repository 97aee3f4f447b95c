"""Codes: the nearest entries of codebooks, the first for itself, each further one for what the last left over."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.parts.mimi.sizes import MimiSizes

NO_CODE = -1
"""In the place of all codes of a step that would be those of values that are no finite numbers."""


class MimiResidualCodes(nn.Module):
    """Codebooks one after the other, with a projection before and after them."""

    def __init__(self, sizes: MimiSizes, count: int) -> None:
        super().__init__()
        self.input_proj = nn.Linear(sizes.dim, sizes.code_dim, bias=False)
        self.output_proj = nn.Linear(sizes.code_dim, sizes.dim, bias=False)
        self.entries = [mx.zeros((sizes.code_count, sizes.code_dim)) for _ in range(count)]
        """Of each codebook [entries, code_dim]."""
        self.half_squares = [mx.zeros(sizes.code_count) for _ in range(count)]
        """Of each codebook half the squared lengths of its entries [entries]."""

    def encode(self, x: mx.array) -> tuple[list[mx.array], mx.array]:
        """[b, n, dim] → codes of each codebook, int32 [b, n], and how near the last one's entries are [b, n, entries].

        No number before is a number there: the nearest of NaN is an entry, too.
        """
        left, codes = self.input_proj(x), list[mx.array]()
        for entries, half_squares in zip(self.entries, self.half_squares, strict=True):
            # |x - e|² without |x|², which is the same for all entries
            nearness = left @ entries.T - half_squares
            codes.append(mx.argmax(nearness, axis=-1).astype(mx.int32))
            left = left - entries[codes[-1]]
        return codes, nearness

    def decode(self, codes: mx.array) -> mx.array:
        """codes [b, n, codebooks] → [b, n, dim]"""
        found = [entries[codes[:, :, place]] for place, entries in enumerate(self.entries)]
        total = found[0]
        for one in found[1:]:
            total = total + one
        return self.output_proj(total)


class MimiCodes(nn.Module):
    """The codebook of meaning, and beside it those of sound."""

    def __init__(self, sizes: MimiSizes) -> None:
        super().__init__()
        self.first = MimiResidualCodes(sizes, 1)
        self.rest = MimiResidualCodes(sizes, sizes.codes - 1)

    def encode(self, x: mx.array) -> mx.array:
        """[b, n, dim] → codes, int32 [b, n, codes]; NO_CODE for each of a step that is no finite numbers."""
        (first, nearness), (rest, last) = self.first.encode(x), self.rest.encode(x)
        is_finite = mx.all(mx.abs(nearness + last) < mx.inf, axis=2, keepdims=True)
        return mx.where(is_finite, mx.stack([*first, *rest], axis=2), NO_CODE)

    def decode(self, codes: mx.array) -> mx.array:
        """codes [b, n, codes] → [b, n, dim]"""
        return self.first.decode(codes[:, :, :1]) + self.rest.decode(codes[:, :, 1:])
