"""What rows of the catalog have in common."""

from __future__ import annotations

MB = 1_000_000

CONVERT = "speechmlx.models.convert"

BRIDGE, BRIDGED = "speechmlx.engines.mlx_audio:load", "speechmlx.models.bridge.convert"
"""Engine and conversion of the families of mlx-audio."""

PRECISION = r"(-(mlx|onnx|timestamped|ct2|bf16|fp16|fp32|float16|float32|int8|[468]bit|q[48](_0)?))*"
"""Endings of names of repositories that hold the same weights in another format or precision."""
