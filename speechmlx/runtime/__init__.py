"""The runtime: `Runtime.submit(request) -> Job` (front/runtime.py) is the only door to the engines.

`front/` runs in the server process, `worker/` in the engine process that owns MLX, `ipc/` is what passes between.
"""
