"""Stored voices: OpenAI's own client stores them, and every wire speaks with them, on a model that imitates."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from protocols.conftest import COMMAND, TESTS, Server, serve
from support.realtime_client import talk
from support.scripted_conversation import MODELS, tone
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info
from wyoming.tts import Synthesize, SynthesizeVoice
from xinference_client import RESTfulClient

from speechmlx import Speech
from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

MAKE = """
import sys
from pathlib import Path
from support import tiny_bridge
tiny_bridge.write("tts/pocket_tts", Path(sys.argv[1]) / "pocket_tts")
"""
TEXT = "Hello world."
CONSENT = "Ann agreed to this on 3 May 2026."


def recording(seconds: float = 1.2, seed: int = 1, rate: int = 16000) -> bytes:
    """A WAV file with noise, which the tiny model takes for a voice."""
    sound = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))
    pcm = to_pcm16(sound.astype(np.float32))
    return wav_header(rate, len(pcm) // 2) + pcm


def make_imitator(home: Path) -> Path:
    """The folder of a tiny model that imitates. It is made in a process of its own, which may import MLX."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    subprocess.run([sys.executable, "-c", MAKE, str(home)], env=environment, check=True, timeout=100)
    return home / "pocket_tts"


@dataclass(frozen=True)
class Imitating:
    server: Server
    home: Path
    models: str
    """The value of SPEECHMLX_MODELS."""


@pytest.fixture(scope="module")
def imitating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imitating]:
    """A server whose default synthesiser imitates recordings; what hears and writes has scripted engines."""
    home = tmp_path_factory.mktemp("imitating")
    models = MODELS.replace("tts=talking-tts", f"tts={make_imitator(home)}")
    flags = ("--wyoming", "0")
    with serve(home / "server", *flags, SPEECHMLX_MODELS=models, SPEECHMLX_VOICES="boss=Ann,odd=nobody") as server:
        yield Imitating(server, home, models)


@pytest.fixture(scope="module")
def client(imitating: Imitating) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=f"{imitating.server.url}/v1", max_retries=0, timeout=100) as client:
        yield client


@pytest.fixture(scope="module")
def ann(client: openai.OpenAI) -> Any:
    """Ann's voice, which is stored with OpenAI's own client."""
    return client.audio.voices.create(
        name="Ann", audio_sample=("ann.wav", recording()), consent=CONSENT, extra_body={"text": "Hello."}
    )


def say(client: openai.OpenAI, voice: Any, text: str = TEXT) -> bytes:
    return client.audio.speech.create(model="tts-1", voice=voice, input=text, response_format="pcm").content


def test_every_wire_speaks_with_a_stored_voice(imitating: Imitating, client: openai.OpenAI, ann: Any) -> None:
    whole = say(client, "Ann")
    assert len(whole) > 4800 and whole != say(client, "Freya")
    for voice in ("ann", " ANN ", {"id": ann.id}, ann.id, "boss"):
        assert say(client, voice) == whole
    with imitating.server.client() as http:
        spoken = http.post("/speak", json={"text": TEXT, "voice": "Ann"})
        assert spoken.status_code == 200 and spoken.content[44:] == whole
        query = {"model": "Ann", "encoding": "linear16", "container": "none", "sample_rate": "24000"}
        assert http.post("/v1/speak", params=query, json={"text": TEXT}).content == whole
        question = wav_header(16000, 6400) + tone(0.4, rate=16000)
        answers = [http.post("/respond", params={"voice": voice}, content=question) for voice in ("Ann", "Freya")]
        assert [answer.status_code for answer in answers] == [200, 200] and answers[0].content != answers[1].content
    command = [str(COMMAND), "speak", TEXT, "-o", "-", "--voice", "Ann", "--server", imitating.server.url]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert whole in done.stdout, done.stderr


async def test_live_wires_speak_with_a_stored_voice(imitating: Imitating, client: openai.OpenAI, ann: Any) -> None:
    whole = await asyncio.to_thread(say, client, "Ann")
    async with asyncio.timeout(60), AsyncClient.from_uri(imitating.server.wyoming) as home:
        await home.write_event(Synthesize(TEXT, SynthesizeVoice(name="Ann")).event())
        sound = b""
        while (event := await home.read_event()) is not None and event.type != "audio-stop":
            sound += event.payload or b""
        assert len(sound) > 4000 and sound.rstrip(b"\0") in whole
        await home.write_event(Describe().event())
        while (event := await home.read_event()) is not None and not Info.is_type(event.type):
            pass
        assert event is not None
        voices = {voice.name: voice.installed for tts in Info.from_event(event).tts for voice in tts.voices}
        assert voices["Ann"] and "Freya" in voices
    output = {"output": {"voice": "Ann"}, "input": {"turn_detection": None}}
    async with asyncio.timeout(60), talk(imitating.server.url, audio=output) as ws:
        await ws.say(f"say {TEXT}")
        await ws.send("response.create")
        await ws.until("response.done")
        assert len(ws.audio()) > 4000 and ws.audio().rstrip(b"\0") in whole


