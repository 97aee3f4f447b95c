"""Synthesis: the voice for a request, and audio as Wyoming's events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from wyoming.event import Event

from speechmlx.config import Config
from speechmlx.errors import BadRequest, TooLarge, UnknownVoice, Unsupported
from speechmlx.models.catalog import CATALOG
from speechmlx.models.voices import UNLISTED, VoiceList
from speechmlx.protocols.http.services import Services, build_services
from speechmlx.protocols.wyoming.requests import VoiceRequest
from speechmlx.protocols.wyoming.synthesis import SynthesisWire, WyomingSynthesis, plan_for
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Chunk, NamedVoice

KOKORO = CATALOG.resolve("kokoro-82m")
GERMAN = replace(KOKORO, name="german", languages=("de",), rate=16000, voices=VoiceList(("anna", "bert")))
FREE = replace(KOKORO, name="free", voices=UNLISTED)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    config = Config(cache=tmp_path, profile="starter", max_text_bytes=20)
    return build_services(config, Runtime(config, CATALOG))


@pytest.mark.parametrize(
    ("request_", "model", "voice", "language"),
    [
        (VoiceRequest(), "kokoro-82m", None, None),
        (VoiceRequest("AF Sky"), "kokoro-82m", "af_sky", None),
        (VoiceRequest("alloy"), "kokoro-82m", "af_alloy", None),
        (VoiceRequest("anna"), "german", "anna", None),
        (VoiceRequest("german"), "german", None, None),
        (VoiceRequest("german", speaker="bert"), "german", "bert", None),
        (VoiceRequest("af_sky", "de"), "kokoro-82m", "af_sky", None),
        (VoiceRequest(language="en-GB"), "kokoro-82m", None, "en-GB"),
        (VoiceRequest(language="de_DE"), "german", None, "de_DE"),
        (VoiceRequest(language="auto"), "kokoro-82m", None, None),
    ],
)
def test_the_voice_of_a_request(
    services: Services, request_: VoiceRequest, model: str, voice: str | None, language: str | None
) -> None:
    plan = plan_for(request_, services, [KOKORO, GERMAN])
    assert (plan.speech.model, plan.speech.language) == (model, language)
    assert plan.speech.voice == (None if voice is None else NamedVoice(voice))
    assert plan.rate == (16000 if model == "german" else 24000)


def test_where_no_voices_are_listed_the_engine_decides(services: Services) -> None:
    assert plan_for(VoiceRequest("zoe"), services, [FREE]).speech.voice == NamedVoice("zoe")


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (VoiceRequest("zoe"), UnknownVoice, "no voice 'zoe'; the voices are "),
        (VoiceRequest("german", speaker="zoe"), UnknownVoice, "no voice 'zoe'; the voices are anna, bert"),
        (VoiceRequest("anna", speaker="2"), BadRequest, "the voice 'anna' has no speaker '2': leave it out"),
        (VoiceRequest(language="xh"), Unsupported, "language 'xh' is not known to kokoro-82m"),
    ],
)
def test_a_voice_that_is_not_there(
    services: Services, request_: VoiceRequest, error: type[BadRequest], words: str
) -> None:
    with pytest.raises(error) as raised:
        plan_for(request_, services, [KOKORO, GERMAN])
    assert words in str(raised.value)


def test_audio_comes_in_short_pieces_with_their_times() -> None:
    wire = SynthesisWire(24000, streamed=False)
    first = list(wire.send(Chunk(bytes(2 * 250), 1000)))
    second = list(wire.send(Chunk(b"\x01\x02", 1000)))
    assert [(event.type, event.data["timestamp"], len(event.payload or b"")) for event in [*first, *second]] == [
        ("audio-start", 0, 0),
        ("audio-chunk", 0, 200),
        ("audio-chunk", 100, 200),
        ("audio-chunk", 200, 100),
        ("audio-chunk", 250, 2),
    ]
    assert {event.data["rate"] for event in [*first, *second]} == {1000}
    assert list(wire.end()) == [Event("audio-stop", {"timestamp": 251})]


def test_a_blank_text_is_audio_all_the_same() -> None:
    kinds = [event.type for event in SynthesisWire(24000, streamed=True).end()]
    assert kinds == ["audio-start", "audio-stop", "synthesize-stopped"]


async def test_a_text_has_a_limit_over_all_its_pieces(services: Services) -> None:
    async def write(events: object) -> None:
        pass

    synthesis = WyomingSynthesis(services, plan_for(VoiceRequest(), services, [KOKORO]), True, write)
    synthesis.push("ä" * 10)
    with pytest.raises(TooLarge, match=r"longer than 20 bytes, the limit \(max_text_bytes\)"):
        synthesis.push(".")
