"""Paraformer and SenseVoice, as clients of Xinference and OpenAI ask: tiny networks behind the real FSMN-VAD."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from protocols.conftest import Server, serve
from support import clips
from support.funasr_models import paraformer_files, punctuation_files, sensevoice_files
from xinference_client import RESTfulClient

JFK = [(0.04, 2.3), (3.02, 4.61), (5.12, 10.98)]
"""Segments of the clip, as FSMN-VAD finds them."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_folder: Callable[[str], Path]) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("funasr")
    for write in (paraformer_files, punctuation_files, sensevoice_files):
        write(home / write.__name__)
    (home / "vad").symlink_to(model_folder("fsmn-vad"))
    extend = "support.funasr_models:extend"
    with serve(home / "server", SPEECHMLX_CATALOG=extend, FUNASR_FILES=str(home), NO_PROXY="127.0.0.1") as server:
        yield server


@pytest.mark.parametrize("name", ["paraformer-zh", "SenseVoiceSmall"])
def test_xinference_s_calls(xinference: RESTfulClient, name: str) -> None:
    uid = xinference.launch_model(model_name=name, model_type="audio")
    model = xinference.get_model(uid)
    sound = clips.path("jfk").read_bytes()
    assert model.transcriptions(sound)["text"]
    verbose = model.transcriptions(
        sound, language="en", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert verbose["language"] in ("en", "english") and verbose["words"]
    spans = [(round(one["start"], 2), round(one["end"], 2)) for one in verbose["segments"]]
    assert spans == (JFK if name == "paraformer-zh" else [(JFK[0][0], JFK[-1][1])])
    with pytest.raises(RuntimeError, match="does not translate"):
        model.translations(sound)
    xinference.terminate_model(uid)


def test_what_the_models_cannot_do_is_said(server: Server) -> None:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0, timeout=60) as client:
        for name, allowed in (("paraformer-zh", "zh, en"), ("sensevoice-small", "zh, en, yue, ja, ko")):
            with clips.path("beckett").open("rb") as sound, pytest.raises(openai.BadRequestError, match=allowed):
                client.audio.transcriptions.create(model=name, file=sound, language="de")
