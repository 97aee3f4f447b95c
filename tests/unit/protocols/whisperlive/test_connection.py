"""The beginning of a WhisperLive connection without a server: a client that says nothing, or leaves, or comes late."""

from __future__ import annotations

import asyncio
import base64
from types import SimpleNamespace
from typing import Any

import pytest
from support.fake_engines import FakeEngines, row
from support.raw_socket import RawSocket

from speechmlx.audio.encode import wav_header
from speechmlx.config import Config
from speechmlx.errors import BadRequest
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.decoding import RecordingDecoder
from speechmlx.protocols.http.services import Services, build_services
from speechmlx.protocols.whisperlive import connection
from speechmlx.protocols.whisperlive.options import read_options
from speechmlx.protocols.whisperlive.series import WhisperLiveSeries
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind


@pytest.fixture
def services() -> Services:
    return build_services(Config(max_audio_bytes=100), Runtime(Config(), CATALOG))


async def answered(services: Services, raw: RawSocket) -> WhisperLiveSeries:
    series = WhisperLiveSeries(services.runtime.metrics)
    async with asyncio.timeout(30):
        await connection.answer(raw.socket, services, series, set())
    return series


async def test_a_client_that_says_nothing(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_MESSAGE", 0.01)
    raw = RawSocket()
    series = await answered(services, raw)
    error, code = raw.sent
    assert (error["uid"], error["status"], code) == (None, "ERROR", 1008)
    assert "no options came within 0.01 s" in error["message"]
    assert series.rejected == series.errors == {("bad_request",): 1}


async def test_a_client_that_leaves_at_once(services: Services) -> None:
    raw = RawSocket(None)
    series = await answered(services, raw)
    assert not raw.sent and not series.rejected


async def test_a_server_that_stops(services: Services) -> None:
    services.runtime.drained.set()
    raw = RawSocket()
    await answered(services, raw)
    error, code = raw.sent
    assert (error["status"], error["message"], code) == ("ERROR", "the server is shutting down", 1011)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('{"uid": "' + "u" * 100 + '"}', "over the limit of 100 bytes"),
        ('{"uid": "u", "model": "kokoro", "language": "xx"}', "language 'xx' is not known to"),
    ],
)
async def test_what_cannot_be(services: Services, message: str, words: str) -> None:
    raw = RawSocket(message)
    await answered(services, raw)
    assert words in raw.sent[0]["message"] and raw.sent[1] == 1008


async def test_the_options_are_the_sessions_settings(services: Services) -> None:
    asked = {
        "uid": "u",
        "language": "German",
        "task": "translate",
        "model": "base",
        "audio_format": "int16",
        "hotwords": "Ljubljana, Soniqo",
        "initial_prompt": "Names.",
        "vad_parameters": {"threshold": 0.7},
        "enable_translation": True,
        "target_language": "bg",
    }
    settings, warnings = await connection._settings(read_options(asked), services)
    transcription = settings.transcription
    assert transcription is not None and not warnings
    assert (transcription.model, transcription.language, transcription.task) == ("whisper-base", "de", "translate")
    assert (transcription.prompt, transcription.keywords) == ("Names.", ("Ljubljana", "Soniqo"))
    assert (settings.input.encoding, settings.input.rate, settings.translate_to) == ("pcm16", 16000, "bg")
    assert settings.turns is not None and settings.turns.threshold == 0.7
    assert settings.transcribes_only and not settings.answers


def wav() -> str:
    return base64.b64encode(wav_header(16000, 16000) + bytes(32000)).decode()


async def test_voices_that_the_client_knows() -> None:
    engines = FakeEngines(rows=[row(Kind.DIARIZE, rate=8000)])
    services: Any = SimpleNamespace(runtime=engines, decoding=RecordingDecoder(4))
    asked = {"uid": "u", "known_speakers": [{"name": "Ann", "audio_base64": wav()}], "max_speakers": 3}
    speakers = await connection._speakers(read_options(asked), services, [])
    assert speakers is not None and speakers.max_speakers == 3
    (ann,) = speakers.known
    assert (ann.name, ann.audio.rate, ann.audio.duration) == ("Ann", 8000, 1.0)
    for recording, words in (("not base64!", "is not base64"), ("AAAA", "")):
        asked["known_speakers"] = [{"name": "Ann", "audio_base64": recording}]
        with pytest.raises(BadRequest, match=r"known_speakers\[0\].audio_base64") as raised:
            await connection._speakers(read_options(asked), services, [])
        assert words in str(raised.value)
    services.decoding.close()


async def test_speakers_without_a_model_are_a_warning() -> None:
    services: Any = SimpleNamespace(runtime=FakeEngines())
    warnings: list[str] = []
    assert (
        await connection._speakers(read_options({"uid": "u", "enable_diarization": True}), services, warnings) is None
    )
    assert await connection._speakers(read_options({"uid": "u"}), services, warnings) is None
    assert warnings == ["speakers are not told apart: no diarization model is configured"]
