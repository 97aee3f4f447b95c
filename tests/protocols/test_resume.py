"""Clients of every live wire whose connection breaks, and who come back: each word once and in order."""

from __future__ import annotations

import asyncio
import io
import json
import time
import wave

import psutil
import pytest
import websockets
from protocols.conftest import Server, Start
from support.cut_proxy import cut_proxy
from support.live_wires import RATE, SOCKETS
from support.resuming import Line, resuming
from support.scripted_conversation import LIVE_MODELS, tone, words

PIECE = 3200
"""Bytes of 0.1 s of audio."""


def spoken(*seconds: float) -> bytes:
    return b"".join(tone(one, rate=RATE) + tone(1.0, level=0.0, rate=RATE) for one in seconds)


def recording(pcm16: bytes) -> bytes:
    """A WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(pcm16)
    return file.getvalue()


def said(*seconds: float) -> list[str]:
    return " ".join(words(one) for one in seconds).split()


def lowered(found: list[str]) -> list[str]:
    return [word.strip(".,!?").lower() for word in found]


@pytest.mark.parametrize("wire", SOCKETS)
async def test_each_word_once_when_the_connection_breaks_in_mid_speech(listening: Server, wire: str) -> None:
    """Three times: between messages, and with what was on its way in both directions."""
    audio = spoken(1.2, 0.9, 1.0)
    async with cut_proxy(listening.url) as proxy, resuming(wire, proxy.url) as one:
        for place in range(0, len(audio), PIECE):
            await one.client.send(audio[place : place + PIECE])
            await asyncio.sleep(0.01)
            if place // PIECE in (2, 40):
                proxy.deafen()
            if place // PIECE in (19, 27):
                proxy.swallow()
            if place // PIECE in (5, 22, 33, 46):
                proxy.cut()
                await one.come_back()
        assert lowered(await one.client.finish()) == said(1.2, 0.9, 1.0)
        assert not one.client.failures and len(one.line.greetings) == 4
        if wire == "flux":
            numbers = [json.loads(message)["sequence_id"] for message in one.line.received]
            assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("wire", ["deepgram", "flux", "whisperlive", "asr_diff"])
async def test_a_client_that_does_not_say_where_it_is_can_leave_out_what_comes_twice(
    listening: Server, wire: str
) -> None:
    audio = spoken(1.2, 0.9)
    async with cut_proxy(listening.url) as proxy, resuming(wire, proxy.url, position=False) as one:
        for place in range(0, len(audio), PIECE):
            await one.client.send(audio[place : place + PIECE])
            await asyncio.sleep(0.01)
            if place // PIECE in (8, 25):
                proxy.cut()
                await one.come_back()
        assert lowered(await one.client.finish()) == said(1.2, 0.9)


@pytest.mark.parametrize("wire", [wire for wire in SOCKETS if wire != "openai_realtime"])
async def test_the_last_words_wait_for_a_client_that_was_cut_off_at_the_end(listening: Server, wire: str) -> None:
    async with cut_proxy(listening.url) as proxy, resuming(wire, proxy.url) as one:
        while not one.line.received:  # it has begun
            await asyncio.sleep(0.01)
        await one.client.send(tone(0.7, rate=RATE))
        proxy.swallow()
        await one.client.end()
        await asyncio.sleep(0.3)
        proxy.cut()
        await one.come_back()
        await asyncio.wait_for(one.client.over.wait(), 10)
        assert lowered(one.client.words) == said(0.7)


async def test_a_finished_session_says_its_end_again(listening: Server) -> None:
    """The server has finished and closed, but nothing of it came."""
    async with cut_proxy(listening.url) as proxy, resuming("deepgram", proxy.url) as one:
        await one.client.send(tone(0.7, rate=RATE))
        while not one.line.received:
            await asyncio.sleep(0.01)
        proxy.deafen()
        await one.client.end()
        await asyncio.sleep(0.5)
        proxy.cut()
        await one.come_back()
        await asyncio.wait_for(one.client.over.wait(), 10)
        assert lowered(one.client.words) == said(0.7)
        assert (await one.line.closed())[0] == 1000


async def test_speech_goes_on_to_the_byte(listening: Server) -> None:
    async with cut_proxy(listening.url) as proxy:
        line = Line(proxy.url, "/v1/speak?model=aura-2-thalia-en&encoding=linear16&sample_rate=24000")
        await line.open()
        metadata = json.loads(await line.recv())
        for number in range(3):
            await line.send(json.dumps({"type": "Speak", "text": f"Here are five words, {number}. "}))
            await line.send(json.dumps({"type": "Flush"}))
            proxy.swallow()
            await asyncio.sleep(0.1)
            proxy.cut()
            await line.come_back()
            while not (isinstance(message := await line.recv(), str) and "Flushed" in message):
                assert len(line.received) < 100
        sound = b"".join(message for message in line.received if isinstance(message, bytes))
        assert len(sound) == 3 * 5 * 4800
        greeting = line.greetings[0]
        assert greeting["type"] == "Metadata" and greeting["request_id"] == metadata["request_id"] == line.id
        await line.close()


async def test_a_recording_is_transcribed_once(listening: Server) -> None:
    async with cut_proxy(listening.url) as proxy:
        line = Line(proxy.url, "/ws/transcribe")
        await line.open()
        await line.send('{"type": "transcribe", "language": "en"}')
        proxy.cut()
        await line.come_back()
        assert line.greetings[0]["type"] == "resumed"
        await line.send(recording(tone(1.0, rate=RATE)))
        proxy.swallow()
        await asyncio.sleep(0.2)
        proxy.cut()
        await line.come_back()
        assert json.loads(await line.recv())["text"] == words(1.0)
        await line.send('{"type": "ping"}')
        assert json.loads(await line.recv())["type"] == "pong"
        await line.close()


UNKNOWN = "session_id=sess_of_another"


async def test_every_wire_says_that_a_session_is_unknown(listening: Server) -> None:
    host = listening.url.replace("http", "ws")
    for path in ("/v1/listen", "/v2/listen", "/v1/speak"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"{host}{path}?{UNKNOWN}", proxy=None)
        response = refused.value.response
        assert response.status_code == 404 and b"SESSION_NOT_FOUND" in response.body
        assert "begin a new one" in response.headers["dg-error"]
    expected = {
        "/v1/realtime": (1008, lambda said: said["error"]["message"], "session_not_found"),
        "/asr": (4400, lambda said: said["error"], "unknown_session"),
        "/": (1008, lambda said: said["message"], "unknown_session"),
        "/ws/transcribe": (1008, lambda said: said["error"], "unknown_session"),
    }
    for path, (code, text, reason) in expected.items():
        async with websockets.connect(f"{host}{path}?{UNKNOWN}", proxy=None) as socket:
            assert "begin a new one" in text(json.loads(await socket.recv()))
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (code, reason)


async def test_the_newer_of_two_connections_wins(listening: Server) -> None:
    old = Line(listening.url, "/v1/realtime?model=gpt-realtime")
    await old.open()
    await old.recv()
    new = Line(listening.url, "/v1/realtime?model=gpt-realtime")
    new.id = old.id
    await new.come_back("&received=1")
    assert await old.closed() == (4409, "the session goes on in another connection")
    await new.send(json.dumps({"type": "conversation.item.retrieve", "item_id": "none"}))
    assert json.loads(await new.recv())["type"] == "error"
    await new.close()
    assert await refusal(listening, new.id) == "session_not_found"  # it has ended


async def test_a_place_that_is_wrong_is_told(listening: Server) -> None:
    for query, message, code in (
        ("received=many", "must be the number of messages", "bad_request"),
        ("received=99", "never sent", "session_not_found"),
        ("last_event_id=event_none", "never sent", "session_not_found"),
    ):
        line = Line(listening.url, "/v1/realtime?model=gpt-realtime")
        await line.open()
        address = f"{listening.url.replace('http', 'ws')}/v1/realtime?session_id={line.id}&{query}"
        async with websockets.connect(address, proxy=None) as socket:
            error = json.loads(await socket.recv())["error"]
            assert message in error["message"] and error["code"] == code
        await line.close()


async def refusal(server: Server, id: str, **headers: str) -> str:
    """The code of the error that a client of /v1/realtime gets who wants to go on with the session `id`."""
    address = f"{server.url.replace('http', 'ws')}/v1/realtime?session_id={id}"
    async with websockets.connect(address, proxy=None, additional_headers=headers) as socket:
        return str(json.loads(await socket.recv())["error"]["code"])


async def test_a_client_that_comes_too_late_must_begin_anew(conversing: Server) -> None:
    async with cut_proxy(conversing.url) as proxy:
        line = Line(proxy.url, "/v1/realtime?model=gpt-realtime")
        await line.open()
        await line.recv()
        proxy.cut()
        await asyncio.sleep(1.5)  # it is kept for a second
    assert await refusal(conversing, line.id) == "session_not_found"


async def test_a_clean_close_ends_a_session_at_once(listening: Server) -> None:
    for code in (1000, 1001):
        async with websockets.connect(f"{listening.url.replace('http', 'ws')}/v1/realtime", proxy=None) as socket:
            id = json.loads(await socket.recv())["session"]["id"]
            await socket.close(code)
        assert await refusal(listening, id) == "session_not_found"


async def test_a_kept_session_has_its_place_and_is_its_keys_alone(start_server: Start) -> None:
    flags = ("--max-sessions", "1", "--api-key", "one", "--api-key", "two")
    one, two = {"Authorization": "Bearer one"}, {"Authorization": "Bearer two"}
    with start_server(*flags, SPEECHMLX_MODELS=LIVE_MODELS, SPEECHMLX_RESUME_WINDOW="20") as server:
        async with cut_proxy(server.url) as proxy:
            line = Line(proxy.url, "/v1/realtime?model=gpt-realtime")
            await line.open(**one)
            await line.recv()
            proxy.cut()
            assert await refusal(server, line.id, **two) == "session_not_found"
            with server.client() as client:
                assert "speechmlx_sessions_away 1.0" in client.get("/metrics", headers=one).text
            stranger = Line(server.url, "/v1/realtime?model=gpt-realtime")
            await stranger.open(**two)
            assert "max_sessions" in json.loads(await stranger.recv())["error"]["message"]
            await line.come_back(**one)
            proxy.cut()
            while server.log.read_text().count("its session is kept for 20 s") < 2:
                await asyncio.sleep(0.02)
        began = time.monotonic()
    assert time.monotonic() - began < 15  # it does not wait for that client
    assert "Traceback" not in server.log.read_text() and "stopped" in server.log.read_text()


async def test_many_cuts_leave_nothing(listening: Server) -> None:
    """In the middle of speech: the memory of the server stays, and the session too."""
    server = psutil.Process(listening.process.pid)
    silence = tone(0.1, level=0.0, rate=RATE)
    async with cut_proxy(listening.url) as proxy, resuming("deepgram", proxy.url) as one:
        for number in range(150):
            if number == 50:
                before = server.memory_info().rss
            await one.client.send(silence)
            proxy.cut()
            await one.come_back()
        grown = server.memory_info().rss - before
        await one.client.send(tone(0.5, rate=RATE))
        assert lowered(await one.client.finish()) == said(0.5)
    assert grown < 20_000_000, grown
