"""Deepgram's live transcription, WS /v1/listen, with its SDK, pipecat's service and plain sockets."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import websockets
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import ListenV1Metadata, ListenV1Results, ListenV1SpeechStarted, ListenV1UtteranceEnd
from support.deepgram_listen import CLOSE, Json, pieces, stream
from support.encoded_audio import encode
from support.scripted_conversation import tone, words

from speechmlx.audio import g711

if TYPE_CHECKING:
    from protocols.conftest import Server

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PCM = "encoding=linear16&sample_rate=16000"
FINALIZE = json.dumps({"type": "Finalize"})


def sound(seconds: float, level: float = 0.8, rate: int = 16000) -> bytes:
    return tone(seconds, level, rate)


def samples(audio: bytes) -> np.ndarray:
    return np.frombuffer(audio, "<i2").astype(np.float32) / 32768


TWO_TURNS = sound(0.5) + sound(0.6, 0) + sound(0.7) + sound(1.6, 0)


def environment(server: Server) -> DeepgramClientEnvironment:
    http, ws = server.url, server.url.replace("http", "ws")
    return DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)


async def test_the_sdk_streams_finalizes_and_closes(listening: Server) -> None:
    client = AsyncDeepgramClient(api_key="unused", environment=environment(listening))
    got: list[Any] = []
    async with (
        asyncio.timeout(20),
        client.listen.v1.connect(
            model="nova-3",
            encoding="linear16",
            sample_rate=16000,
            interim_results=True,
            vad_events=True,
            utterance_end_ms=1000,
            endpointing=300,
            smart_format=True,
            keyterm=["Ada", "Babbage"],
        ) as connection,
    ):
        for piece in pieces(TWO_TURNS):
            await connection.send_media(piece)
        await connection.send_keep_alive()
        await connection.send_finalize()
        await connection.send_close_stream()
        async for message in connection:
            got.append(message)
    assert isinstance(got[0], ListenV1Metadata)
    assert isinstance(got[-1], ListenV1Metadata)
    assert (got[0].duration, got[-1].duration) == (0.0, 3.4)
    results = [message for message in got if isinstance(message, ListenV1Results)]
    finals = [message for message in results if message.is_final]
    assert [message.channel.alternatives[0].transcript for message in finals][:2] == [words(0.5), words(0.7)]
    assert [message.speech_final for message in finals][:2] == [True, True]
    assert sum(bool(message.from_finalize) for message in finals) == 1
    assert any(not message.is_final for message in results)
    assert [message.timestamp for message in got if isinstance(message, ListenV1SpeechStarted)] == pytest.approx(
        [0.0, 1.1], abs=0.05
    )
    (end,) = [message for message in got if isinstance(message, ListenV1UtteranceEnd)]
    assert end.last_word_end == pytest.approx(1.8, abs=0.05)


def test_the_sdk_without_async(listening: Server) -> None:
    client = DeepgramClient(api_key="unused", environment=environment(listening))
    with client.listen.v1.connect(model="nova-3", encoding="linear16", sample_rate=16000) as connection:
        connection.send_media(sound(0.4))
        connection.send_close_stream()
        got = list(connection)
    finals = [message for message in got if isinstance(message, ListenV1Results) and message.is_final]
    assert " ".join(message.channel.alternatives[0].transcript for message in finals).split() == words(0.4).split()


async def test_pipecat_finalizes_turns_that_it_found(listening: Server) -> None:
    from pipecat.frames.frames import (
        InterimTranscriptionFrame,
        TranscriptionFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
    )
    from pipecat.services.deepgram.stt import DeepgramSTTService
    from protocols.test_realtime_pipecat import pipeline, play, until

    def heard(came: list[Any]) -> list[Any]:
        return [frame for frame in came if isinstance(frame, TranscriptionFrame)]

    service = DeepgramSTTService(api_key="unused", base_url=listening.url, sample_rate=24000)
    async with pipeline(service) as (task, came):
        await until(came, lambda came: service._connection is not None)
        await task.queue_frame(VADUserStartedSpeakingFrame())
        await play(task, tone(0.5) + tone(0.1, 0))
        await until(came, lambda came: any(isinstance(frame, InterimTranscriptionFrame) for frame in came))
        await task.queue_frame(VADUserStoppedSpeakingFrame())
        await until(came, lambda came: bool(heard(came)))
        (frame,) = heard(came)
        assert (frame.text, frame.finalized) == (words(0.5), True)
        await play(task, tone(0.6, 0) + tone(0.3) + tone(0.8, 0))
        await until(came, lambda came: len(heard(came)) == 2)
        assert heard(came)[1].text == words(0.3)


AMR = b"#!AMR\n" + bytes.fromhex("043e3d32a7ab79d4c8ec72f520") * 26
"""Half a second: one frame of a tone over and over. PyAV 19, which Python 3.12 has, cannot write this format."""
FORMATS = {
    "linear16 at 8 kHz": ("encoding=linear16&sample_rate=8000", lambda: sound(0.5, rate=8000)),
    "linear16 at 44.1 kHz": ("encoding=linear16&sample_rate=44100", lambda: sound(0.5, rate=44100)),
    "linear32": (
        "encoding=linear32&sample_rate=16000",
        lambda: samples(sound(0.5)).astype("<f4").tobytes(),
    ),
    "mulaw": ("encoding=mulaw&sample_rate=8000", lambda: g711.encode(samples(sound(0.5, rate=8000)), "ulaw")),
    "alaw": ("encoding=alaw&sample_rate=8000", lambda: g711.encode(samples(sound(0.5, rate=8000)), "alaw")),
    "two channels as one": (
        f"{PCM}&channels=2",
        lambda: np.repeat(np.frombuffer(sound(0.5), "<i2"), 2).tobytes(),
    ),
    "flac": ("encoding=flac", lambda: encoded("flac", "flac")),
    "opus in Ogg": ("encoding=ogg-opus&sample_rate=48000", lambda: encoded("ogg", "libopus")),
    "opus in Ogg, called opus": ("encoding=opus&sample_rate=48000", lambda: encoded("ogg", "libopus")),
    "WebM": ("", lambda: encoded("webm", "libopus")),
    "AMR": ("encoding=amr-nb&sample_rate=8000", lambda: AMR),
    "WAV": ("", lambda: encoded("wav", "pcm_s16le")),
}


def encoded(container: str, codec: str, rate: int = 48000) -> bytes:
    return encode(container, codec, samples=samples(sound(0.5, rate=rate)), rate=rate)


@pytest.mark.parametrize("name", FORMATS)
async def test_audio_is_taken_as_it_is_written(listening: Server, name: str) -> None:
    query, audio = FORMATS[name]
    heard = await stream(listening.url, query, [*pieces(audio(), 1001), CLOSE])
    assert heard.code == 1000
    assert heard.text().split()[:4] == words(0.4).split()
    assert len(heard.text().split()) in (5, 6)  # a codec may add a little


async def test_results_tile_the_audio_and_words_have_times(listening: Server) -> None:
    heard = await stream(listening.url, f"{PCM}&endpointing=300", [*pieces(TWO_TURNS), CLOSE])
    assert heard.text() == f"{words(0.5)} {words(0.7)}"
    ends = [message["start"] + message["duration"] for message in heard.finals()]
    assert [message["start"] for message in heard.finals()] == pytest.approx([0.0, *ends[:-1]], abs=1e-5)
    assert ends[-1] == pytest.approx(3.4, abs=1e-5)
    first = heard.words()[0]
    assert (first["word"], first["confidence"]) == ("one", 0.9)
    assert (first["start"], first["end"]) == pytest.approx((0.0, 0.1), abs=0.02)
    assert heard.words()[5]["start"] == pytest.approx(1.1, abs=0.05)
    assert heard.messages[-1]["type"] == "Metadata"


async def test_any_cutting_of_the_audio_gives_the_same_words(listening: Server) -> None:
    chance = random.Random(7)

    async def cut() -> str:
        rest, sent = TWO_TURNS, list[str | bytes]()
        while rest:
            size = chance.choice((1, 7, 641, 3200, 40_000))
            sent, rest = [*sent, rest[:size]], rest[size:]
            if chance.random() < 0.02:
                sent.append(json.dumps({"type": "KeepAlive"}).encode())
        return (await stream(listening.url, PCM, [*sent, CLOSE])).text()

    assert set(await asyncio.gather(*(cut() for _ in range(6)))) == {f"{words(0.5)} {words(0.7)}"}


async def test_channels_are_transcribed_one_by_one(listening: Server) -> None:
    left, right = sound(0.4) + sound(1.2, 0), sound(0.96, 0) + sound(0.64)
    both = np.stack([np.frombuffer(side, "<i2") for side in (left, right)], axis=1).tobytes()
    heard = await stream(listening.url, f"{PCM}&channels=2&multichannel=true", [*pieces(both), FINALIZE, CLOSE])
    assert (heard.text(0), heard.text(1)) == (words(0.4), words(0.6))
    assert {tuple(message["channel_index"]) for message in heard.of("Results")} == {(0, 2), (1, 2)}
    assert [sum(final["from_finalize"] for final in heard.finals(channel)) for channel in (0, 1)] == [1, 1]
    assert heard.messages[-1]["channels"] == 2


async def test_a_finalize_is_always_answered(listening: Server) -> None:
    sent: list[str | bytes] = [
        FINALIZE,
        *pieces(sound(0.544)),
        FINALIZE,
        FINALIZE,
        *pieces(sound(1.0, 0)),
        FINALIZE,
        CLOSE,
    ]
    heard = await stream(listening.url, PCM, sent)
    answers = [
        message["channel"]["alternatives"][0]["transcript"] for message in heard.finals() if message["from_finalize"]
    ]
    assert answers == ["", words(0.5), "", ""]
    assert heard.text() == words(0.5)


async def test_an_empty_message_ends_the_stream(listening: Server) -> None:
    heard = await stream(listening.url, PCM, [*pieces(sound(0.3)), b""])
    assert (heard.code, heard.text()) == (1000, words(0.3))


async def test_messages_that_are_not_understood_change_nothing(listening: Server) -> None:
    sent: list[str | bytes] = ["no JSON", *pieces(sound(0.3)), json.dumps({"type": "Dance"}), CLOSE]
    heard = await stream(listening.url, PCM, sent)
    assert [message["variant"] for message in heard.of("Error")] == ["SchemaError", "SchemaError"]
    assert heard.text() == words(0.3)


async def test_key_terms_change_under_way(listening: Server) -> None:
    configure = json.dumps({"type": "Configure", "keyterms": ["Ada"]})
    heard = await stream(listening.url, PCM, [configure, *pieces(sound(0.3)), CLOSE])
    assert [message["keyterms"] for message in heard.of("ConfigureSuccess")] == [["Ada"]]
    assert heard.text() == words(0.3)


@pytest.mark.parametrize(
    ("query", "audio"), [("", b"this is no audio at all. " * 4000), ("encoding=opus", b"\xfc\x01\x02" * 40)]
)
async def test_what_is_no_audio_closes_with_1008(listening: Server, query: str, audio: bytes) -> None:
    heard = await stream(listening.url, query, [*pieces(audio), CLOSE])
    assert heard.code == 1008
    assert heard.reason.startswith("DATA-0000")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("encoding=linear16", "sample_rate"),
        ("encoding=linear16&sample_rate=96000", "48000"),
        ("encoding=g729&sample_rate=8000", "encoding"),
        (f"{PCM}&utterance_end_ms=10", "utterance_end_ms"),
        (f"{PCM}&diarize=maybe", "diarize"),
        ("multichannel=true", "channels"),
        (f"{PCM}&callback=http%3A%2F%2Fexample.com", "callback"),
    ],
)
async def test_a_handshake_that_cannot_be_is_refused_over_http(listening: Server, query: str, named: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await stream(listening.url, query, [])
    response = refused.value.response
    body = json.loads(response.body or b"")
    assert response.status_code == 400
    assert named in body["err_msg"]
    assert named in response.headers["dg-error"]
    assert body["request_id"] == response.headers["dg-request-id"]


async def test_browsers_send_their_key_as_a_subprotocol(listening: Server) -> None:
    heard = await stream(listening.url, PCM, [CLOSE], subprotocols=["token", "secret"])
    headers = {name.lower(): value for name, value in heard.headers.items()}
    assert headers["sec-websocket-protocol"] == "token"
    assert heard.of("Metadata")[0]["request_id"] == headers["dg-request-id"]


async def test_the_original_options_are_taken(listening: Server) -> None:
    """Every parameter that SDKs send, most of them without a meaning here."""
    query = (
        "model=nova-2&language=en-US&tier=enhanced&version=latest&redact=pci&search=one&dictation=true&alternatives=1"
        "&detect_entities=true&mip_opt_out=true&no_delay=true&numerals=True&filler_words=False&profanity_filter=True"
        "&smart_format=True&extra=call:17&tag=a&unknown=1&replace=two:2"
    )
    heard = await stream(listening.url, f"{PCM}&{query}", [*pieces(sound(0.3)), CLOSE])
    assert heard.text() == words(0.3).replace("two", "2")
    result: Json = heard.finals()[0]
    assert result["metadata"]["extra"] == {"call": "17"}


async def test_the_example_of_the_documentation(listening: Server, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/deepgram.md").read_text()
    example = text.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "question.wav").write_bytes(encoded("wav", "pcm_s16le"))
    code = example.replace("127.0.0.1:8080", listening.url.removeprefix("http://"))
    command = [sys.executable, "-c", code]
    run = await asyncio.to_thread(
        subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.split() == words(0.5).split()


async def test_the_places_of_sessions_are_given_back(listening: Server) -> None:
    for _ in range(2):
        await asyncio.gather(*(stream(listening.url, PCM, [*pieces(sound(0.2)), CLOSE]) for _ in range(10)))
    assert (await asyncio.to_thread(listening.health))["engine"] == "ok"