def test_python_speaks_with_a_stored_voice(
    imitating: Imitating, client: openai.OpenAI, ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = imitating.home / "server"
    monkeypatch.setenv("SPEECHMLX_CATALOG", "support.scripted:extend")
    with Speech(
        cache=folder / "cache", voice_folder=folder / "voices", tts=str(imitating.home / "pocket_tts")
    ) as speech:
        assert to_pcm16(speech.speak(TEXT, voice="Ann").result.samples) == say(client, "Ann")


def test_it_is_listed_and_told_and_private(imitating: Imitating, client: openai.OpenAI, ann: Any) -> None:
    with imitating.server.client() as http:
        listed = http.get("/v1/audio/voices").json()
        kokoro = http.get("/v1/audio/voices", params={"model": "kokoro"}).json()
        told = http.get("/v1/audio/voices/ANN").json()
    assert (told["id"], told["name"], told["object"], told["type"]) == (ann.id, "Ann", "audio.voice", "audio_sample")
    assert told["duration"] == pytest.approx(1.2, abs=0.01) and "consent" not in told and "text" not in told
    mine = [voice for voice in listed["voices"] if voice["id"] == ann.id]
    assert mine == [told | {"model": "local--pocket-tts", "language": None, "usable": True}]
    assert {voice["id"]: voice.get("same_as") for voice in listed["voices"]}.items() >= {
        "Freya": None,
        "boss": "Ann",
    }.items()
    assert ann.id not in {voice["id"] for voice in kokoro["voices"]} and kokoro["stored"] == listed["stored"] == [told]
    folder = imitating.home / "server/voices"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*")) if path.is_dir()}
    assert modes == {0o700} and {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*.*")} == {0o600}
    record = json.loads((folder / ann.id / "record.json").read_bytes())
    assert (record["consent"], record["text"]) == (CONSENT, "Hello.")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/v1/audio/speech", {"model": "kokoro", "input": "Hi.", "voice": "Ann"}, "voices: af_alloy, "),
        (
            "/speak",
            {"model": "kokoro", "text": "Hi.", "voice": "Ann"},
            "'Ann' is a recording, and this model imitates none",
        ),
        ("/v1/audio/speech", {"input": "Hi.", "voice": "Bob"}, "no voice 'Bob'; the voices are Freya, Odin"),
        ("/v1/audio/speech", {"input": "Hi.", "voice": "odd"}, "no voice 'nobody'; the voices are Freya, Odin"),
        ("/v1/audio/speech", {"input": "Hi.", "prompt_text": "Hi."}, "'prompt_text' goes with a recording: send that"),
        ("/v1/audio/speech", {"input": "Hi. [pause:11s]"}, "[pause:11s] is too long: a pause has 10 s at most"),
    ],
)
def test_a_voice_of_another_model_is_an_error_that_lists_the_right_ones(
    imitating: Imitating, ann: Any, path: str, body: dict[str, Any], says: str
) -> None:
    with imitating.server.client() as http:
        answer = http.post(path, json=body)
    assert answer.status_code == 400 and says in answer.text


