"""A model that hears and speaks at once behind /v1/realtime: a scripted one, and Moshi with small random weights."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import openai
import pytest
import websockets
from protocols.conftest import openai_client, serve
from protocols.test_soniqo_moshi import made_folder
from support.realtime_client import Talk, talk
from support.realtime_order import ANSWER, DIALECTS, assert_linked, folded, named, voice
from support.scripted_duplex import level, tone

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16

if TYPE_CHECKING:
    from protocols.conftest import Server

QUERY = "?model=talking-duplex"
SAID = tone(3) + tone(30, 0)


@DIALECTS
async def test_an_answer_in_the_documented_order(conversing: Server, dialect: str) -> None:
    async with talk(conversing.url, QUERY, dialect, **voice(dialect, "dirk")) as ws:
        for _ in range(2):
            await ws.play(SAID, 3840)
            done = (await ws.until("response.done"))["response"]
            assert done["status"] == "completed"
            assert done["output"][0]["content"][0]["transcript"] == "word word word "
        kinds = ws.kinds[ws.kinds.index("response.created") :]
        assert folded(kinds) == [*named(dialect, *ANSWER)] * 2
        assert_linked(ws)
        assert ws.audio() == (tone(1) * 3 + tone(15, 0)) * 2


async def test_g711_both_ways_and_a_voice_that_is_none(conversing: Server) -> None:
    sides = {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcmu"}}}
    async with talk(conversing.url, QUERY, audio=sides) as ws:
        sound = g711.encode(from_pcm16(tone(3, rate=8000) + tone(30, 0, rate=8000)), "ulaw")
        await ws.play(sound, 160)
        await ws.until("response.done")
        assert len(ws.audio()) == pytest.approx(18 * 640, abs=2000)
        await ws.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "nodirk"}}})
        error = await ws.failure()
        assert "dirk" in error["message"] and error["param"] == "session.audio.output.voice"


async def test_errors_have_the_clients_event_and_the_session_goes_on(conversing: Server) -> None:
    async with talk(conversing.url, QUERY) as ws:
        await ws.send("response.create", event_id="mine")
        error = await ws.failure()
        assert (error["code"], error["event_id"]) == ("answers_by_itself", "mine")
        await ws.send("session.update", session={"type": "realtime", "instructions": "fail"})
        await ws.until("session.updated")
        await ws.play(SAID)
        assert (await ws.failure())["message"] == "this role cannot be played"
        await ws.send("session.update", session={"type": "realtime", "instructions": ""})
        await ws.play(SAID)
        assert (await ws.until("response.done"))["response"]["status"] == "completed"


async def test_a_slow_model_is_told_and_loses_nothing(conversing: Server) -> None:
    async with talk(conversing.url, QUERY, instructions="work") as ws:
        await ws.play(tone(12))
        error = await ws.failure()
        assert error["code"] == "model_behind" and error["type"] == "server_error"
        await ws.send("input_audio_buffer.append", audio=base64.b64encode(tone(2, 0)).decode())
        await ws.until("response.output_audio.delta", "response.done")
        assert ws.kinds.count("error") == 1


async def test_a_client_that_comes_back_goes_on(conversing: Server) -> None:
    async with talk(conversing.url, QUERY) as ws:
        await ws.play(tone(3))
        session, last = ws.events[0]["session"]["id"], ws.events[-1]["event_id"]
        ws.socket.transport.abort()
    await asyncio.sleep(0.1)
    address = conversing.url.replace("http", "ws") + f"/v1/realtime{QUERY}&session_id={session}&last_event_id={last}"
    async with websockets.connect(address, proxy=None) as socket:
        again = Talk(socket, "ga")
        resumed = json.loads(await socket.recv())["resumed"]
        await again.play((tone(3) + tone(30, 0))[4800 * resumed["received"] :])
        done = (await again.until("response.done"))["response"]
    assert (done["status"], done["output"][0]["content"][0]["transcript"]) == ("completed", "word word word ")


async def test_openais_client_hears_it(conversing: Server) -> None:
    client = openai.AsyncOpenAI(api_key="any", base_url=f"{conversing.url}/v1")
    async with asyncio.timeout(60), client, client.realtime.connect(model="talking-duplex") as connection:
        await connection.session.update(session={"type": "realtime", "instructions": "Be kind."})
        await connection.input_audio_buffer.append(audio=base64.b64encode(SAID).decode())
        text, sound = "", b""
        async for event in connection:
            if event.type == "response.output_audio_transcript.delta":
                text += event.delta
            elif event.type == "response.output_audio.delta":
                sound += base64.b64decode(event.delta)
            elif event.type == "response.done":
                break
            else:
                assert event.type != "error", event
    assert text == "word word word " and level(sound) > 0.01


def test_the_model_is_listed_like_others(conversing: Server) -> None:
    with openai_client(f"{conversing.url}/v1", 30) as client:
        assert "talking-duplex" in {model.id for model in client.models.list()}


@pytest.fixture(scope="module")
def moshi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("moshi-live")
    with serve(home / "server", SPEECHMLX_CATALOG="support.moshi_row:extend", TINY_MOSHI=made_folder(home)) as server:
        yield server


async def test_moshi_speaks_frame_by_frame_while_it_hears(moshi: Server) -> None:
    async with talk(moshi.url, "?model=tiny-s2s", **voice("ga", "NATF0"), instructions="You teach.") as ws:
        ws.patience = 100.0
        await ws.play(tone(25), 3840)
        while len(ws.audio()) < 10 * 3840:
            await ws.next()
        assert all(len(base64.b64decode(one["delta"])) == 3840 for one in ws.of("response.output_audio.delta"))
        assert ws.of("response.created") and level(ws.audio()) > 0
        assert not [one for one in ws.of("error") if one["error"]["code"] != "model_behind"]
