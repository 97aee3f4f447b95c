"""The language model of a conversation, in this server or remote, and the request that it gets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from speechmlx.conversation.settings import Answering
from speechmlx.errors import BadRequest
from speechmlx.types import Event, Generate, Message, Priority

MAX_TOKENS = 4096
"""Tokens of an answer at most, where the client sets no limit."""
REPETITION_PENALTY = 1.1
"""Small models otherwise repeat one sentence; a higher penalty makes them avoid the right word."""
INSTRUCTIONS = "You are a helpful voice assistant. Answer the question in one short sentence."


class LanguageModel(Protocol):
    """Generates the next message of a chat: `Runtime.submit`, or a `RemoteLanguageModel`."""

    def __call__(self, request: Generate, /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """The events of `Generate` as they come. Leaving the context ends the generation.

        The iterator raises SpeechErrors.
        """


def build_request(answering: Answering, messages: tuple[Message, ...], model: str | None) -> Generate:
    """The request for an answer to `messages`.

    The system message is the instructions, what `tool_choice` demands, and the system messages of `messages`. Raises
    BadRequest if `tool_choice` names an unknown function.
    """
    tools, choice = select_tools(answering.tools, answering.tool_choice), answering.tool_choice
    first = "\n".join([answering.instructions or INSTRUCTIONS, *(tool_instruction(choice) if tools else ())])
    system = "\n\n".join([first, *(message.content for message in messages if message.role == "system")])
    return Generate(
        model=model,
        messages=(Message("system", system), *(message for message in messages if message.role != "system")),
        max_tokens=answering.max_tokens or MAX_TOKENS,
        temperature=answering.temperature or 0.0,
        repetition_penalty=None if tools else REPETITION_PENALTY,
        tools=tools,
        tool_choice=str(choice.get("name")) if isinstance(choice, Mapping) else choice,
        drops_oldest=answering.forgets,
        priority=Priority.REALTIME,
    )


def select_tools(tools: Sequence[Mapping[str, Any]], choice: str | Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The tools that the model may call. `choice`: "auto", "none", "required" or {"name": ...}.

    Raises BadRequest if the named function is not among the tools.
    """
    if choice == "none":
        return ()
    if not isinstance(choice, Mapping):
        return tuple(tools)
    chosen = tuple(tool for tool in tools if tool["name"] == choice.get("name"))
    if not chosen:
        names = ", ".join(str(tool["name"]) for tool in tools) or "none"
        raise BadRequest(f"tool_choice is the function {choice.get('name')!r}; the tools are: {names}")
    return chosen


def tool_instruction(choice: str | Mapping[str, Any]) -> list[str]:
    """Tells the model in words that it must call, as chat templates have no field for `tool_choice`."""
    if isinstance(choice, Mapping):
        return [f"Answer by calling the function {choice.get('name')}."]
    return ["Answer by calling one of the functions."] if choice == "required" else []
