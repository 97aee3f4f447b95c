"""A model that computes no finite numbers: the server answers 500 with the reason, and never silence with 200."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from support.planted_weights import TENSORS

if TYPE_CHECKING:
    from protocols.conftest import Start

PLANTED = {"SPEECHMLX_CATALOG": "support.planted_weights:extend", "PYTHONPATH": str(Path(__file__).parents[1])}
SPEECH = {"model": "kokoro", "input": "Hello.", "voice": "af_heart"}
REASON = "NotFinite: {} gave values that are not finite numbers"


def test_each_answer_names_the_model_and_the_stage(
    start_server: Start, model_folder: Callable[[str], Path], clip: Callable[[str], Path]
) -> None:
    for name in TENSORS:
        model_folder(name)
    sound, flags = clip("jfk").read_bytes(), ("--asr", "whisper-tiny.en")
    with start_server(*flags, scripted=False, PLANTED_COLD="1", **PLANTED) as server, server.client() as client:
        said = client.post("/v1/audio/speech", json=SPEECH)
        heard = client.post("/v1/audio/transcriptions", files={"file": sound}, data={"model": "whisper-tiny.en"})
        cleaned = client.post("/enhance", files={"file": sound})
    answers = {
        "kokoro-82m": (said, "the synthesis of speech"),
        "whisper-tiny.en": (heard, "the recognition of speech"),
        "deepfilternet3": (cleaned, "the enhancement of speech"),
    }
    for name, (answer, stage) in answers.items():
        assert answer.status_code == 500, answer.text
        assert f"the model '{name}' failed: {REASON.format(stage)}" in answer.text


def test_a_warm_up_that_gives_none_fails_the_load(start_server: Start, model_folder: Callable[[str], Path]) -> None:
    model_folder("kokoro-82m")
    with start_server(scripted=False, **PLANTED) as server, server.client() as client:
        answer = client.post("/v1/audio/speech", json=SPEECH)
        assert answer.status_code == 500, answer.text
        assert f"loading 'kokoro-82m' failed: {REASON.format('the synthesis of speech')}" in answer.text
        assert server.health()["engine"] == "ok"
