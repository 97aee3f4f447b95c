"""The starter models in a terminal, without a server: what is spoken is understood."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from terminal.conftest import Run

SENTENCE = "The weather is nice today."


def test_what_is_spoken_is_understood(run: Run, model_folder: Callable[[str], Path]) -> None:
    for name in ("whisper-tiny.en", "kokoro-82m"):
        model_folder(name)
    own = {
        "SPEECHMLX_CATALOG": "",
        "SPEECHMLX_CACHE": os.environ.get("SPEECHMLX_CACHE", ""),
        "SPEECHMLX_MODELS": "asr=whisper-tiny.en",
    }
    assert run("speak", SENTENCE, "--voice", "af_heart", "-o", "a.mp3", **own).code == 0
    done = run("transcribe", "a.mp3", "--language", "en", **own)
    assert (done.code, done.text) == (0, f"{SENTENCE}\n")
