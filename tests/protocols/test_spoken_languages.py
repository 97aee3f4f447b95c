"""A server that was told which languages people speak: recognisers of mlx-audio's families are its defaults."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import openai
import pytest
from engines.mlx_audio.hearing_live import talk
from protocols.conftest import TESTS, Server, serve
from support.deepgram_listen import CLOSE, pieces, stream
from support.openai_audio import WAV
from support.scripted_conversation import tone
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

HEARS, LISTENS = "parakeet-tdt-0.6b-v3", "nemotron-3.5-asr-streaming-0.6b"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """English and German choose the rows of the catalog, whose weights here are tiny."""
    home = tmp_path_factory.mktemp("spoken")
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-m", "support.tiny_recognisers", str(home / "tiny")]
    subprocess.run(command, env=environment, check=True, timeout=100)
    flags = ("--profile", "standard", "--languages", "en,German", "--vad", "talking-vad", "--turn", "talking-turn")
    with serve(
        home / "server",
        *flags,
        "--wyoming",
        "0",
        SPEECHMLX_CATALOG="support.tiny_recognisers:extend",
        TINY_RECOGNISERS=str(home / "tiny"),
        HF_ENDPOINT="http://127.0.0.1:9",
    ) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0, timeout=100) as client:
        yield client


def test_the_choice_is_shown(server: Server) -> None:
    assert f"Languages: en, de, so {HEARS}, {LISTENS} for live words\n" in server.log.read_text()
    with server.client() as http:
        models = http.get("/v1/models").json()["data"]
    recordings, live = ([row["id"] for row in models if row[field]] for field in ("default", "default_live"))
    assert HEARS in recordings and live == [LISTENS]
    assert not [name for name in (*recordings, *live) if name.startswith("whisper")]


@pytest.mark.parametrize("name", ["whisper-1", "gpt-4o-transcribe", HEARS])
def test_names_of_openai_mean_it(client: openai.OpenAI, name: str) -> None:
    found = client.audio.transcriptions.create(
        model=name,
        file=("a.wav", WAV),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        extra_body={"vad_filter": False},
    )
    assert found.words and all(word.start <= word.end for word in found.words)


@pytest.mark.parametrize("name", ["whisper-1", LISTENS])
def test_a_translation_names_the_models_that_translate(server: Server, name: str) -> None:
    with server.client() as http:
        answer = http.post("/v1/audio/translations", data={"model": name}, files={"file": ("a.wav", WAV)})
    assert answer.status_code == 400
    text = answer.json()["error"]["message"]
    assert f"{LISTENS if name == LISTENS else HEARS} writes what is said and does not translate" in text
    assert re.search(r"name a model that does: .*whisper-base.*whisper-small", text)


def test_a_language_that_was_not_named(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAV), language="ja")
    text = str(refused.value)
    assert f"language 'ja' is not known to {HEARS}" in text
    assert "qwen3-asr-1.7b-8bit knows it: name it as the model, or set languages to en,de,ja" in text


def test_the_language_of_a_recording_is_not_told(server: Server) -> None:
    with server.client() as http:
        answer = http.post("/detect-language", files={"audio_file": ("a.wav", WAV)})
    assert answer.status_code == 400
    assert f"{HEARS} does not tell which language it hears" in answer.json()["error"] and "--lid" in answer.text


async def test_live_words_come_from_the_one_that_streams(server: Server) -> None:
    sent: list[str | bytes] = [*pieces(tone(4.0, rate=16000)), CLOSE]
    heard = await stream(server.url, "encoding=linear16&sample_rate=16000&interim_results=true", sent)
    words = heard.words()
    assert heard.code == 1000 and words
    assert all(before["end"] <= after["start"] for before, after in pairwise(words))
    assert any(not message["is_final"] for message in heard.of("Results"))
    with server.client() as http:
        assert LISTENS in {model["name"] for model in http.get("/health").json()["models"]}


async def test_home_assistant_sees_its_languages_first(server: Server) -> None:
    async with AsyncClient.from_uri(server.wyoming) as client:
        await client.write_event(Describe().event())
        event = await client.read_event()
    assert event is not None
    model = Info.from_event(event).asr[0].models[0]
    assert model.name == HEARS and model.installed and {"de", "en", "el"} <= set(model.languages)


def test_words_that_nobody_times(client: openai.OpenAI, server: Server) -> None:
    """Qwen3-ASR's, without its aligner: refused where they were asked for, stretches where a wire always has words."""
    model, sound = "qwen3-asr-1.7b-8bit", wav_header(16000, 32000) + to_pcm16(talk(2.0))
    with pytest.raises(openai.BadRequestError, match=r"no times of words.*: name a model that tells them"):
        client.audio.transcriptions.create(
            model=model, file=("a.wav", sound), response_format="verbose_json", timestamp_granularities=["word"]
        )
    with server.client() as http:
        found = http.post("/v1/listen", params={"model": model}, content=sound).json()
        fields = {"model": model, "language": "en", "response_format": "verbose_json"}
        verbose = http.post("/inference", data=fields, files={"file": ("a.wav", sound)}).json()
    (only,) = found["results"]["channels"][0]["alternatives"]
    assert only["transcript"] and "".join(word["punctuated_word"] for word in only["words"]) == only["transcript"]
    assert all(0 <= word["start"] < word["end"] <= 2.1 for word in only["words"])
    (segment,) = verbose["segments"]
    assert [word["word"] for word in segment["words"]] == [segment["text"]]
