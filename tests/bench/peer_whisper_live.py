"""whisper-live's own server on faster-whisper, run in its own environment: `peer_whisper_live.py PORT MODEL CLIENTS`.

The package has the server and no command that starts it. One model serves all clients, as its documentation advises.
"""

from __future__ import annotations

import sys

from whisper_live.server import TranscriptionServer

if __name__ == "__main__":
    TranscriptionServer().run(
        "127.0.0.1",
        port=int(sys.argv[1]),
        backend="faster_whisper",
        faster_whisper_custom_model_path=sys.argv[2],
        single_model=True,
        max_clients=int(sys.argv[3]),
        max_connection_time=3600,
    )
