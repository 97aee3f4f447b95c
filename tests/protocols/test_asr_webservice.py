"""whisper-asr-webservice's routes, asked as Bazarr asks them and as its other clients do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import soundfile
from support.clips import CLIPS
from support.word_errors import word_error_rate

from speechmlx.audio.encode import wav_header
from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols import asr_webservice
from speechmlx.protocols.http.services import build_services
from speechmlx.runtime.front.runtime import Runtime

Folder = Callable[[str], Path]

SECOND = bytes(32000)
"""Of PCM16 at 16 kHz."""


class Bazarr:
    """What Bazarr's whisper provider sends: PCM16 as ffmpeg gives it, the options in the query."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["User-Agent"] = "Subliminal/2.1"

    def ask(self, path: str, pcm: bytes, video: str | None = None, **params: Any) -> requests.Response:
        return self.session.post(
            f"{self.endpoint}{path}",
            params={**params, "encode": "false", "video_file": {video}},
            files={"audio_file": pcm},
            timeout=(5, 120),
        )

    def detect_language(self, pcm: bytes) -> tuple[str, str]:
        found = self.ask("/detect-language", pcm, "/films/A film (1999).mkv").json()
        return found["language_code"], found["detected_language"]

    def subtitles(self, pcm: bytes, language: str, task: str = "transcribe") -> bytes:
        return self.ask("/asr", pcm, task=task, language=language, output="srt").content


@pytest.fixture
def bazarr(starter: Any) -> Iterator[Bazarr]:
    client = Bazarr(f"{starter.url}/")
    with client.session:
        yield client


@pytest.fixture
def pcm(clip: Folder) -> bytes:
    """What ffmpeg makes of the recording for Bazarr."""
    samples, rate = soundfile.read(clip("jfk"), dtype="int16")
    assert (samples.ndim, rate) == (1, 16000)
    return bytes(samples.tobytes())


def cues(srt: str) -> list[tuple[str, str, str]]:
    """Start, end and text of each."""
    found = re.findall(r"\d+\n(\d\d:\d\d:\d\d,\d{3}) --> (\d\d:\d\d:\d\d,\d{3})\n(.+)\n(?:\n|$)", srt)
    assert [int(number) for number in re.findall(r"^(\d+)$", srt, re.MULTILINE)] == list(range(1, len(found) + 1))
    return found


# --- Real words --------------------------------------------------------------------------------------------------


def test_bazarr_gets_its_subtitles(bazarr: Bazarr, pcm: bytes) -> None:
    assert bazarr.detect_language(pcm) == ("en", "english")
    found = cues(bazarr.subtitles(pcm, "en").decode())
    assert word_error_rate(CLIPS["jfk"].words, " ".join(text for _, _, text in found)) == 0
    assert found[0][0].startswith("00:00:00") and "00:00:10" < found[-1][1] <= "00:00:11,000"
    assert [start for start, _, _ in found] == sorted(start for start, _, _ in found)


def test_bazarr_gets_no_subtitles_where_nothing_is_said(bazarr: Bazarr) -> None:
    assert bazarr.subtitles(SECOND * 40, "en") == b""


def test_a_translation_needs_a_model_that_can(bazarr: Bazarr, pcm: bytes) -> None:
    refused = bazarr.ask("/asr", pcm, task="translate", language="en", output="srt")
    assert refused.status_code == 400 and "English only" in refused.json()["error"]
    done = bazarr.ask("/asr", pcm, task="translate", language="en", output="txt", model="whisper-base")
    assert word_error_rate(CLIPS["jfk"].words, done.text) == 0


def bursts(seconds: int) -> bytes:
    """Noise that comes and goes, which is no speech and may be taken for it."""
    size = 16000 * seconds
    loud = np.random.default_rng(0).normal(0, 2000, size) * (np.arange(size) % 24000 < 12000)
    return bytes(loud.astype("<i2").tobytes())


def test_a_language_is_told_where_somebody_speaks(bazarr: Bazarr, pcm: bytes) -> None:
    def told(sound: bytes, **params: Any) -> tuple[str, float]:
        answer = bazarr.ask("/detect-language", sound, model="whisper-base", **params).json()
        return answer["language_code"], answer["confidence"]

    language, sure = told(pcm)
    assert language == "en" and 0.9 < sure < 1
    assert told(bursts(60) + pcm) == pytest.approx((language, sure), abs=0.1)
    assert told(bursts(7) + pcm, detect_lang_offset=7, detect_lang_length=11) == (language, sure)
    assert told(SECOND * 40)[1] < 0.5


