"""Xinference's client and CosyVoice, with small weights: its documented calls, and what the arguments do."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import soundfile
from numpy.typing import NDArray
from protocols.conftest import TESTS, Server, serve
from support.openai_audio import WAV
from xinference_client import RESTfulClient

TEXT = "Hi you"
Client = Any


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("cosyvoice")
    environment = {
        "SPEECHMLX_CATALOG": "support.cosyvoice_row:extend",
        "SPEECHMLX_CACHE": str(home / "cache"),
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }
    with serve(home / "server", scripted=False, **environment) as server:
        yield server


@pytest.fixture(scope="module")
def models(tiny: Server) -> Iterator[tuple[Client, Client]]:
    """CosyVoice 2 and 3, launched."""
    with closing(RESTfulClient(tiny.url)) as client:
        names = ("CosyVoice2-0.5B", "Fun-CosyVoice3-0.5B-2512")
        second, third = (client.get_model(client.launch_model(name, model_type="audio")) for name in names)
        yield second, third


def test_each_argument_acts(models: tuple[Client, Client]) -> None:
    """A speaker, a recording, its text, an instruction and a seed: each gives another sound, and the same one again."""
    asked: list[dict[str, Any]] = [
        {},
        {"voice": "英文女"},
        {"prompt_speech": WAV},
        {"prompt_speech": WAV, "prompt_text": "What is said"},
        {"prompt_speech": WAV, "instruct_text": "Calmly"},
        {"seed": 7},
    ]
    found = [models[0].speech(TEXT, response_format="wav", **arguments) for arguments in asked]
    assert len(set(found)) == len(found) and all(sound[:4] == b"RIFF" for sound in found)
    assert models[0].speech(TEXT, response_format="wav", **asked[3]) == found[3]
    assert models[0].speech(TEXT, response_format="wav", voice="中文女") == found[0]


def test_a_stream(models: tuple[Client, Client]) -> None:
    chunks = list(models[0].speech(TEXT, voice="英文女", stream=True))
    assert chunks and len(b"".join(chunks)) > 500


def test_pauses_and_speed_act(tiny: Server, models: tuple[Client, Client]) -> None:
    """A pause is silence; speed counts in a stream as in the whole."""
    plain, halves = sound(models[0].speech("Hi. You", response_format="wav")), []
    paused = sound(models[0].speech("Hi [pause:1s] you", response_format="wav"))
    assert longest_silence(paused) >= 24_000 > longest_silence(plain)
    assert (paused == 0).sum() >= 24_000
    for stream in (False, True):
        found = models[0].speech(TEXT, response_format="pcm", speed=2.0, stream=stream)
        halves.append(b"".join(found) if stream else found)
    whole = models[0].speech(TEXT, response_format="pcm")
    assert halves[0] == halves[1] and len(halves[0]) == pytest.approx(len(whole) / 2, abs=2 * 480)


def sound(wav: bytes) -> NDArray[np.int16]:
    samples: NDArray[np.int16] = soundfile.read(io.BytesIO(wav), dtype="int16")[0]
    return samples


def longest_silence(samples: NDArray[np.int16]) -> int:
    """Samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], samples != 0, [1]]).astype(int)))
    return int(np.diff(edges)[::2].max(initial=0))


def test_the_name_of_the_reference_server_is_the_third(tiny: Server) -> None:
    """It imitates a recording, which these clients cannot send: they are told, and `cosyvoice2` has voices."""
    refused = httpx.post(f"{tiny.url}/speak", json={"text": TEXT, "engine": "cosyvoice"}, timeout=60)
    assert refused.status_code == 400 and "it imitates one: give a recording" in refused.text
    spoken = httpx.post(f"{tiny.url}/speak", json={"text": TEXT, "engine": "cosyvoice2"}, timeout=60)
    assert spoken.status_code == 200 and spoken.content[:4] == b"RIFF"


