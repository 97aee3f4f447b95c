"""Xinference's client and what this server does not run as Xinference does: MegaTTS3, its engines, its old names."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from protocols.conftest import Server, serve
from support.openai_audio import WAV
from xinference_client import RESTfulClient

BELLE = ("Belle-distilwhisper-large-v2-zh", "Belle-whisper-large-v2-zh", "Belle-whisper-large-v3-zh")
WHISPERS = (
    "tiny",
    "tiny.en",
    "base",
    "base.en",
    "small",
    "small.en",
    "medium",
    "medium.en",
    "large-v3",
    "large-v3-turbo",
)
ENGINES = (None, "MLX", "mlx", "transformers", "vLLM", "PyTorch", "diffusers")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A scripted engine is behind each model that recognises."""
    with serve(tmp_path_factory.mktemp("absent"), SPEECHMLX_CATALOG="support.scripted:stand_in") as server:
        yield server


def test_megatts3_cannot_be_launched(xinference: RESTfulClient, server: Server) -> None:
    with pytest.raises(RuntimeError, match=r"megatts3 cannot run here: its authors never published .*cosyvoice2-0\.5b"):
        xinference.launch_model(model_name="MegaTTS3", model_type="audio", model_engine="transformers")
    assert "MegaTTS3" not in xinference.list_models()
    assert not server.health()["models"]


def test_megatts3_s_calls(xinference: RESTfulClient) -> None:
    """The documented call arrives whole, and says what it lacks, or why it does not help."""
    model = xinference.get_model("MegaTTS3")
    latent = io.BytesIO()
    np.save(latent, np.zeros((1, 25, 32), np.float32))
    for lacking in ({}, {"prompt_speech": WAV}, {"prompt_latent": latent.getvalue()}, {"voice": "echo"}):
        with pytest.raises(RuntimeError, match=r"megatts3 requires prompt_speech and prompt_latent, .*model\.speech\("):
            model.speech("Hello.", **lacking)
    whole = {"prompt_speech": WAV, "prompt_latent": latent.getvalue(), "time_step": 16, "p_w": 1.6, "t_w": 2.5}
    arrived = (
        rf"a recording of \d\.\d s and a latent of {len(latent.getvalue())} bytes arrived, but megatts3 cannot run"
    )
    with pytest.raises(RuntimeError, match=arrived + ".*f5-tts and qwen3-tts-0.6b-base"):
        model.speech("Hello.", **whole)


@pytest.mark.parametrize("name", [*BELLE, *(f"whisper-{size}{end}" for size in WHISPERS for end in ("", "-mlx"))])
def test_xinference_s_names_are_launched_with_any_engine(xinference: RESTfulClient, name: str) -> None:
    number = len(name) % len(ENGINES)
    uid = xinference.launch_model(model_name=name, model_type="audio", model_engine=ENGINES[number])
    try:
        assert xinference.describe_model(uid)["model_name"] == name.lower().removesuffix("-mlx")
        assert xinference.get_model(uid).transcriptions(WAV)["text"] is not None
    finally:
        xinference.terminate_model(uid)


@pytest.mark.parametrize("engine", ["ONNX", "MLX2", "mlx-audio"])
def test_an_engine_that_xinference_does_not_have(xinference: RESTfulClient, server: Server, engine: str) -> None:
    says = (
        rf"there is no model_engine '{engine}'; known are MLX, PyTorch, transformers, vLLM, .*every model runs on MLX"
    )
    with pytest.raises(RuntimeError, match=says):
        xinference.launch_model(model_name="whisper-tiny", model_type="audio", model_engine=engine)
    assert not server.health()["models"]
