"""soniqo's routes with the starter models and real speech: every format in, the curl lines, answers that say it."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import av
import httpx
import jiwer
import numpy as np
import pytest
import soundfile
from support.encoded_audio import write
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.audio.decode import decode
from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16
from speechmlx.types import Audio

Clip = Callable[[str], Path]
WORDS = "Concord returned to its place amidst the tents."
QUESTION = "What is the capital of France?"

normalise = EnglishTextNormalizer()


@pytest.fixture(scope="module")
def client(starter: object) -> Iterator[httpx.Client]:
    with starter.client() as client:  # type: ignore[attr-defined]
        yield client


@pytest.fixture(scope="module")
def speech(clip: Clip) -> Audio:
    return decode(clip("librispeech"), 48000)


@pytest.fixture(scope="module")
def question(client: httpx.Client) -> bytes:
    return client.post("/speak", json={"text": QUESTION, "voice": "am_michael"}).content


def errors(said: str, heard: str) -> float:
    return float(jiwer.wer(normalise(said), normalise(heard)))


def heard(client: httpx.Client, wav: bytes) -> str:
    text: str = client.post("/transcribe", content=wav).json()["text"]
    return text


def to_wav(audio: Audio) -> bytes:
    return wav_header(audio.rate, len(audio.samples)) + to_pcm16(audio.samples)


def encode(audio: Audio, container: str, codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=audio.rate, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.stack([audio.samples] * 2), format="fltp", layout="stereo")
        frame.sample_rate = audio.rate
        write(file, stream, frame)
    return out.getvalue()


# --- /transcribe -------------------------------------------------------------------------------------------------


def test_transcribe_tells_the_words_and_how_sure_it_is(client: httpx.Client, clip: Clip) -> None:
    response = client.post("/transcribe", content=clip("jfk").read_bytes(), headers={"Content-Type": "audio/wav"})
    assert response.status_code == 200
    found = response.json()
    assert list(found) == ["text", "language", "confidence", "model", "duration"]
    assert errors("And so my fellow Americans ask not what your country can do for you "
                  "ask what you can do for your country", found["text"]) == 0  # fmt: skip
    assert (found["language"], found["model"], found["duration"]) == ("en", "whisper-tiny.en", 11.0)
    assert 0.6 < found["confidence"] < 1


@pytest.mark.parametrize(
    ("container", "codec"),
    [("flac", "flac"), ("mp3", "libmp3lame"), ("ogg", "libopus"), ("ipod", "aac"), ("webm", "libopus")],
)
def test_transcribe_takes_every_format(client: httpx.Client, speech: Audio, container: str, codec: str) -> None:
    response = client.post("/transcribe?language=en", content=encode(speech, container, codec))
    assert response.status_code == 200, response.text
    assert errors(WORDS, response.json()["text"]) <= 0.25


def test_transcribe_takes_headerless_pcm_in_json(client: httpx.Client, clip: Clip) -> None:
    pcm16 = to_pcm16(decode(clip("librispeech"), 16000).samples)
    body = {"audio_base64": base64.b64encode(pcm16).decode(), "sample_rate": 16000, "language": "en"}
    assert errors(WORDS, client.post("/transcribe", json=body).json()["text"]) <= 0.25


def floats(channels: np.ndarray, rate: int) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, channels, rate, format="WAV", subtype="FLOAT")
    return out.getvalue()


@pytest.mark.parametrize("change", [lambda x: x * 32768, lambda x: np.stack([x, -x], axis=1)])
def test_floats_out_of_scale_and_channels_that_cancel(
    client: httpx.Client, speech: Audio, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    wav = floats(change(speech.samples), speech.rate)
    assert errors(WORDS, heard(client, wav)) <= 0.25
    plain, found = (
        decode(client.post("/enhance", content=given).content, speech.rate).samples for given in (to_wav(speech), wav)
    )
    assert np.abs(plain).max() > 0.1 and np.abs(found - plain).max() < 0.01


@pytest.mark.parametrize("route", ["/transcribe", "/enhance"])
def test_samples_that_are_no_numbers_are_refused(client: httpx.Client, route: str) -> None:
    response = client.post(route, content=floats(np.full(16000, np.nan), 16000))
    assert response.status_code == 415 and "no numbers" in response.json()["error"]


def test_silence_is_no_words_and_no_confidence(client: httpx.Client) -> None:
    found = client.post("/transcribe", content=wav_header(16000, 32000) + bytes(64000)).json()
    assert (found["text"], found["confidence"], found["duration"]) == ("", 0.0, 2.0)


# --- /speak ------------------------------------------------------------------------------------------------------


def test_what_is_spoken_is_heard(client: httpx.Client) -> None:
    text = "The quick brown fox jumps over the lazy dog."
    response = client.post("/speak", json={"text": text, "engine": "kokoro"})
    assert response.status_code == 200, response.text
    assert errors(text, heard(client, response.content)) <= 0.12


@pytest.mark.usefixtures("question")  # the model is loaded
def test_the_first_sentence_does_not_wait_for_the_last(client: httpx.Client) -> None:
    body = {"text": "The morning is bright. The evening is calm. The night is long.", "stream": True}
    began = time.monotonic()
    with client.stream("POST", "/speak", json=body) as response:
        assert response.status_code == 200
        arrived = [time.monotonic() - began for _ in response.iter_raw()]
    assert len(arrived) >= 3 and arrived[0] < 0.7 * arrived[-1]


def test_an_unknown_voice_is_refused_before_any_sound(client: httpx.Client) -> None:
    for stream in (False, True):
        response = client.post("/speak", json={"text": "Hi.", "voice": "marvin", "stream": stream})
        assert response.status_code == 400
        assert "marvin" in response.json()["error"] and "am_" in response.json()["error"]


@pytest.mark.parametrize("stream", [False, True])
def test_voices_are_known_by_openais_names_and_however_they_are_written(client: httpx.Client, stream: bool) -> None:
    said = {
        client.post("/speak", json={"text": "Hi.", "voice": voice, "stream": stream}).content
        for voice in ("am_michael", " AM_Michael ", "Ash", "NATM0", "am michael")
    }
    assert len(said) == 1 and len(said.pop()) > 10_000


# --- /enhance ----------------------------------------------------------------------------------------------------


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    target = reference * (estimate @ reference) / (reference @ reference)
    return float(10 * np.log10((target @ target) / ((estimate - target) @ (estimate - target))))


def test_enhance_takes_the_noise_away_and_keeps_the_length(client: httpx.Client, speech: Audio) -> None:
    clean = speech.samples
    noise = np.random.default_rng(1).standard_normal(len(clean))
    noisy = clean + noise * np.sqrt(np.mean(clean**2) / np.mean(noise**2)) * 10 ** (-5 / 20)
    response = client.post("/enhance", content=to_wav(Audio(noisy.astype(np.float32) * 0.5, 48000)))
    assert response.status_code == 200, response.text
    cleaned = decode(response.content, 48000).samples
    assert len(cleaned) == len(clean)
    assert si_sdr(clean, cleaned) - si_sdr(clean, noisy) >= 5


# --- /respond ----------------------------------------------------------------------------------------------------


def test_respond_speaks_what_its_header_says(client: httpx.Client, question: bytes) -> None:
    response = client.post("/respond", content=question)
    assert response.status_code == 200, response.text
    text = unquote(response.headers["x-response-text"])
    assert re.search(r"\w+ \w+", text)
    assert errors(text, heard(client, response.content)) <= 0.35


def test_respond_as_json_tells_both_sides(client: httpx.Client, question: bytes) -> None:
    response = client.post("/respond", params={"format": "json", "voice": "NATF1"}, content=question)
    found = response.json()
    assert errors(QUESTION, found["heard"]) == 0
    assert "paris" in found["text"].lower() and found["transcript"] == found["text"]
    assert found["model"] == "whisper-tiny.en+smollm2-135m-instruct+kokoro-82m"
    audio = decode(base64.b64decode(found["audio_base64"]), 24000)
    assert audio.duration == pytest.approx(found["duration"], abs=0.01)


@pytest.mark.parametrize("where", ["query", "form", "json"])
def test_max_steps_bounds_the_answer(client: httpx.Client, question: bytes, where: str) -> None:
    options = {"max_steps": "10", "voice": "en_female_calm"}
    if where == "query":
        response = client.post("/respond", params=options, content=question)
    elif where == "form":
        response = client.post("/respond", data=options, files={"file": question})
    else:
        response = client.post("/respond", json={**options, "audio_base64": base64.b64encode(question).decode()})
    assert response.status_code == 200, response.text
    with wave.open(io.BytesIO(response.content)) as file:
        assert 0.4 < file.getnframes() / file.getframerate() <= 0.8


def test_respond_can_stream(client: httpx.Client, question: bytes) -> None:
    response = client.post("/respond?stream=true&max_steps=25", content=question)
    assert response.status_code == 200 and "content-length" not in response.headers
    assert decode(response.content, 24000).duration > 0.4


def test_respond_to_silence_says_so(client: httpx.Client) -> None:
    response = client.post("/respond", content=wav_header(16000, 32000) + bytes(64000))
    assert response.status_code == 400 and response.json() == {"error": "no speech was heard in the audio"}


def test_respond_in_a_voice_nobody_has(client: httpx.Client, question: bytes) -> None:
    response = client.post("/respond?voice=marvin", content=question)
    assert response.status_code == 400 and "marvin" in response.json()["error"]


# --- The seed's own lines ----------------------------------------------------------------------------------------

CURL = {
    "transcribe": r"""curl -X POST http://127.0.0.1:8080/transcribe \
