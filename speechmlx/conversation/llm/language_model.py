"""The language model that writes answers, here or at an endpoint elsewhere, and what it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from speechmlx.conversation.settings import Answering
from speechmlx.errors import BadRequest
from speechmlx.types import Event, Generate, Message, Priority

MAX_TOKENS = 4096
"""Of an answer whose length nobody limited: the most that can be asked for."""
REPETITION_PENALTY = 1.1
"""Small models otherwise say one sentence again and again; more makes them avoid the right word."""
INSTRUCTIONS = "You are a helpful voice assistant. Answer the question in one short sentence."

Writer = Callable[[Generate], AbstractAsyncContextManager[AsyncIterator[Event]]]
"""What writes: Runtime.submit, or an endpoint elsewhere."""


def build_request(answering: Answering, messages: tuple[Message, ...], model: str | None) -> Generate:
    """What the language model is asked; `messages` without instructions."""
    tools = offered(answering.tools, answering.tool_choice)
    choice = answering.tool_choice
    told = [answering.instructions or INSTRUCTIONS, wish(answering.tool_choice) if tools else ""]
    system = "\n".join(text for text in told if text)
    said = tuple(message for message in messages if message.role != "system")
    added = "\n\n".join([system, *(message.content for message in messages if message.role == "system")])
    return Generate(
        model=model,
        messages=(Message("system", added), *said),
        max_tokens=answering.max_tokens or MAX_TOKENS,
        temperature=answering.temperature or 0.0,
        repetition_penalty=None if tools else REPETITION_PENALTY,
        tools=tools,
        tool_choice=str(choice.get("name")) if isinstance(choice, Mapping) else choice,
        drops_oldest=answering.forgets,
        priority=Priority.REALTIME,
    )


def offered(tools: Sequence[Mapping[str, Any]], choice: str | Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The tools that a model is told of. Raises BadRequest when the one to call is not among them."""
    if choice == "none":
        return ()
    if not isinstance(choice, Mapping):
        return tuple(tools)
    found = tuple(tool for tool in tools if tool["name"] == choice.get("name"))
    if not found:
        names = ", ".join(str(tool["name"]) for tool in tools) or "none"
        raise BadRequest(f"tool_choice is the function {choice.get('name')!r}; the tools are: {names}")
    return found


def wish(choice: str | Mapping[str, Any]) -> str:
    """What a model is told when it must call: templates have no word for it."""
    if isinstance(choice, Mapping):
        return f"Answer by calling the function {choice.get('name')}."
    return "Answer by calling one of the functions." if choice == "required" else ""