def test_a_recording_for_one_request_alone(imitating: Imitating, client: openai.OpenAI, monkeypatch: Any) -> None:
    """As Xinference's own client sends it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    before = set((imitating.home / "server/voices").rglob("*"))
    with closing(RESTfulClient(imitating.server.url)) as xinference:
        model = xinference.get_model("local--pocket-tts")
        given: dict[str, Any] = {"prompt_text": "Hello.", "response_format": "pcm"}
        sounds = [model.speech(TEXT, prompt_speech=recording(seed=seed), **given) for seed in (1, 1, 3)]
        with pytest.raises(RuntimeError, match="'prompt_speech' is a recording, and this model imitates none: choose"):
            xinference.get_model("kokoro-82m").speech(TEXT, prompt_speech=recording(), **given)
    assert sounds[0] == sounds[1] != sounds[2] and sounds[0] != say(client, "Freya")
    assert set((imitating.home / "server/voices").rglob("*")) == before


def form(**fields: Any) -> dict[str, Any]:
    """A form that stores a voice; None leaves a field out."""
    whole = {"name": "Bob", "consent": CONSENT, "audio_sample": recording()} | fields
    files = {name: (f"{name}.wav", value) for name, value in whole.items() if isinstance(value, bytes)}
    return {"data": {name: value for name, value in whole.items() if isinstance(value, str)}, "files": files}


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"name": None}, 400, "missing 'name': what the voice is called"),
        (
            {"consent": None},
            400,
            "missing 'consent': the id of a recording of it (POST /v1/audio/voice_consents), or a",
        ),
        ({"consent": "cons_1"}, 404, "no consent 'cons_1'; stored are: none"),
        ({"audio_sample": None}, 400, "missing 'audio_sample': the recording, as a file of a multipart form"),
        ({"audio_sample": b"\0no sound\0" * 9}, 415, "allowed: WAV"),
        ({"audio_sample": recording(0.5)}, 400, "the recording is too short: 1 to 60 s of one person who speaks"),
        ({"audio_sample": recording(61)}, 400, "the recording is too long: 1 to 60 s"),
        ({"audio_sample": wav_header(16000, 32000) + bytes(64000)}, 400, "the recording is silent"),
        ({"name": "ann"}, 400, "there is a voice 'ann': delete it first, or take another name"),
        ({"name": "../Bob"}, 400, "a voice cannot be called '../Bob': a name has 1 to 64 letters"),
        ({"name": "af_heart"}, 400, "'af_heart' is a voice of kokoro-82m already: take another name"),
        ({"name": "boss"}, 400, "'boss' is a voice of "),
        ({"type": "prompt"}, 400, "'type' must be audio_sample, not 'prompt'"),
        ({"text": "x" * 2001}, 400, "have at most 2000 characters each"),
    ],
)
def test_what_is_not_stored(imitating: Imitating, ann: Any, fields: dict[str, Any], status: int, says: str) -> None:
    with imitating.server.client() as http:
        answer = http.post("/v1/audio/voices", **form(**fields))
        assert (answer.status_code, says in answer.json()["error"]["message"]) == (status, True), answer.text
        assert [voice["name"] for voice in http.get("/v1/audio/voices").json()["stored"]] == ["Ann"]


def test_an_upload_has_a_limit(imitating: Imitating) -> None:
    with imitating.server.client() as http:
        answer = http.post("/v1/audio/voices", **form(audio_sample=recording(1) + bytes(11 << 20)))
    assert answer.status_code == 413


def test_consents_with_openais_client(client: openai.OpenAI) -> None:
    made = [
        client.audio.voice_consents.create(name=name, language="en-US", recording=("a.wav", recording()))
        for name in ("Cid", "Dee", "Eve")
    ]
    assert (made[0].object, made[0].name, made[0].language) == ("audio.voice_consent", "Cid", "en-US")
    assert {one.id for one in client.audio.voice_consents.list(limit=2)} == {one.id for one in made}  # two pages
    assert client.audio.voice_consents.retrieve(made[1].id) == made[1]
    assert client.audio.voice_consents.update(made[1].id, name="Dee D.").name == "Dee D."
    voice = client.audio.voices.create(name="Cid", audio_sample=("c.wav", recording(1.5)), consent=made[0].id)
    with pytest.raises(openai.BadRequestError, match="is that of the voice 'Cid': delete the voice first"):
        client.audio.voice_consents.delete(made[0].id)
    gone = client.audio.voices.delete(voice.id)
    assert (gone.id, gone.deleted, gone.object) == (voice.id, True, "audio.voice.deleted")
    for one in made:
        assert client.audio.voice_consents.delete(one.id).deleted
    for ask in (client.audio.voice_consents.retrieve, client.audio.voice_consents.delete, client.audio.voices.delete):
        with pytest.raises(openai.NotFoundError, match="stored are: ") as missing:
            ask(made[0].id)
        assert missing.value.code == "unknown_recording"
    with pytest.raises(openai.BadRequestError, match="'language' must be a tag such as en-US, not 'American English'"):
        client.audio.voice_consents.create(name="F", language="American English", recording=("a.wav", recording()))


def test_a_deleted_voice_is_gone_at_once_and_its_name_is_free(imitating: Imitating, client: openai.OpenAI) -> None:
    sounds = []
    for seed in (2, 3):
        with imitating.server.client() as http:
            made = http.post("/v1/audio/voices", **form(name="Flo Lee", audio_sample=recording(seed=seed)))
            assert made.status_code == 200, made.text
            sounds.append(say(client, "flo-lee"))
            assert http.delete("/v1/audio/voices/Flo%20Lee").json()["deleted"]
            assert http.get("/v1/audio/voices/Flo%20Lee").status_code == 404
        with pytest.raises(openai.BadRequestError, match="no voice 'Flo Lee'"):
            say(client, "Flo Lee")
        assert not (imitating.home / "server/voices" / made.json()["id"]).exists()
    assert sounds[0] != sounds[1]  # what was encoded belongs to the recording, not to the name


def test_pauses_have_their_length(client: openai.OpenAI, ann: Any) -> None:
    whole = say(client, "Ann")
    assert say(client, "Ann", f"[pause:500ms]{TEXT}[pause:1s]") == bytes(24000) + whole + bytes(48000)


async def test_pauses_have_their_length_at_the_edges_of_clauses(imitating: Imitating) -> None:
    sounds = []
    for text in (TEXT, f"[pause:500ms]{TEXT}[pause:1s]"):
        async with asyncio.timeout(60), AsyncClient.from_uri(imitating.server.wyoming) as home:
            await home.write_event(Synthesize(text, SynthesizeVoice(name="Freya")).event())
            sound = b""
            while (event := await home.read_event()) is not None and event.type != "audio-stop":
                sound += event.payload or b""
            sounds.append(sound)
    assert len(sounds[0]) > 4000 and sounds[1] == bytes(24000) + sounds[0] + bytes(48000)


def test_a_page_of_another_origin_stores_nothing(imitating: Imitating, ann: Any) -> None:
    with imitating.server.client() as http:
        http.headers["Origin"] = "https://evil.example"
        assert http.post("/v1/audio/voices", **form()).status_code == 403
        assert http.delete("/v1/audio/voices/Ann").status_code == 403
