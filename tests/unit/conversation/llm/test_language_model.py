"""What a language model is asked."""

from __future__ import annotations

import pytest

from speechmlx.conversation.llm.language_model import (
    INSTRUCTIONS,
    MAX_TOKENS,
    REPETITION_PENALTY,
    build_request,
    select_tools,
)
from speechmlx.conversation.settings import Answering
from speechmlx.errors import BadRequest
from speechmlx.types import Message, Priority

TOOLS = ({"type": "function", "name": "f"}, {"type": "function", "name": "g"})
HI = Message("user", "Hi")


def test_the_tools_that_are_offered() -> None:
    tools = ({"type": "function", "name": "f"}, {"type": "function", "name": "g"})
    assert select_tools(tools, "auto") == select_tools(tools, "required") == tools
    assert select_tools(tools, "none") == ()
    assert select_tools(tools, {"name": "g"}) == tools[1:]
    with pytest.raises(BadRequest, match=r"'h'.*f, g"):
        select_tools(tools, {"name": "h"})


def test_a_request_without_settings() -> None:
    request = build_request(Answering(), (HI,), "m")
    assert request.messages == (Message("system", f"{INSTRUCTIONS}"), HI)
    assert (request.model, request.max_tokens, request.temperature) == ("m", MAX_TOKENS, 0.0)
    assert (request.repetition_penalty, request.tools, request.priority) == (REPETITION_PENALTY, (), Priority.REALTIME)


def test_system_messages_are_joined_to_the_instructions() -> None:
    messages = (HI, Message("system", "Be brief."), Message("assistant", "Hello"))
    request = build_request(Answering(instructions="Speak."), messages, None)
    assert request.messages == (Message("system", "Speak.\n\nBe brief."), HI, Message("assistant", "Hello"))


@pytest.mark.parametrize(
    ("choice", "sent", "names", "wish"),
    [
        ("auto", "auto", ["f", "g"], ""),
        ("none", "none", [], ""),
        ("required", "required", ["f", "g"], "\nAnswer by calling one of the functions."),
        ({"type": "function", "name": "g"}, "g", ["g"], "\nAnswer by calling the function g."),
    ],
)
def test_tools_and_their_choice(choice: object, sent: str, names: list[str], wish: str) -> None:
    answering = Answering(instructions="Speak.", tools=TOOLS, tool_choice=choice)  # type: ignore[arg-type]
    request = build_request(answering, (HI,), None)
    assert [tool["name"] for tool in request.tools] == names
    assert request.tool_choice == sent
    assert request.messages[0].content == f"Speak.{wish}"
    assert request.repetition_penalty == (None if names else REPETITION_PENALTY)
