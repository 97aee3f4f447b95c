"""The runtime: `Runtime.submit(request) -> Job` (front/runtime.py) is the only way to the engines.

`front/` runs in the server process, `worker/` in the engine process that owns MLX; `ipc/` is the pipe between them.
`channel.py` is the queue that jobs and live sessions are built from, `scratch.py` makes temporary folders.
"""