-H "Content-Type: audio/wav" \
--data-binary @recording.wav""",
    "transcribe json": r"""curl -X POST http://127.0.0.1:8080/transcribe \
-H "Content-Type: application/json" \
-d '{"audio_base64":"'"$(base64 -i recording.wav)"'","language":"en"}'""",
    "speak": r"""curl -X POST http://127.0.0.1:8080/speak \
-H "Content-Type: application/json" \
-d '{"text":"Hello, world!","engine":"kokoro","language":"en"}' \
--output hello.wav""",
    "respond": r"""curl -X POST "http://127.0.0.1:8080/respond?voice=en_female_calm&max_steps=256" \
-H "Content-Type: audio/wav" \
--data-binary @question.wav \
--output answer.wav""",
    "enhance": r"""curl -X POST http://127.0.0.1:8080/enhance \
-H "Content-Type: audio/wav" \
--data-binary @noisy.wav \
--output clean.wav""",
    "health": "curl http://127.0.0.1:8080/health",
}


def curl(line: str, url: str, folder: Path) -> str:
    """One of the lines, with nothing changed but the address; fails unless curl and the server were content."""
    command = line.replace("http://127.0.0.1:8080", url).replace("curl ", "curl --silent --show-error --fail ", 1)
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    return done.stdout


def test_the_seeds_curl_lines(client: httpx.Client, clip: Clip, question: bytes, tmp_path: Path) -> None:
    url = str(client.base_url).rstrip("/")
    recording = to_wav(decode(clip("librispeech"), 8000))
    (tmp_path / "recording.wav").write_bytes(recording)
    (tmp_path / "noisy.wav").write_bytes(recording)
    (tmp_path / "question.wav").write_bytes(question)
    for line in ("transcribe", "transcribe json"):
        assert "returned to its place" in curl(CURL[line], url, tmp_path)
    curl(CURL["speak"], url, tmp_path)
    assert "hello world" in normalise(heard(client, (tmp_path / "hello.wav").read_bytes()))
    curl(CURL["respond"], url, tmp_path)
    assert decode(tmp_path / "answer.wav", 24000).duration > 0.5
    curl(CURL["enhance"], url, tmp_path)
    assert len(decode(tmp_path / "clean.wav", 48000).samples) == 6 * (len(recording) - 44) // 2
    assert curl(CURL["health"], url, tmp_path).startswith('{"status":"ok"')
