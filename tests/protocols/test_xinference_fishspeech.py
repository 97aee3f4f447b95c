"""FishSpeech as Xinference's documentation calls it, through its client, with a tiny model in the row's place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import openai
import pytest
from protocols.conftest import Server, serve
from support.tiny_fishspeech import recording, write_files
from xinference_client import RESTfulClient

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import from_pcm16, to_pcm16

TEXT = "hello the text."
SAID = "What I said."
SOUND = wav_header(44_100, 50_000) + to_pcm16(recording(50_000))
SHORT = {"max_new_tokens": 8}
FRAME = 2048


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("fish")
    files = write_files(home / "files")
    with serve(
        home / "server", SPEECHMLX_CATALOG="support.tiny_fishspeech:extend", FISHSPEECH_FILES=str(files)
    ) as server:
        yield server


def test_xinference_s_calls(xinference: RESTfulClient) -> None:
    uid = xinference.launch_model(model_name="FishSpeech-1.5", model_type="audio")
    model = xinference.get_model(uid)

    def speech(**fields: object) -> np.ndarray:
        return samples(model.speech(TEXT, response_format="wav", **{**SHORT, **fields}))

    plain = speech()
    assert len(plain) == 7 * FRAME and plain.any()
    cloned = speech(prompt_speech=SOUND, prompt_text=SAID)
    assert np.array_equal(cloned, speech(prompt_speech=SOUND, reference_text=SAID))
    assert not np.array_equal(cloned, plain)
    assert not np.array_equal(cloned, speech(prompt_speech=SOUND, prompt_text="Other words."))
    assert not np.array_equal(cloned, speech(prompt_speech=SOUND))
    for changed in ({"seed": 2}, {"temperature": 0.1}, {"top_p": 0.1}, {"repetition_penalty": 1.9}):
        assert not np.array_equal(plain, speech(**changed)), changed
    assert len(speech(max_new_tokens=3)) == 3 * FRAME
    assert np.array_equal(plain, speech(voice="echo")), "a voice of others"
    assert np.array_equal(plain, speech(voice="somebody")), "a voice that nobody has stored"
    with pytest.raises(RuntimeError, match="its options are temperature"):
        speech(steps=2)
    streamed = model.speech(TEXT, stream=True, response_format="wav", **SHORT)
    assert np.array_equal(plain, samples(b"".join(streamed)))
    xinference.terminate_model(uid)


def test_a_long_text_is_said_in_pieces(xinference: RESTfulClient) -> None:
    model = xinference.get_model(xinference.launch_model(model_name="FishSpeech-1.5", model_type="audio"))
    settings = {"max_new_tokens": 2, "response_format": "wav"}
    text = "hello the text. Hello there. What is it?"
    assert len(samples(model.speech(text, **settings))) == 2 * FRAME
    assert len(samples(model.speech(text, chunk_length=20, **settings))) == 3 * 2 * FRAME


def test_a_stored_voice_is_named(server: Server, xinference: RESTfulClient) -> None:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0, timeout=60) as client:
        client.audio.voices.create(
            name="mine", audio_sample=("mine.wav", SOUND), consent="It is mine.", extra_body={"text": SAID}
        )
    model = xinference.get_model(xinference.launch_model(model_name="FishSpeech-1.5", model_type="audio"))
    by_name = samples(model.speech(TEXT, voice="mine", response_format="wav", **SHORT))
    assert len(by_name) and not np.array_equal(by_name, samples(model.speech(TEXT, response_format="wav", **SHORT)))


def samples(wav: bytes) -> np.ndarray:
    assert int.from_bytes(wav[24:28], "little") == 44_100
    return from_pcm16(wav[44:])
