"""A language model elsewhere: any server that speaks OpenAI's chat completions, as LM Studio, Ollama and mlx-lm do."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from speechmlx.config import Config
from speechmlx.conversation.answer import Writer
from speechmlx.conversation.history import call_text
from speechmlx.conversation.tools import parsed
from speechmlx.errors import EngineFailed, ModelUnavailable
from speechmlx.types import Event, Generate, Message, TextDelta, Usage

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 120.0
"""Seconds; a model that is loaded for the first request is slow to begin."""

NOTHING = "(no result)"
"""Of a call that was never answered."""

Json = dict[str, Any]


def writer(config: Config) -> Writer | None:
    """What writes answers at `llm_url`: `TextDelta`* with calls written out, and `Usage`. None: no address is set.

    Its iterator raises ModelUnavailable when nobody is there and EngineFailed when the answer is an error.
    """
    if not config.llm_url:
        return None
    address = config.llm_url.rstrip("/") + "/chat/completions"
    headers = {"Authorization": f"Bearer {config.llm_url_key}"} if config.llm_url_key else {}

    @asynccontextmanager
    async def write(asked: Generate) -> AsyncGenerator[AsyncIterator[Event], None]:
        async with aclosing(_events(address, headers, body(asked, config.llm_url_model))) as events:
            yield events

    return write


def body(asked: Generate, model: str | None) -> Json:
    """The request in JSON."""
    tools = [{"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}} for tool in asked.tools]
    return {
        "model": model or "default",
        "messages": chat(asked.messages),
        "max_tokens": asked.max_tokens,
        "temperature": asked.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
        **({"tools": tools, "tool_choice": _choice(asked.tool_choice)} if tools else {}),
    }


def _choice(choice: str) -> str | Json:
    return choice if choice in ("auto", "required") else {"type": "function", "function": {"name": choice}}


def chat(messages: Sequence[Message]) -> list[Json]:
    """Messages in OpenAI's form. Strict servers want one message for calls that belong together, and each answered."""
    written: list[Json] = []
    waiting: list[str] = []

    def give_up() -> None:
        written.extend({"role": "tool", "tool_call_id": id, "content": NOTHING} for id in waiting)
        waiting.clear()

    for message in messages:
        if message.role == "assistant" and (call := parsed(message.content) if message.call else None):
            if not written or written[-1]["role"] != "assistant":
                give_up()
                written.append({"role": "assistant", "content": None})
            function = {"name": call.name, "arguments": call.arguments}
            entry = {"id": message.call, "type": "function", "function": function}
            written[-1].setdefault("tool_calls", []).append(entry)
            waiting.append(message.call)
        elif message.role == "tool" and message.call in waiting:
            waiting.remove(message.call)
            written.append({"role": "tool", "tool_call_id": message.call, "content": message.content})
        else:
            give_up()
            role = "user" if message.role == "tool" else message.role  # what it answers is not in the conversation
            written.append({"role": role, "content": message.content})
    give_up()
    return written


async def _events(address: str, headers: dict[str, str], given: Json) -> AsyncGenerator[Event, None]:
    timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    calls: dict[int, list[str]] = {}
    usage = Usage()
    try:
        async with (
            httpx.AsyncClient(timeout=timeout) as client,
            client.stream("POST", address, json=given, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                said = (await answer.aread()).decode(errors="replace")[:300]
                raise EngineFailed(f"the language model at {address} answered {answer.status_code}: {said}")
            async for line in answer.aiter_lines():
                for event in _line(line, calls):
                    if isinstance(event, Usage):
                        tokens_in, tokens_out = event.tokens_in or usage.tokens_in, event.tokens_out or usage.tokens_out
                        cut_off = event.cut_off or usage.cut_off
                        usage = Usage(tokens_in=tokens_in, tokens_out=tokens_out, cut_off=cut_off)
                    else:
                        yield event
    except httpx.TransportError as error:
        why = str(error) or type(error).__name__
        raise ModelUnavailable(f"the language model at {address} cannot be reached: {why}") from error
    for name, arguments in calls.values():
        yield TextDelta(call_text(name, arguments))
    yield usage


def _line(line: str, calls: dict[int, list[str]]) -> list[Event]:
    """The events of one line of the stream; pieces of calls are gathered in `calls`."""
    data = line.removeprefix("data:").strip()
    if not line.startswith("data:") or data == "[DONE]":
        return []
    try:
        given = json.loads(data)
        choices = given.get("choices") or []
        usage = given.get("usage")
    except (ValueError, AttributeError):
        raise EngineFailed(f"the language model's server sent what is no chat completion: {data[:100]}") from None
    events: list[Event] = []
    for choice in choices:
        delta = choice.get("delta") or {}
        if choice.get("finish_reason") == "length":
            events.append(Usage(cut_off=True))
        if delta.get("content"):
            events.append(TextDelta(delta["content"]))
        for piece in delta.get("tool_calls") or []:
            call = calls.setdefault(piece.get("index", len(calls)), ["", ""])
            function = piece.get("function") or {}
            call[0] += function.get("name") or ""
            call[1] += function.get("arguments") or ""
    if usage:
        events.append(Usage(tokens_in=usage.get("prompt_tokens", 0), tokens_out=usage.get("completion_tokens", 0)))
    return events
