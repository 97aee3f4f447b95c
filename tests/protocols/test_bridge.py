"""Models of mlx-audio's families over HTTP: the owner admits a folder, and clients name it as they name any model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import openai
import pytest
from engines.mlx_audio.hearing_live import talk
from protocols.conftest import COMMAND, TESTS, Server, serve
from support.deepgram_listen import CLOSE, pieces, stream
from support.openai_audio import WAV
from support.scripted_conversation import tone

from speechmlx.audio import decode
from speechmlx.audio.pcm import to_pcm16

MAKE = """
import sys
from pathlib import Path
from support import tiny_bridge
names = "tts/pocket_tts stt/sensevoice stt/nemotron_asr stt/qwen3_asr stt/qwen3_forced_aligner vad/sortformer"
names += " sts/mel_roformer lid/ecapa_tdnn"
for name in names.split():
    tiny_bridge.write(name, Path(sys.argv[1]) / name.partition("/")[2])
"""


@dataclass(frozen=True)
class Bridged:
    server: Server
    home: Path
    """Where the folders of the tiny models are."""


@pytest.fixture(scope="module")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridged]:
    """A server with a synthesiser that was pulled before, and recognisers that flags name, one of live words."""
    home = tmp_path_factory.mktemp("bridged")
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "SPEECHMLX_CACHE": str(home / "cache")}
    subprocess.run([sys.executable, "-c", MAKE, str(home)], env=environment, check=True, timeout=100)
    for name in ("qwen3_asr", "pocket_tts"):
        pulled = subprocess.run(
            [COMMAND, "pull", str(home / name), "--json"], env=environment, capture_output=True, timeout=60
        )
        assert json.loads(pulled.stdout)[0]["model"] == f"local--{name.replace('_', '-')}", pulled.stderr
    away = "http://127.0.0.1:9"
    flags = ["--asr", str(home / "sensevoice"), "--listen", str(home / "nemotron_asr")]
    flags += ["--align", str(home / "qwen3_forced_aligner"), "--vad", "talking-vad", "--turn", "talking-turn"]
    flags += ["--diarize", str(home / "sortformer"), "--enhance", str(home / "mel_roformer")]
    flags += ["--lid", str(home / "ecapa_tdnn")]
    with serve(home / "server", *flags, SPEECHMLX_CACHE=str(home / "cache"), HF_ENDPOINT=away) as server:
        yield Bridged(server, home)


@pytest.fixture
def client(bridged: Bridged) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=f"{bridged.server.url}/v1", max_retries=0, timeout=100) as client:
        yield client


def say(client: openai.OpenAI, voice: str, text: str = "Hello world. Another test!") -> bytes:
    return client.audio.speech.create(model="local--pocket-tts", voice=voice, input=text, response_format="pcm").content


def test_a_pulled_folder_speaks(client: openai.OpenAI) -> None:
    voices = ("Freya", "odin")
    alone = [say(client, voice) for voice in voices]
    assert alone[0] != alone[1] and all(len(pcm) > 24000 for pcm in alone)
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda voice: say(client, voice), voices)) == alone
    with pytest.raises(openai.BadRequestError, match=r"no voice 'thor'; the voices are Freya, Odin"):
        say(client, "thor")


def test_a_folder_that_a_flag_names_hears(client: openai.OpenAI, bridged: Bridged) -> None:
    for name in ("whisper-1", "local--sensevoice", str(bridged.home / "sensevoice")):
        found = client.audio.transcriptions.create(
            model=name, file=("a.wav", WAV), language="en", extra_body={"vad_filter": False}
        )
        assert isinstance(found.text, str)


@pytest.mark.parametrize("model", ["", "&model=local--nemotron-asr"])
async def test_a_live_recogniser_on_a_live_wire(bridged: Bridged, model: str) -> None:
    """By `--listen`, and by the name that a client gives: words come while the sound does, each once, with its time."""
    sent: list[str | bytes] = [*pieces(tone(4.0, rate=16000)), CLOSE]
    query = f"encoding=linear16&sample_rate=16000&interim_results=true{model}"
    heard = await stream(bridged.server.url, query, sent)
    words = heard.words()
    assert words and heard.text() == " ".join(word["punctuated_word"] for word in words)
    assert all(0 <= word["start"] <= word["end"] <= 4.1 for word in words)
    assert all(before["end"] <= after["start"] for before, after in pairwise(words))
    assert any(not message["is_final"] for message in heard.of("Results"))
    again = await stream(bridged.server.url, query, sent)
    assert again.words() == words


async def test_speakers_on_a_live_wire(bridged: Bridged) -> None:
    """By `--diarize FOLDER`: each word has its speaker, those who speak in a second stream are numbered anew."""
    sent: list[str | bytes] = [*pieces(tone(4.0, rate=16000)), CLOSE]
    query = "encoding=linear16&sample_rate=16000&diarize=true"
    heard, again = [await stream(bridged.server.url, query, sent) for _ in range(2)]
    speakers = [word.get("speaker") for word in heard.words()]
    assert speakers and heard.code == 1000 and all(isinstance(speaker, int) for speaker in speakers)
    assert 0 in speakers and again.words() == heard.words()


def test_speakers_of_a_recording(client: openai.OpenAI) -> None:
    found = client.audio.transcriptions.create(
        model="whisper-1",
        file=("a.wav", WAV),
        language="en",
        response_format="diarized_json",
        extra_body={"vad_filter": False},
    )
    assert found.segments and all(segment.speaker for segment in found.segments)


async def test_a_recogniser_without_live_words_hears_whole_turns(bridged: Bridged) -> None:
    sent: list[str | bytes] = [*pieces(tone(2.0, rate=16000)), CLOSE]
    heard = await stream(bridged.server.url, "encoding=linear16&sample_rate=16000&model=local--sensevoice", sent)
    assert heard.code == 1000 and heard.finals()


def test_a_known_text_gets_times(client: openai.OpenAI) -> None:
    """By the field `text`; the name that the stock client must send means the default aligner."""
    for model in ("whisper-1", "local--qwen3-forced-aligner"):
        found = client.audio.transcriptions.create(
            model=model,
            file=("a.wav", WAV),
            language="en",
            response_format="verbose_json",
            extra_body={"text": "Well, hello there!"},
        )
        assert [word.word for word in found.words or ()] == ["Well,", "hello", "there!"]
        assert found.text == "Well, hello there!"
    for model, says in (("local--sensevoice", "is a asr model, not align"), ("nothing", "there is no model 'nothing'")):
        with pytest.raises(openai.NotFoundError, match=says):
            client.audio.transcriptions.create(model=model, file=("a.wav", WAV), extra_body={"text": "Hello"})
    with pytest.raises(openai.BadRequestError, match="no stream and no speakers"):
        client.audio.transcriptions.create(
            model="whisper-1", file=("a.wav", WAV), stream=True, extra_body={"text": "x"}
        )


def test_a_recogniser_without_times_has_them_of_the_aligner(client: openai.OpenAI) -> None:
    found = client.audio.transcriptions.create(
        model="local--qwen3-asr",
        file=("a.wav", WAV),
        language="en",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        extra_body={"vad_filter": False},
    )
    assert found.segments and any(letter.isalnum() for letter in found.text)
    assert found.words and "".join(word.word for word in found.words) in found.text.replace(" ", "")


async def test_turns_of_a_recogniser_without_times_have_them_of_the_aligner(bridged: Bridged) -> None:
    sent: list[str | bytes] = [*pieces(to_pcm16(talk(2.0))), CLOSE]
    heard = await stream(
        bridged.server.url, "encoding=linear16&sample_rate=16000&language=en&model=local--qwen3-asr", sent
    )
    words = heard.words()
    assert heard.code == 1000 and words
    assert all(0 <= word["start"] <= word["end"] <= 2.1 for word in words)


def test_a_family_that_enhances(bridged: Bridged) -> None:
    """By `--enhance FOLDER`, at the rate that its config.json says: as long as what it got."""
    with bridged.server.client() as http:
        whole, again = (http.post("/enhance", content=WAV, headers={"Content-Type": "audio/wav"}) for _ in range(2))
        named = http.post("/enhance?model=local--mel-roformer", content=WAV, headers={"Content-Type": "audio/wav"})
    assert whole.status_code == 200 and whole.content == again.content == named.content
    sound, rate = decode.decode(whole.content, 2000), 2000
    assert sound.duration == pytest.approx(decode.decode(WAV, rate).duration) and abs(sound.samples).max() > 0


def test_a_family_that_tells_the_language(bridged: Bridged) -> None:
    """By `--lid FOLDER`, where the language alone is asked."""
    with bridged.server.client() as http:
        answer = http.post("/detect-language", files={"audio_file": ("a.wav", WAV)}).json()
    assert answer["language_code"] in ("de", "en", "fr") and 1 / 3 < answer["confidence"] <= 1


def test_models_list_them(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"local--pocket-tts", "local--sensevoice"} <= listed.keys()


def test_a_request_admits_nothing(client: openai.OpenAI, bridged: Bridged) -> None:
    """Neither a repository nor a folder that the owner did not name."""
    for name in ("somebody/parakeet-tdt", str(bridged.home / "server"), "../../etc"):
        with pytest.raises(openai.NotFoundError, match="audio-server pull") as refused:
            client.audio.speech.create(model=name, voice="any", input="Hello.")
        assert refused.value.code == "model_not_found"
    assert sorted(path.stem for path in (bridged.home / "cache/bridged").iterdir()) == [
        "local--ecapa-tdnn",
        "local--mel-roformer",
        "local--nemotron-asr",
        "local--pocket-tts",
        "local--qwen3-asr",
        "local--qwen3-forced-aligner",
        "local--sensevoice",
        "local--sortformer",
    ]


def test_a_folder_is_not_pulled_over_the_network(bridged: Bridged) -> None:
    with bridged.server.client() as http:
        answer = http.post(f"/v1/models{bridged.home / 'sensevoice'}/pull")
        other = http.post(f"/v1/models/{bridged.home / 'server'}/pull")
    assert answer.status_code == 404 and other.status_code == 404


def test_a_client_may_pull_a_repository(bridged: Bridged) -> None:
    """It is asked for at the hub, which is away here; a key needs the scope `manage` for it."""
    with bridged.server.client() as http:
        answer = http.post("/v1/models/somebody/parakeet-tdt/pull")
    assert answer.status_code == 502
    assert "127.0.0.1:9 cannot be asked for somebody/parakeet-tdt" in answer.json()["error"]["message"]
