"""Answers written by a language model elsewhere, over OpenAI's chat completions: text, tools, errors, nobody there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from support.realtime_client import talk
from support.scripted_conversation import MODELS, SPEECH_RATE, tone, words

from speechmlx.audio.encode import wav_header

if TYPE_CHECKING:
    from protocols.conftest import Start


class Elsewhere(BaseHTTPRequestHandler):
    """Answers with the last message's words; "tool" calls the first tool, "fail" fails."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, "key": self.headers["Authorization"], **given})  # type: ignore[attr-defined]
        last = given["messages"][-1]
        self.send_response(500 if last["content"] == "fail" else 200)
        self.end_headers()
        if last["content"] == "tool":
            function = {"name": given["tools"][0]["function"]["name"], "arguments": '{"city":'}
            self._say({"tool_calls": [{"index": 0, "id": "x", "function": function}]})
            self._say({"tool_calls": [{"index": 0, "function": {"arguments": '"Paris"}'}}]})
        else:
            for word in f"You said: {last['content']}. That is all.".split(" "):
                self._say({"content": f"{word} "})
        if last["content"] == "long":
            self.wfile.write(b'data: {"choices": [{"delta": {}, "finish_reason": "length"}]}\n\n')
        usage = {"prompt_tokens": 7, "completion_tokens": 5}
        self.wfile.write(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode())

    def _say(self, delta: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n".encode())

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


async def test_a_conversation(start_server: Start, elsewhere: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{elsewhere.server_port}/v1"
    settings = {"SPEECHMLX_LLM_URL": url, "SPEECHMLX_LLM_URL_MODEL": "theirs", "SPEECHMLX_LLM_URL_KEY": "secret"}
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    with start_server(SPEECHMLX_MODELS=MODELS, **settings) as server:
        async with talk(server.url, tools=[tool]) as ws:
            await ws.say("good morning")
            await ws.send("response.create")
            response = (await ws.until("response.done"))["response"]
            assert response["output"][0]["content"][0]["transcript"].startswith("You said: good morning.")
            assert response["usage"]["input_tokens"] == 7
            assert len(ws.audio()) > 24000
            await ws.say("tool")
            await ws.send("response.create")
            (call,) = (await ws.until("response.done"))["response"]["output"]
            assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "Paris"})
            output = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
            await ws.send("conversation.item.create", item=output)
            await ws.send("response.create")
            await ws.until("response.done")
            await ws.say("long")
            await ws.send("response.create", response={"tool_choice": "required", "temperature": 0.6})
            response = (await ws.until("response.done"))["response"]
            assert (response["status"], response["usage"]["input_tokens"]) == ("incomplete", 7)
            await ws.say("fail")
            await ws.send("response.create")
            error = (await ws.until("response.done"))["response"]["status_details"]["error"]
            assert "answered 500" in error["message"]
    asked = elsewhere.asked  # type: ignore[attr-defined]
    assert {(one["path"], one["key"], one["model"]) for one in asked} == {
        ("/v1/chat/completions", "Bearer secret", "theirs")
    }
    assert [one["tool_choice"] for one in asked] == ["auto", "auto", "auto", "required", "auto"]
    assert [one["temperature"] for one in asked] == [0.0, 0.0, 0.0, 0.6, 0.0]
    assert ["by calling" in one["messages"][0]["content"] for one in asked] == [False, False, False, True, False]
    called, answered = asked[2]["messages"][-2:]
    assert called["tool_calls"][0]["id"] == answered["tool_call_id"]
    assert asked[0]["tools"][0] == {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def test_a_spoken_question(start_server: Start, elsewhere: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{elsewhere.server_port}/v1"
    settings = {"SPEECHMLX_LLM_URL": url, "SPEECHMLX_LLM_URL_MODEL": "theirs"}
    pcm16 = tone(1.0)
    recording = wav_header(SPEECH_RATE, len(pcm16) // 2) + pcm16
    with start_server(SPEECHMLX_MODELS=MODELS, **settings) as server, server.client() as client:
        found = client.post("/respond?format=json", content=recording).json()
    assert found["text"].strip() == f"You said: {words(1.0)}. That is all."
    assert found["model"] == "talking-asr+theirs+talking-tts"
    (asked,) = elsewhere.asked  # type: ignore[attr-defined]
    assert asked["messages"][-1] == {"role": "user", "content": words(1.0)}


async def test_nobody_is_there(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=MODELS, SPEECHMLX_LLM_URL="http://me:secret@127.0.0.1:9/v1") as server:
        async with talk(server.url) as ws:
            await ws.say("hello")
            await ws.send("response.create")
            error = (await ws.until("response.done"))["response"]["status_details"]["error"]
            assert error["code"] == "model_load_error"
            told = "the language model at http://127.0.0.1:9/v1/chat/completions cannot be reached"
            assert error["message"].startswith(told)
        log = server.log.read_text()
        assert told in log and "secret" not in log
