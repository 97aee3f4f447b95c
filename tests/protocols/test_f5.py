"""F5-TTS as clients of Xinference and OpenAI ask for it: the rows as they are, with a small model in their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from protocols.conftest import Server, serve
from support.f5_model import recording, write_model
from xinference_client import RESTfulClient

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import from_pcm16, to_pcm16

TEXT = "Others call me mother nature."
SAID = "Some call me nature."
SOUND = wav_header(24_000, 19_200) + to_pcm16(recording())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("f5")
    write_model(home)
    with serve(home / "server", SPEECHMLX_CATALOG="support.f5_model:extend", F5_FILES=str(home)) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "engine", "row"),
    [
        ("F5-TTS", None, "f5-tts"),
        ("F5-TTS", "PyTorch", "f5-tts"),
        ("F5-TTS", "MLX", "f5-tts"),
        ("F5-TTS-MLX", None, "f5-tts-mlx"),
        ("F5-TTS-MLX", "mlx", "f5-tts-mlx"),
    ],
)
def test_a_name_of_xinference_says_which_model_runs(
    xinference: RESTfulClient, server: Server, name: str, engine: str | None, row: str
) -> None:
    """Whatever the engine. In Xinference, the second name is that of the first with the engine MLX."""
    uid = xinference.launch_model(model_name=name, model_type="audio", model_engine=engine)
    try:
        assert uid == name and xinference.describe_model(uid)["model_name"] == row
        loaded: Any = server.health()["models"]
        assert [model["name"] for model in loaded] == [row]
    finally:
        xinference.terminate_model(uid)


@pytest.mark.parametrize("name", ["F5-TTS", "F5-TTS-MLX"])
def test_xinference_s_calls(xinference: RESTfulClient, name: str) -> None:
    uid = xinference.launch_model(model_name=name, model_type="audio")
    model = xinference.get_model(uid)

    def speech(**fields: object) -> np.ndarray:
        settings = {"prompt_speech": SOUND, "prompt_text": SAID, "steps": 2, **fields}
        return from_pcm16(model.speech(TEXT, response_format="pcm", **settings))

    first = speech(seed=1)
    assert len(first) > 12_000 and first.any()
    assert np.array_equal(first, speech(seed=1))
    assert not np.array_equal(first, speech(seed=2))
    for changed in ({"cfg_strength": 0}, {"sway_sampling_coef": 0.5}, {"method": "midpoint"}, {"steps": 3}):
        assert len(speech(seed=1, **changed)) == len(first) and not np.array_equal(first, speech(seed=1, **changed))
    assert len(speech(speed=0.5)) > 1.8 * len(first)
    assert model.speech(TEXT, voice="echo", response_format="pcm", steps=1), "a preset of others is the default voice"
    with pytest.raises(RuntimeError, match="must know what is said in the recording"):
        speech(prompt_text=None)
    with pytest.raises(RuntimeError, match="its options are steps"):
        speech(temperature=0.5)
    xinference.terminate_model(uid)


def test_its_own_voices_are_listed_and_spoken(server: Server) -> None:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0, timeout=60) as client:
        for voice in ("basic_en", "basic_zh"):
            answer = client.audio.speech.create(
                model="f5-tts", voice=voice, input="I hear.", response_format="pcm", extra_body={"kwargs": {"steps": 1}}
            )
            assert len(answer.content) > 10_000
        with pytest.raises(openai.BadRequestError, match="basic_en, basic_zh"):
            client.audio.speech.create(model="f5-tts", voice="nobody", input="I hear.")
        with pytest.raises(openai.BadRequestError, match="speaks en and zh, not 'de'"):
            client.audio.speech.create(model="f5-tts", voice="basic_en", input="Hallo.", extra_body={"language": "de"})