def test_a_recording_is_what_the_third_needs(models: tuple[Client, Client]) -> None:
    assert models[1].speech(TEXT, prompt_speech=WAV, response_format="wav")[:4] == b"RIFF"
    with pytest.raises(RuntimeError, match=r"it imitates one: give a recording of a person \(prompt_speech\)"):
        models[1].speech(TEXT)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"voice": "echo"}, "no voice 'echo'; the voices are 中文女, 中文男"),
        ({"prompt_text": "said"}, "'prompt_text' goes with a recording"),
        ({"speaker_wav": 1}, "CosyVoice 2 has no option speaker_wav; its options are seed, prompt_speech"),
    ],
)
def test_what_is_refused(models: tuple[Client, Client], arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(RuntimeError, match=says):
        models[0].speech(TEXT, **arguments)


@pytest.fixture(scope="module")
def firsts(tiny: Server) -> Iterator[tuple[Client, Client, Client]]:
    """CosyVoice-300M, -SFT and -Instruct, launched."""
    with closing(RESTfulClient(tiny.url)) as client:
        names = ("CosyVoice-300M", "CosyVoice-300M-SFT", "CosyVoice-300M-Instruct")
        plain, sft, instruct = (client.get_model(client.launch_model(name, model_type="audio")) for name in names)
        yield plain, sft, instruct


VOICES = ["中文女", "中文男", "日语男", "粤语女", "英文女", "英文男", "韩语女"]


def test_a_speaker_of_the_first(tiny: Server, firsts: tuple[Client, Client, Client]) -> None:
    """As documented, by Xinference's client and by OpenAI's: seven voices, each another sound."""
    found = [firsts[1].speech(input="Hi", voice=voice, response_format="wav") for voice in VOICES]
    assert len(set(found)) == 7 and all(sound[:4] == b"RIFF" for sound in found)
    assert firsts[1].speech(input="Hi", response_format="wav") == found[0]
    assert len(firsts[1].speech(input="Hi", voice="中文女")) > 500
    with openai.OpenAI(api_key="cannot be empty", base_url=f"{tiny.url}/v1", max_retries=0) as client:
        made = client.audio.speech.create(
            model="CosyVoice-300M-SFT", input="Hi", voice=VOICES[4], response_format="wav"
        )
        assert made.content[44:] == found[4][44:]  # the header of a stream does not tell its length


def test_the_first_clones_and_speaks_across_languages(firsts: tuple[Client, Client, Client]) -> None:
    zero_shot_prompt_text = ""
    cloned = firsts[0].speech("Hi you", prompt_text=zero_shot_prompt_text, prompt_speech=WAV, response_format="wav")
    crossed = firsts[0].speech("Hi you", prompt_speech=WAV, response_format="wav")
    told = firsts[0].speech("Hi you", prompt_text="What is said", prompt_speech=WAV, response_format="wav")
    assert cloned == crossed != told
    assert b"".join(firsts[0].speech("Hi you", prompt_speech=WAV, stream=True))


def test_an_instruction_for_the_first(firsts: tuple[Client, Client, Client]) -> None:
    text = "在面对挑战时，他展现了非凡的<strong>勇气</strong>与<strong>智慧</strong>。"
    told = firsts[2].speech(
        text,
        voice="中文男",
        instruct_text="Theo 'Crimson', is a fiery, passionate rebel leader. "
        "Fights with fervor for justice, but struggles with impulsiveness.",
        response_format="wav",
    )
    assert told[:4] == b"RIFF" and told != firsts[2].speech(text, voice="中文男", response_format="wav")


@pytest.mark.parametrize(
    ("model", "arguments", "says"),
    [
        (0, {}, r"it imitates one: give a recording of a person \(prompt_speech\)"),
        (0, {"voice": "中文女"}, r"it imitates one: give a recording of a person \(prompt_speech\)"),
        (
            0,
            {"prompt_speech": WAV, "instruct_text": "Calm"},
            "CosyVoice-300M follows no instruction: leave instruct_text",
        ),
        (1, {"prompt_speech": WAV}, "'prompt_speech' is a recording, and this model imitates none: .* 中文女, 中文男"),
        (1, {"prompt_text": "said"}, "'prompt_text' goes with a recording"),
        (1, {"instruct_text": "Calm"}, "SFT follows no instruction: leave instruct_text out, or use CosyVoice-300M-I"),
        (1, {"voice": "echo"}, "no voice 'echo'; the voices are 中文女, 中文男"),
        (
            2,
            {"prompt_speech": WAV, "instruct_text": "Calm"},
            "'prompt_speech' is a recording, and this model imitates n",
        ),
    ],
)
def test_what_the_first_refuse(
    firsts: tuple[Client, Client, Client], model: int, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(RuntimeError, match=says):
        firsts[model].speech("Hi", **arguments)


def test_a_pause_of_the_first(firsts: tuple[Client, Client, Client]) -> None:
    paused = sound(firsts[1].speech("Hi [pause:1s] you", response_format="wav"))
    assert longest_silence(paused) >= 22_050 > longest_silence(sound(firsts[1].speech("Hi", response_format="wav")))
