"""A language model elsewhere: any server that speaks OpenAI's chat completions, as LM Studio, Ollama and mlx-lm do."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from speechmlx.config import Config
from speechmlx.conversation.llm.language_model import Writer
from speechmlx.errors import EngineFailed, ModelUnavailable
from speechmlx.markup.answer import AnswerParser
from speechmlx.types import Event, FunctionCall, Generate, Message, TextDelta, Usage

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 120.0
"""Seconds; a model that is loaded for the first request is slow to begin."""

MOST = 1024 * 1024
"""Characters of an answer that is no stream."""
NOTHING = "(no result)"
"""Of a call that was never answered."""

Json = dict[str, Any]
Output = TextDelta | FunctionCall


def writer(config: Config) -> Writer | None:
    """What writes answers at `llm_url`: `TextDelta`*, `FunctionCall`* and `Usage`. None: no address is set.

    Its iterator raises ModelUnavailable when nobody is there and EngineFailed when the answer is an error.
    """
    if not config.llm_url:
        return None
    address = config.llm_url.rstrip("/") + "/chat/completions"
    headers = {"Authorization": f"Bearer {config.llm_url_key}"} if config.llm_url_key else {}

    @asynccontextmanager
    async def write(asked: Generate) -> AsyncGenerator[AsyncIterator[Event], None]:
        names = [str(tool["name"]) for tool in asked.tools]
        async with aclosing(_events(address, headers, body(asked, config.llm_url_model), names)) as events:
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
        if call := message.call:
            if not written or written[-1]["role"] != "assistant":
                give_up()
                written.append({"role": "assistant", "content": None})
            function = {"name": call.name, "arguments": call.arguments or "{}"}
            entry = {"id": call.id, "type": "function", "function": function}
            written[-1].setdefault("tool_calls", []).append(entry)
            waiting.append(call.id)
        elif message.role == "tool" and message.call_id in waiting:
            waiting.remove(message.call_id)
            written.append({"role": "tool", "tool_call_id": message.call_id, "content": message.content})
        else:
            give_up()
            role = "user" if message.role == "tool" else message.role  # what it answers is not in the conversation
            written.append({"role": role, "content": message.content})
    give_up()
    return written


async def _events(
    address: str, headers: dict[str, str], given: Json, names: Collection[str]
) -> AsyncGenerator[Event, None]:
    timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    completion = Completion(names)
    told = httpx.URL(address).copy_with(userinfo=b"")  # clients and the log are told no password
    try:
        async with (
            httpx.AsyncClient(timeout=timeout) as client,
            client.stream("POST", address, json=given, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                said = (await answer.aread()).decode(errors="replace")[:300]
                raise EngineFailed(f"the language model at {told} answered {answer.status_code}: {said}")
            async for line in _lines(answer):
                for event in completion.line(line):
                    yield event
    except httpx.TransportError as error:
        why = str(error) or type(error).__name__
        if completion.begun:
            raise EngineFailed(f"the language model at {told} broke off: {why}") from error
        raise ModelUnavailable(f"the language model at {told} cannot be reached: {why}") from error
    for event in completion.end():
        yield event
    yield completion.usage


async def _lines(answer: httpx.Response) -> AsyncGenerator[str, None]:
    """Lines as server-sent events have them: other separators may stand in JSON."""
    rest = b""
    async for data in answer.aiter_bytes():
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
    yield rest.decode(errors="replace")


class Completion:
    """A chat completion as it comes: a stream of lines, or one JSON object. Raises EngineFailed for what is none."""

    def __init__(self, names: Collection[str] = ()) -> None:
        """`names` are the functions that the model may call."""
        self.begun = False
        self.usage = Usage()
        self._answer = AnswerParser(names)
        self._ended = False
        self._other = ""
        """What is no event of a stream."""
        self._calls: list[Json] = []
        self._building: dict[int, Json] = {}

    def line(self, line: str) -> list[Output]:
        """The events in the next line."""
        if line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                self._ended = True
                return []
            return self._take(data)
        if not line.startswith(("event:", "id:", "retry:", ":")):
            self._other += line[: MOST - len(self._other)]
        return []

    def end(self) -> list[Output]:
        """Nothing more comes: the text of one that was no stream, and the calls."""
        other = self._other.strip()
        events = self._take(other) if other and not self._ended else []
        if not self._ended and other:
            raise _no_completion(other)
        if not self._ended:
            raise EngineFailed("the language model's server broke off in its answer")
        calls = [FunctionCall(call["name"], call["arguments"]) for call in self._calls]
        return [*events, *self._answer.flush(self.usage.cut_off), *calls]

    def _take(self, data: str) -> list[Output]:
        self.begun = True
        try:
            given = json.loads(data)
            if error := given.get("error"):
                told = error.get("message") if isinstance(error, dict) else None
                raise EngineFailed(f"the language model's server failed: {str(told or error)[:300]}")
            if usage := given.get("usage"):
                tokens_in, tokens_out = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
                self.usage = replace(self.usage, tokens_in=tokens_in, tokens_out=tokens_out)
            texts = [text for choice in given.get("choices") or [] if (text := self._choice(choice))]
        except (ValueError, AttributeError, TypeError):
            raise _no_completion(data) from None
        return [event for text in texts for event in self._answer.push(text)]

    def _choice(self, choice: Json) -> str:
        if reason := choice.get("finish_reason"):
            self._ended = True
            self.usage = replace(self.usage, cut_off=reason == "length")
        said = choice.get("delta") or choice.get("message") or {}
        for piece in said.get("tool_calls") or []:
            self._call(piece)
        return said.get("content") or ""

    def _call(self, piece: Json) -> None:
        """A call, or more of one: of the same index, unless it has an id of its own."""
        index, id = piece.get("index"), piece.get("id")
        if index is None:
            index = len(self._calls)
        call = self._building.get(index)
        if call is None or (id and call["id"] and id != call["id"]):
            call = self._building[index] = {"id": id, "name": "", "arguments": ""}
            self._calls.append(call)
        function = piece.get("function") or {}
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""


def _no_completion(data: str) -> EngineFailed:
    return EngineFailed(f"the language model's server sent what is no chat completion: {data[:100]}")
