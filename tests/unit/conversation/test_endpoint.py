"""A conversation as OpenAI's chat completions want it."""

from __future__ import annotations

from speechmlx.conversation.endpoint import NOTHING, chat
from speechmlx.conversation.history import call_text
from speechmlx.types import Message


def call(id: str, name: str = "f", arguments: str = "{}") -> Message:
    return Message("assistant", call_text(name, arguments), id)


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
