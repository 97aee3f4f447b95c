"""A conversation as OpenAI's chat completions want it, and what servers answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speechmlx.conversation.llm.remote import NOTHING, Completion, chat
from speechmlx.errors import EngineFailed
from speechmlx.types import FunctionCall, Message, TextDelta, Usage


def call(id: str, name: str = "f", arguments: str = "{}") -> Message:
    return Message("assistant", call=FunctionCall(name, arguments, id))


def test_calls_and_what_they_returned() -> None:
    """Together in one message, after what was said with them; one without an answer is given one."""
    written = chat(
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
        ("tool", "C", NOTHING),
        ("user", None, "And?"),
        ("user", None, "rain"),
        ("assistant", None, None),
        ("tool", "D", NOTHING),
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
    events = [event for line in lines for event in completion.line(line)] + completion.end()
    return [event.text if isinstance(event, TextDelta) else event for event in events], completion.usage


def test_a_stream() -> None:
    usage = 'data: {"usage": {"prompt_tokens": 7, "completion_tokens": 5}}'
    texts, used = read(
        "event: x", ": ping", delta("A line\u2028break, "), "", delta("and\x85more."), usage, "data: [DONE]"
    )
    assert ("".join(texts), used) == ("A line\u2028break, and\x85more.", Usage(tokens_in=7, tokens_out=5))
    assert read(delta("Hello", "length"))[1].cut_off


def test_an_answer_in_one_piece() -> None:
    call = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    whole = {"choices": [{"message": {"content": "Hello.", "tool_calls": [call]}, "finish_reason": "stop"}]}
    assert read(*json.dumps(whole, indent=1).split("\n"))[0] == ["Hello.", FunctionCall("f", "{}")]


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
