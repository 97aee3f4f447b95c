"""Chats in the form of OpenAI's chat completions, and the answers of servers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx
import pytest

from speechmlx.config import Config
from speechmlx.conversation.llm.remote import (
    NO_RESULT,
    Completion,
    RemoteLanguageModel,
    build_body,
    chat_messages,
    remote_language_model,
)
from speechmlx.errors import EngineFailed, ModelUnavailable
from speechmlx.types import Event, FunctionCall, Generate, Message, TextDelta, Usage


def call(id: str, name: str = "f", arguments: str = "{}") -> Message:
    return Message("assistant", call=FunctionCall(name, arguments, id))


def test_calls_and_what_they_returned() -> None:
    """Together in one message, after what was said with them; one without an answer is given one."""
    written = chat_messages(
        [
            Message("user", "Weather?"),
            Message("assistant", "Let me see."),
            call("A", arguments='{"city": "Paris"}'),
            call("B", "g", "no json"),
            Message("tool", "sun", "A"),
            Message("tool", "snow", "B"),
            call("C"),
            Message("user", "And?"),
            Message("tool", "rain", "gone"),
            call("D"),
        ]
    )
    assert [(one["role"], one.get("tool_call_id"), one["content"]) for one in written] == [
        ("user", None, "Weather?"),
        ("assistant", None, "Let me see."),
        ("tool", "A", "sun"),
        ("tool", "B", "snow"),
        ("assistant", None, None),
        ("tool", "C", NO_RESULT),
        ("user", None, "And?"),
        ("user", None, "rain"),
        ("assistant", None, None),
        ("tool", "D", NO_RESULT),
    ]
    calls = [[entry["id"] for entry in one["tool_calls"]] for one in written if "tool_calls" in one]
    assert calls == [["A", "B"], ["C"], ["D"]]
    assert [entry["function"] for entry in written[1]["tool_calls"]] == [
        {"name": "f", "arguments": '{"city": "Paris"}'},
        {"name": "g", "arguments": "no json"},
    ]


def delta(content: str | None = None, finish: str | None = None, *calls: Any) -> str:
    choice = {"delta": {"content": content, "tool_calls": list(calls)}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}"


def piece(index: int | None, id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    return {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}


def read(*lines: str) -> tuple[list[str | FunctionCall], Usage]:
    """The texts and calls of an answer."""
    completion = Completion("fgh")
    events = [event for line in lines for event in completion.push_line(line)] + completion.finish()
    return [event.text if isinstance(event, TextDelta) else event for event in events], completion.usage


def test_a_stream() -> None:
    usage = 'data: {"usage": {"prompt_tokens": 7, "completion_tokens": 5}}'
    texts, used = read(
        "event: x", ": ping", delta("A line\u2028break, "), "", delta("and\x85more."), usage, "data: [DONE]"
    )
    assert ("".join(map(str, texts)), used) == ("A line\u2028break, and\x85more.", Usage(tokens_in=7, tokens_out=5))
    assert read(delta("Hello", "length"))[1].cut_off


def test_an_answer_in_one_piece() -> None:
    call = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    whole = {"choices": [{"message": {"content": "Hello.", "tool_calls": [call]}, "finish_reason": "stop"}]}
    assert read(*json.dumps(whole, indent=1).split("\n"))[0] == ["Hello.", FunctionCall("f", "{}")]


def test_half_a_character_is_a_sign() -> None:
    """A surrogate alone would fail where the answer is sent."""
    completion = Completion()
    events = completion.push_line(r'data: {"choices": [{"delta": {"content": "a\ud800b \ud83d\ude00"}}]}')
    assert events == [TextDelta("a�b 😀")]


def test_calls_in_pieces_and_whole() -> None:
    texts, _ = read(
        delta(None, None, piece(0, "a", "f", '{"x":')),
        delta(None, None, piece(0, None, None, " 1}"), piece(0, "b", "g", "{}")),
        delta(None, "tool_calls", piece(None, None, "h", "{}"), piece(None, None, "h", "{}")),
    )
    assert texts == [
        FunctionCall("f", '{"x": 1}'),
        FunctionCall("g", "{}"),
        FunctionCall("h", "{}"),
        FunctionCall("h", "{}"),
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (['{"error": "Unexpected endpoint"}'], "Unexpected endpoint"),
        (['data: {"error": {"message": "out of memory"}}'], "out of memory"),
        ([delta("Half, "), 'data: {"error": {"code": 1}}'], "'code': 1"),
        ([delta("Half, ")], "broke off"),
        ([], "broke off"),
        (["<html>", "Not found"], "no chat completion: <html>"),
        (['{"message": "no"}'], 'no chat completion: {"message": "no"}'),
        (["data: {"], "no chat completion: {"),
        (["data: []"], "no chat completion"),
        (['data: {"choices": [3]}'], "no chat completion"),
    ],
)
def test_what_is_no_answer_is_an_error(lines: list[str], says: str) -> None:
    with pytest.raises(EngineFailed, match=says):
        read(*lines)


def test_reasoning_and_calls_in_plain_text_are_typed() -> None:
    """Servers that do not parse their model's text."""
    texts, _ = read(
        delta("<think>Hm."),
        delta('</think>\nLet me see. <tool_call>{"name": "f", '),
        delta('"arguments": {}}</tool_call>', "stop"),
    )
    assert texts == ["Let me see.", FunctionCall("f", "{}")]