def test_every_output(starter: Any, clip: Folder) -> None:
    def said(output: str, **params: Any) -> requests.Response:
        with clip("jfk").open("rb") as file, requests.Session() as session:
            session.trust_env = False
            form = {"audio_file": ("A speech ü.wav", file, "audio/wav")}
            return session.post(f"{starter.url}/asr", params={"output": output, **params}, files=form, timeout=120)

    words = CLIPS["jfk"].words
    text = said("txt", encode="true", task="transcribe")
    assert word_error_rate(words, text.text) == 0 and text.text.endswith(".\n")
    assert text.headers["content-type"] == "text/plain; charset=utf-8" and text.headers["asr-engine"] == "speechmlx"
    assert text.headers["content-disposition"] == 'attachment; filename="A%20speech%20%C3%BC.wav.txt"'
    assert said("vtt").text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:0")
    first, *rows = said("tsv").text.splitlines()
    assert first == "start\tend\ttext" and word_error_rate(words, " ".join(row.split("\t")[2] for row in rows)) == 0
    assert 10_000 < int(rows[-1].split("\t")[1]) <= 11_000
    heard = said("json", word_timestamps="true", initial_prompt="A speech of 1961.").json()
    assert heard.keys() == {"text", "segments", "language"} and heard["language"] == "en"
    assert heard["segments"][0].keys() == {
        *("id", "seek", "start", "end", "text", "tokens", "temperature"),
        *("avg_logprob", "compression_ratio", "no_speech_prob", "words"),
    }
    timed = [word for segment in heard["segments"] for word in segment["words"]]
    assert word_error_rate(words, "".join(word["word"] for word in timed)) == 0 and timed[0]["word"].startswith(" ")
    assert all(
        word.keys() == {"word", "start", "end", "probability"} and 0 < word["probability"] <= 1 for word in timed
    )


# --- On scripted engines -----------------------------------------------------------------------------------------


def ask(server: Any, path: str, file: bytes | None, **params: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        form = {"audio_file": file} if file is not None else {"x": (None, "y")}
        return session.post(f"{server.url}{path}", params={"model": "scripted-asr", **params}, files=form, timeout=60)


def test_what_is_asked_reaches_the_engine(server: Any) -> None:
    script = {"initial_prompt": "steps=2", "language": "fr", "encode": "false"}
    assert ask(server, "/asr", SECOND, **script).text == "part 0.\npart 1.\n"
    assert ask(server, "/asr", SECOND, output="tsv", **script).text == (
        "start\tend\ttext\n0\t1000\tpart 0.\n1000\t2000\tpart 1.\n"
    )
    heard = json.loads(ask(server, "/asr", SECOND, output="JSON", **script).text)
    assert "words" not in heard["segments"][0]
    assert (heard["text"], heard["language"], heard["segments"][1]["start"]) == (" part 0. part 1.", "fr", 1.0)
    told = ask(server, "/detect-language", SECOND, encode="false").json()
    assert told == {"detected_language": "english", "language_code": "en", "confidence": 0.5}


def test_speakers_are_told_apart(server: Any) -> None:
    script = {"initial_prompt": "steps=2", "encode": "false", "diarize": "true", "min_speakers": "1"}
    two = SECOND * 2
    assert ask(server, "/asr", two, **script).text == "[SPEAKER_00]: part 0.\n[SPEAKER_01]: part 1.\n"
    assert "\n[SPEAKER_01]: part 1.\n" in ask(server, "/asr", two, output="srt", **script).text
    heard = json.loads(ask(server, "/asr", two, output="json", word_timestamps="true", **script).text)
    assert [segment["speaker"] for segment in heard["segments"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert heard["segments"][1]["words"][0]["speaker"] == "SPEAKER_01"
    one = json.loads(ask(server, "/asr", two, output="json", max_speakers="1", **script).text)
    assert {segment["speaker"] for segment in one["segments"]} == {"SPEAKER_00"}


def test_a_file_with_a_header_is_read_by_it(server: Any) -> None:
    wav = wav_header(8000, 8000) + bytes(16000)
    for encode in ("true", "false", "1", "0"):
        answer = ask(server, "/asr", wav, encode=encode, initial_prompt="steps=1")
        assert (answer.status_code, answer.text) == (200, "part 0.\n")


@pytest.mark.parametrize(
    ("path", "file", "params", "status", "says"),
    [
        ("/asr", SECOND, {}, 415, "comes with encode=false"),
        ("/asr", b"only words in here", {}, 415, "plain text"),
        ("/asr", None, {}, 400, "missing 'audio_file'"),
        ("/detect-language", None, {}, 400, "missing 'audio_file'"),
        ("/asr", SECOND, {"encode": "maybe"}, 400, "'encode' must be true or false"),
        ("/asr", SECOND, {"encode": "false", "output": "pdf"}, 400, "txt, vtt, srt, tsv, json"),
        ("/asr", SECOND, {"encode": "false", "task": "sing"}, 400, "transcribe, translate"),
        ("/asr", SECOND, {"encode": "false", "diarize": "true", "max_speakers": "x"}, 400, "'max_speakers' must be"),
        ("/asr", SECOND, {"encode": "false", "model": "gigantic"}, 404, "no model 'gigantic'"),
        ("/asr", SECOND, {"encode": "false", "initial_prompt": "fail=1"}, 500, "scripted to fail"),
        ("/detect-language", SECOND, {"encode": "false", "detect_lang_offset": "9"}, 400, "ends before"),
        ("/detect-language", SECOND, {"encode": "false", "detect_lang_length": "-1"}, 400, "from 0 to 14400"),
    ],
    ids=str,
)
def test_errors(server: Any, path: str, file: bytes | None, params: dict[str, str], status: int, says: str) -> None:
    answer = ask(server, path, file, **params)
    assert answer.status_code == status
    told = answer.json()
    assert says in told["error"] and told["detail"] == told["error"]


def limits(config: Config) -> set[int]:
    return {route.endpoint.limit for route in asr_webservice.routes(build_services(config, Runtime(config, CATALOG)))}  # type: ignore[attr-defined]


def test_a_film_of_four_hours_is_not_too_much_unless_a_limit_is_set() -> None:
    (limit,) = limits(Config())
    assert limit > 4 * 3600 * 32000
    assert limits(Config(max_audio_bytes=1000)) == {1000}
