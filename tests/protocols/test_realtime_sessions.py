"""Sessions of /v1/realtime: updates, their limit, subprotocols, secrets of clients, sessions over HTTP."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import websockets
from support.realtime_client import MANUAL, Json, Talk, talk, text_of
from support.scripted_conversation import tone, words

if TYPE_CHECKING:
    from protocols.conftest import Server, Start


async def test_a_partial_update_changes_nothing_else(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": {"turn_detection": {"type": "semantic_vad"}}}) as ws:
        await ws.send("session.update", session={"type": "realtime", "tracing": None})
        session = (await ws.until("session.updated"))["session"]
        assert session["audio"]["input"]["turn_detection"] == {
            "type": "semantic_vad",
            "eagerness": "auto",
            "create_response": True,
            "interrupt_response": True,
        }
        update = {"type": "realtime", "something_new": 1, "audio": {"input": {"turn_detection": {"eagerness": "low"}}}}
        await ws.send("session.update", session=update)
        session = (await ws.until("session.updated"))["session"]
        assert session["audio"]["input"]["turn_detection"]["eagerness"] == "low"
        assert session["audio"]["output"]["voice"] == "alloy"


async def test_the_limit_of_sessions(start_server: Start) -> None:
    with start_server(SPEECHMLX_MAX_SESSIONS="1") as server:
        async with talk(server.url):
            address = server.url.replace("http", "ws") + "/v1/realtime"
            async with websockets.connect(address, proxy=None) as refused:
                error = json.loads(await refused.recv())["error"]
                assert error["code"] == "session_limit_reached"
                assert "1 live sessions" in error["message"]
                with pytest.raises(websockets.ConnectionClosed):
                    await refused.recv()
                assert refused.close_code == 1008
        async with talk(server.url, audio={"input": {"turn_detection": {"type": "server_vad"}}}) as ws:
            await ws.play(tone(60.0))
            ws.socket.transport.abort()
        async with talk(server.url) as ws:  # that one still ends
            assert ws.kinds == ["session.created"]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["realtime", "openai-insecure-api-key.any", "openai-beta.realtime-v1"], "realtime"),
        (["openai-insecure-api-key.any", "openai-beta.realtime-v1"], "openai-beta.realtime-v1"),
        (["openai-insecure-api-key.any"], "openai-insecure-api-key.any"),
    ],
)
async def test_the_subprotocol_of_browsers(conversing: Server, offered: Any, chosen: str) -> None:
    """Which leave when none of those that they offered is chosen."""
    address = conversing.url.replace("http", "ws") + "/v1/realtime?model=local"
    async with websockets.connect(address, subprotocols=offered, proxy=None) as socket:
        assert socket.subprotocol == chosen
        session = json.loads(await socket.recv())["session"]
        assert ("input_audio_format" in session) == ("openai-beta.realtime-v1" in offered)


@pytest.mark.parametrize(
    "query", ["?intent=transcription", "?model=gpt-realtime-whisper", "?model=gpt-live-transcribe"]
)
async def test_a_model_that_looks_for_no_turns_waits_for_the_commit(conversing: Server, query: str) -> None:
    heard: Json = {"audio": {"input": {"transcription": {"model": "gpt-live-transcribe"}}}} if "intent" in query else {}
    async with talk(conversing.url, query, **heard) as ws:
        assert ws.events[-1]["session"]["type"] == "transcription"
        assert ws.events[-1]["session"]["audio"]["input"]["turn_detection"] is None
        await ws.play(tone(0.4) + tone(0.8, 0) + tone(0.4))
        await ws.send("input_audio_buffer.commit")
        completed = await ws.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == words(1.6)
        assert not ws.of("input_audio_buffer.speech_started")
        await ws.send("input_audio_buffer.commit")
        assert (await ws.failure())["code"] == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("client_secrets", {"session": {"type": "realtime", "model": "m"}}, "value"),
        ("client_secrets", {"session": {"type": "transcription"}, "expires_after": {"seconds": 60}}, "value"),
        ("sessions", {"model": "m", "voice": "ash", "modalities": ["text"]}, "client_secret"),
        ("sessions", {"client_secret": {"expires_after": {"seconds": 7200}}}, "client_secret"),
        ("transcription_sessions", {"input_audio_format": "g711_ulaw"}, "client_secret"),
    ],
)
def test_sessions_over_http(conversing: Server, path: str, body: dict[str, Any], field: str) -> None:
    with conversing.client() as client:
        made = client.post(f"/v1/realtime/{path}", json=body).json()
        assert made[field]
        if path == "client_secrets":
            from openai.types.realtime import ClientSecretCreateResponse

            ClientSecretCreateResponse.model_validate_json(json.dumps(made), strict=True)
        asked = {"client_secrets": body, "sessions": body.get("client_secret", {})}.get(path, {})
        expires = (made if path == "client_secrets" else made["client_secret"])["expires_at"]
        assert 0 <= time.time() + asked.get("expires_after", {}).get("seconds", 600) - expires < 10
        wrong = {"session": {"audio": 1, "voice": "x"}} if path == "client_secrets" else {"audio": 1, "voice": "x"}
        refused = client.post(f"/v1/realtime/{path}", json=wrong)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "session.audio")
        refused = client.post(f"/v1/realtime/{path}", content=b"{")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_json")
        large = client.post(f"/v1/realtime/{path}", json={**body, "instructions": "word " * 300_000})
        assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("how", ["bearer", "subprotocol"])
async def test_a_secret_opens_the_session_it_was_made_for(conversing: Server, how: str) -> None:
    heard = {"transcription": {"model": "talking-live"}, "turn_detection": None}
    given = {"session": {"type": "transcription", "audio": {"input": heard}}}
    with conversing.client() as client:
        made = client.post("/v1/realtime/client_secrets", json=given).json()
    address = conversing.url.replace("http", "ws") + "/v1/realtime"
    headers = {"Authorization": f"Bearer {made['value']}"} if how == "bearer" else {}
    offered: Any = ["realtime", f"openai-insecure-api-key.{made['value']}"] if how == "subprotocol" else None
    async with websockets.connect(address, additional_headers=headers, subprotocols=offered, proxy=None) as socket:
        ws = Talk(socket, "ga")
        session = (await ws.next())["session"]
        own = {"id": session["id"], "expires_at": session["expires_at"]}
        assert session == {**made["session"], **own} and session["id"] != made["session"]["id"]
        await ws.play(tone(0.3))
        await ws.send("input_audio_buffer.commit")
        completed = await ws.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == words(0.3)


@pytest.mark.parametrize(("made_for", "opened"), [({}, "of-the-address"), ({"model": "m"}, "m")])
async def test_a_secret_may_leave_the_model_to_the_address(
    conversing: Server, made_for: dict[str, Any], opened: str
) -> None:
    with conversing.client() as client:
        made = client.post("/v1/realtime/client_secrets", json={"session": {"type": "realtime", **made_for}}).json()
    address = conversing.url.replace("http", "ws") + "/v1/realtime?model=of-the-address"
    async with websockets.connect(
        address, additional_headers={"Authorization": f"Bearer {made['value']}"}, proxy=None
    ) as socket:
        assert (await Talk(socket, "ga").next())["session"]["model"] == opened


def test_a_session_without_turns_over_http(conversing: Server) -> None:
    with conversing.client() as client:
        made = client.post("/v1/realtime/sessions", json={"turn_detection": None}).json()
        assert made["turn_detection"] is None


async def test_a_message_of_any_size_is_an_error_and_no_end(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        for size, says in ((16, "15 MiB"), (25, "24 MiB")):
            await ws.send("input_audio_buffer.append", audio="A" * (size * 1024 * 1024))
            assert says in (await ws.failure())["message"]
        await ws.say("hello")
        assert "hello" in text_of(await ws.answer())


@pytest.mark.parametrize("before", ["", "Let me see. "])
async def test_a_function_that_nobody_offered_is_neither_called_nor_said(conversing: Server, before: str) -> None:
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    async with talk(conversing.url, **MANUAL, tools=[tool]) as ws:
        await ws.say(f'say {before}<tool_call>{{"name": "dance", "arguments": {{}}}}</tool_call>')
        response = await ws.answer()
        if before:
            assert (response["status"], text_of(response)) == ("completed", "Let me see.")
        else:
            assert response["status"] == "failed"
            assert "'dance'" in response["status_details"]["error"]["message"]
            assert "get_weather" in response["status_details"]["error"]["message"]
        assert not ws.of("response.function_call_arguments.done")
        await ws.say('say {"name": "Bob", "age": 3}')
        assert text_of(await ws.answer()) == '{"name": "Bob", "age": 3}'