def test_tokens_of_reasoning_are_counted_with_the_next_text() -> None:
    completion = Completion()
    events = [event for text in ("<think>", "Hm.", "</think>", "Hi") for event in completion.push_line(delta(text))]
    assert events == [TextDelta("Hi", 4)]


@pytest.mark.parametrize(("choice", "sent"), [("auto", "auto"), ("f", {"type": "function", "function": {"name": "f"}})])
def test_the_body_of_a_request(choice: str, sent: object) -> None:
    request = Generate(
        messages=(Message("user", "Hi"),),
        max_tokens=5,
        temperature=0.5,
        tools=({"type": "function", "name": "f", "parameters": {}},),
        tool_choice=choice,
    )
    body = build_body(request, "m")
    assert (body["model"], body["max_tokens"], body["temperature"], body["stream"]) == ("m", 5, 0.5, True)
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    assert body["tools"] == [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    assert body["tool_choice"] == sent
    assert "tools" not in build_body(Generate(messages=()), None) and build_body(request, None)["model"] == "default"


# --- Over HTTP -----------------------------------------------------------------------------------------------------

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], None]:
    def serve(handler: Handler) -> None:
        transport = httpx.MockTransport(handler)
        monkeypatch.setattr(httpx, "AsyncClient", partial(httpx.AsyncClient, transport=transport))

    return serve


async def generate(url: str = "http://me:secret@server/v1/") -> list[Event]:
    async with RemoteLanguageModel(url, "key", None)(Generate(messages=(Message("user", "Hi"),))) as events:
        return [event async for event in events]


async def test_an_answer(serve: Callable[[Handler], None]) -> None:
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, text=f"{delta('Hel')}\n\n{delta('lo.', 'stop')}\n\ndata: [DONE]\n")

    serve(handler)
    assert await generate("http://server/v1/") == [TextDelta("Hel"), TextDelta("lo."), Usage()]
    assert (requests[0].url.path, requests[0].headers["authorization"]) == ("/v1/chat/completions", "Bearer key")


async def test_a_refusal(serve: Callable[[Handler], None]) -> None:
    serve(lambda request: httpx.Response(404, text="no such model"))
    with pytest.raises(EngineFailed, match="at http://server/v1/chat/completions answered 404: no such model"):
        await generate()


async def test_a_server_that_is_not_there(serve: Callable[[Handler], None]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    serve(handler)
    with pytest.raises(ModelUnavailable, match="at http://server/v1/chat/completions cannot be reached: refused"):
        await generate()


@pytest.mark.parametrize(("status", "said"), [(200, "sent a line of over 16 MiB"), (500, "answered 500: xxx")])
async def test_an_answer_without_end_is_not_kept(serve: Callable[[Handler], None], status: int, said: str) -> None:
    sent = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 100:  # MiB
                sent += 1
                yield b"x" * (1 << 20)

    serve(lambda request: httpx.Response(status, stream=Endless()))
    with pytest.raises(EngineFailed, match=said):
        await generate()
    assert sent <= 17


async def test_a_connection_that_breaks(serve: Callable[[Handler], None]) -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield f"{delta('Hel')}\n".encode()
            raise httpx.ReadError("reset")

    serve(lambda request: httpx.Response(200, stream=Broken()))
    with pytest.raises(EngineFailed, match="broke off: reset"):
        await generate()


def test_the_address_is_optional() -> None:
    assert remote_language_model(Config()) is None
    assert isinstance(remote_language_model(Config(llm_url="http://server/v1")), RemoteLanguageModel)
