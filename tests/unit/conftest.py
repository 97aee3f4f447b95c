"""MLX computes on the CPU where SPEECHMLX_DEVICE says so, as for a server: hosted Macs have no GPU to trust."""

from __future__ import annotations

import os

if os.environ.get("SPEECHMLX_DEVICE") == "cpu":
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
