"""MeloTTS as clients of Xinference and OpenAI ask for it: the rows as they are, with a small model in their place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import openai
import pytest
from engines.melotts.test_engine import SYMBOLS, VOCABULARY
from protocols.conftest import Server, serve
from support.melo_model import write_files
from xinference_client import RESTfulClient

from speechmlx.audio.pcm import from_pcm16

TEXT = "Hello there, I hear."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("melotts")
    write_files(home / "small", SYMBOLS, VOCABULARY)
    files = str(home / "small")
    with serve(home / "server", SPEECHMLX_CATALOG="support.melo_model:extend", MELO_FILES=files) as server:
        yield server


@pytest.mark.parametrize("name", ["MeloTTS-English", "MeloTTS-English-v2"])
def test_xinference_s_calls(xinference: RESTfulClient, name: str) -> None:
    uid = xinference.launch_model(model_name=name, model_type="audio")
    model = xinference.get_model(uid)

    def speech(**fields: object) -> np.ndarray:
        return from_pcm16(model.speech(TEXT, response_format="pcm", **fields))

    plain = speech(voice="")
    assert len(plain) > 1000 and np.array_equal(plain, speech(voice="EN-US"))
    assert np.array_equal(plain, speech(voice="echo")), "a preset of others is the default voice"
    assert not np.array_equal(plain, speech(voice="EN_INDIA"))
    assert len(speech(voice="EN-BR", speed=0.25)) > 2 * len(plain)
    for changed in ({"sdp_ratio": 1}, {"noise_scale": 2}, {"seed": 3}):
        other = speech(voice="EN-US", **changed)
        assert len(other) != len(plain) or not np.array_equal(other, plain)
    streamed = b"".join(model.speech(TEXT, voice="EN-US", response_format="pcm", stream=True))
    assert np.array_equal(from_pcm16(streamed), plain)
    with pytest.raises(RuntimeError, match="the voices are en_us, en_br, en_india, en_au, en_default"):
        speech(voice="nobody")
    with pytest.raises(RuntimeError, match="its options are sdp_ratio"):
        speech(voice="EN-US", temperature=0.5)
    xinference.terminate_model(uid)


def test_a_language_that_it_has_no_reader_for_is_told(xinference: RESTfulClient) -> None:
    with pytest.raises(RuntimeError, match="no reader of Korean for it; cosyvoice2"):
        xinference.launch_model(model_name="MeloTTS-Korean", model_type="audio")


def test_openai_s_calls(server: Server) -> None:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0, timeout=60) as client:
        answer = client.audio.speech.create(
            model="melotts-english", voice="en_br", input=TEXT, response_format="pcm",
            extra_body={"kwargs": {"noise_scale": 0.1}},
        )  # fmt: skip
        assert len(answer.content) > 2000
        with pytest.raises(openai.BadRequestError, match="speaks english, not 'de'"):
            client.audio.speech.create(model="melotts", voice="", input="Hallo.", extra_body={"language": "de"})
        with pytest.raises(openai.BadRequestError, match="no reader of Korean for it; cosyvoice2"):
            client.audio.speech.create(model="MeloTTS-Korean", voice="", input="Hello.")
