"""Deepgram's Flux, WS /v2/listen, with its SDK, pipecat's service and plain sockets."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import websockets
from deepgram import AsyncDeepgramClient
from deepgram.listen.v2.types import ListenV2Connected, ListenV2TurnInfo
from protocols.test_deepgram_live import environment
from support.deepgram_listen import CLOSE, Json, pieces, stream
from support.scripted_conversation import tone, words

if TYPE_CHECKING:
    from protocols.conftest import Server

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PCM = "model=flux-general-en&encoding=linear16&sample_rate=16000"


def sound(seconds: float, level: float = 0.8) -> bytes:
    return tone(seconds, level, 16000)


def story(messages: list[Json]) -> list[tuple[str, str]]:
    return [
        (each["event"], each["transcript"])
        for each in messages
        if each["type"] == "TurnInfo" and each["event"] in ("EagerEndOfTurn", "EndOfTurn", "TurnResumed")
    ]


async def test_the_sdk_follows_turns(listening: Server) -> None:
    client = AsyncDeepgramClient(api_key="unused", environment=environment(listening))
    got: list[Any] = []
    async with (
        asyncio.timeout(20),
        client.listen.v2.connect(
            model="flux-general-en",
            encoding="linear16",
            sample_rate=16000,
            eot_threshold=0.7,
            keyterm=["Ada", "Babbage"],
        ) as connection,
    ):
        for piece in pieces(sound(0.5) + sound(1.5, 0) + sound(0.3) + sound(1.5, 0), 2560):
            await connection.send_media(piece)
        await connection.send_configure({"type": "Configure", "thresholds": {"eot_threshold": 0.8}})
        await connection.send_close_stream()
        async for message in connection:
            got.append(message)
    assert isinstance(got[0], ListenV2Connected)
    assert [message.sequence_id for message in got] == list(range(len(got)))
    turns = [message for message in got if isinstance(message, ListenV2TurnInfo) and message.event == "EndOfTurn"]
    assert [(turn.turn_index, turn.transcript, turn.trigger) for turn in turns] == [
        (0, words(0.5), "model"),
        (1, words(0.3), "model"),
    ]
    assert [message.thresholds.eot_threshold for message in got if message.type == "ConfigureSuccess"] == [0.8]


async def test_an_early_end_is_followed_by_the_same_words_or_taken_back(listening: Server) -> None:
    url = f"{listening.url.replace('http', 'ws')}/v2/listen?{PCM}&eager_eot_threshold=0.3&eot_threshold=0.9"
    got: list[Json] = []
    async with asyncio.timeout(20), websockets.connect(url) as socket:

        async def send(*audio: bytes) -> None:
            for piece in pieces(b"".join(audio), 1280):
                await socket.send(piece)

        async def read_until(event: str) -> None:
            while not got or got[-1].get("event") != event:
                got.append(json.loads(await socket.recv()))

        await send(sound(0.5), sound(0.85, 0))
        await read_until("EagerEndOfTurn")
        await send(sound(0.3))
        await read_until("TurnResumed")
        await send(sound(0.8, 0))
        await read_until("EagerEndOfTurn")
        await send(sound(1.0, 0))
        await read_until("EndOfTurn")
    both = f"{words(0.5)} {words(0.3)}"
    assert [found for found in story(got) if found[0] != "TurnResumed"] == [
        ("EagerEndOfTurn", words(0.5)),
        ("EagerEndOfTurn", both),
        ("EndOfTurn", both),
    ]


async def test_a_client_ends_a_turn(listening: Server) -> None:
    force = json.dumps({"type": "ForceEndTurn"})
    heard = await stream(listening.url, PCM, [*pieces(sound(0.544)), force, *pieces(sound(0.352)), CLOSE], "/v2/listen")
    ends = [each for each in heard.of("TurnInfo") if each["event"] == "EndOfTurn"]
    assert [(each["transcript"], each["trigger"]) for each in ends] == [
        (words(0.5), "manual"),
        (words(0.3), "manual"),
    ]


async def test_silence_has_no_turns(listening: Server) -> None:
    heard = await stream(listening.url, PCM, [*pieces(sound(3.0, 0)), CLOSE], "/v2/listen")
    assert {each["event"] for each in heard.of("TurnInfo")} == {"Update"}


async def test_what_cannot_be_is_refused_over_http(listening: Server) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await stream(listening.url, f"{PCM}&eot_threshold=0.1", [], "/v2/listen")
    response = refused.value.response
    assert response.status_code == 400
    assert "eot_threshold" in json.loads(response.body or b"")["err_msg"]


async def test_pipecat_hears_turns(listening: Server) -> None:
    from pipecat.frames.frames import TranscriptionFrame
    from pipecat.services.deepgram.flux.stt import DeepgramFluxSTTService
    from protocols.test_realtime_pipecat import pipeline, play, until

    def heard(came: list[Any]) -> list[str]:
        return [frame.text for frame in came if isinstance(frame, TranscriptionFrame)]

    url = listening.url.replace("http", "ws") + "/v2/listen"
    service = DeepgramFluxSTTService(api_key="unused", url=url, sample_rate=24000)
    async with pipeline(service) as (task, came):
        await until(came, lambda came: service._connection_established_event.is_set())
        await play(task, tone(0.5) + tone(1.5, 0) + tone(0.3) + tone(1.5, 0))
        await until(came, lambda came: len(heard(came)) == 2)
        assert heard(came) == [words(0.5), words(0.3)]
