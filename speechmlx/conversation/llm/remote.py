"""The client of a remote language model: a server that speaks OpenAI's chat completions, like LM Studio or Ollama."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from speechmlx.config import Config
from speechmlx.errors import EngineFailed, ModelUnavailable
from speechmlx.markup.answer import AnswerParser
from speechmlx.types import Event, FunctionCall, Generate, Message, TextDelta, Usage

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 120.0
"""Seconds. The server may load the model before it answers the first request."""
LONGEST_LINE = 16 << 20
"""Bytes of a line of an answer, at most."""
LONGEST_BODY = 1024 * 1024
"""Characters of an answer that is not a stream."""
NO_RESULT = "(no result)"
"""The result of a call that the client never answered."""

Json = dict[str, Any]


class RemoteLanguageModel:
    """A `LanguageModel` at a chat endpoint. Its events: `TextDelta`*, `FunctionCall`*, `Usage`.

    The iterator raises ModelUnavailable if the server cannot be reached, and EngineFailed if its answer is an error,
    breaks off, or is not a chat completion.
    """

    def __init__(self, url: str, key: str | None, model: str | None) -> None:
        """`url` is the base of the API, like http://127.0.0.1:1234/v1. `model` is a name that the server knows."""
        self._address = url.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._model = model

    def __call__(self, request: Generate, /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        return aclosing(self._generate(request))

    async def _generate(self, request: Generate) -> AsyncGenerator[Event, None]:
        await asyncio.to_thread(import_module, "httpx")  # most servers have no remote model
        import httpx

        completion = Completion([str(tool["name"]) for tool in request.tools])
        timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
        body = build_body(request, self._model)
        shown = httpx.URL(self._address).copy_with(userinfo=b"")  # errors and the log show no password
        try:
            async with (
                httpx.AsyncClient(timeout=timeout) as client,
                client.stream("POST", self._address, json=body, headers=self._headers) as response,
            ):
                if response.status_code != 200:
                    text = (await _beginning(response)).decode(errors="replace")[:300]
                    raise EngineFailed(f"the language model at {shown} answered {response.status_code}: {text}")
                async for line in _lines(response):
                    for event in completion.push_line(line):
                        yield event
        except httpx.TransportError as error:
            why = str(error) or type(error).__name__
            if completion.begun:
                raise EngineFailed(f"the language model at {shown} broke off: {why}") from error
            raise ModelUnavailable(f"the language model at {shown} cannot be reached: {why}") from error
        for event in completion.finish():
            yield event
        yield completion.usage


def remote_language_model(config: Config) -> RemoteLanguageModel | None:
    """The language model at `llm_url`; None if no address is set."""
    if not config.llm_url:
        return None
    return RemoteLanguageModel(config.llm_url, config.llm_url_key, config.llm_url_model)


def build_body(request: Generate, model: str | None) -> Json:
    """The body of the HTTP request, as JSON."""
    tools = [{"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}} for tool in request.tools]
    return {
        "model": model or "default",
        "messages": chat_messages(request.messages),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
        **({"tools": tools, "tool_choice": _tool_choice(request.tool_choice)} if tools else {}),
    }


def _tool_choice(choice: str) -> str | Json:
    return choice if choice in ("auto", "required") else {"type": "function", "function": {"name": choice}}


def chat_messages(messages: Sequence[Message]) -> list[Json]:
    """Messages in OpenAI's form.

    Strict servers want the calls of one answer in one message, and a result for each call. A result whose call is not
    in the chat becomes a user message.
    """
    rows: list[Json] = []
    open_calls: list[str] = []

    def close_calls() -> None:
        rows.extend({"role": "tool", "tool_call_id": id, "content": NO_RESULT} for id in open_calls)
        open_calls.clear()

    for message in messages:
        if call := message.call:
            if not rows or rows[-1]["role"] != "assistant":
                close_calls()
                rows.append({"role": "assistant", "content": None})
            function = {"name": call.name, "arguments": call.arguments or "{}"}
            rows[-1].setdefault("tool_calls", []).append({"id": call.id, "type": "function", "function": function})
            open_calls.append(call.id)
        elif message.role == "tool" and message.call_id in open_calls:
            open_calls.remove(message.call_id)
            rows.append({"role": "tool", "tool_call_id": message.call_id, "content": message.content})
        else:
            close_calls()
            rows.append({"role": "user" if message.role == "tool" else message.role, "content": message.content})
    close_calls()
    return rows


async def _beginning(response: httpx.Response) -> bytes:
    """The first bytes of a body, at least 1,200 where there are so many."""
    found = b""
    async for data in response.aiter_bytes():
        found += data
        if len(found) >= 1200:
            break
    return found


async def _lines(response: httpx.Response) -> AsyncGenerator[str, None]:
    """Lines of server-sent events, which end at "\\n" only: JSON may contain other line separators."""
    rest = b""
    async for data in response.aiter_bytes():
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise EngineFailed(f"the language model's server sent a line of over {LONGEST_LINE >> 20} MiB")
        for line in lines:
            yield line.decode(errors="replace")
    yield rest.decode(errors="replace")


class Completion:
    """The lines of a chat completion → events. It may be a stream of server-sent events, or one JSON object.

    Raises EngineFailed for an error, and for anything that is not a chat completion.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        """`names` are the functions that the model may call."""
        self.begun = False
        """Whether any of the answer has arrived."""
        self.usage = Usage()
        self._answer = AnswerParser(names)
        self._ended = False
        self._body = ""
        """The lines that are not server-sent events."""
        self._calls: list[Json] = []
        self._open_calls: dict[int, Json] = {}
        """The last call with each index, to which pieces are appended."""

    def push_line(self, line: str) -> list[TextDelta | FunctionCall]:
        """Add the next line. Returns the events that it completes."""
        if line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                self._ended = True
                return []
            return self._push_json(data)
        if not line.startswith(("event:", "id:", "retry:", ":")):
            self._body += line[: LONGEST_BODY - len(self._body)]
        return []

    def finish(self) -> list[TextDelta | FunctionCall]:
        """End the answer. Returns the rest of its text, and its calls.

        Servers repeat the ids of calls from answer to answer, so the events carry none.
        """
        body = self._body.strip()
        events = self._push_json(body) if body and not self._ended else []
        if not self._ended and body:
            raise _not_a_completion(body)
        if not self._ended:
            raise EngineFailed("the language model's server broke off in its answer")
        calls = [FunctionCall(call["name"], call["arguments"]) for call in self._calls]
        return [*events, *self._answer.flush(self.usage.cut_off), *calls]

    def _push_json(self, data: str) -> list[TextDelta | FunctionCall]:
        self.begun = True
        try:
            fields = json.loads(data)
            if error := fields.get("error"):
                message = error.get("message") if isinstance(error, dict) else None
                raise EngineFailed(f"the language model's server failed: {str(message or error)[:300]}")
            if usage := fields.get("usage"):
                tokens_in, tokens_out = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
                self.usage = replace(self.usage, tokens_in=tokens_in, tokens_out=tokens_out)
            texts = [text for choice in fields.get("choices") or [] if (text := self._push_choice(choice))]
        except (ValueError, AttributeError, TypeError, RecursionError):
            raise _not_a_completion(data) from None
        return [event for text in texts for event in self._answer.push(text)]

    def _push_choice(self, choice: Json) -> str:
        """Reads the calls and the end of the answer. Returns the text."""
        if reason := choice.get("finish_reason"):
            self._ended = True
            self.usage = replace(self.usage, cut_off=reason == "length")
        message = choice.get("delta") or choice.get("message") or {}
        for piece in message.get("tool_calls") or []:
            self._push_call(piece)
        return _whole(message.get("content") or "")

    def _push_call(self, piece: Json) -> None:
        """A new call, or more of the call with the same index. A different id begins a new call."""
        index, id = piece.get("index"), piece.get("id")
        if index is None:
            index = len(self._calls)
        call = self._open_calls.get(index)
        if call is None or (id and call["id"] and id != call["id"]):
            call = self._open_calls[index] = {"id": id, "name": "", "arguments": ""}
            self._calls.append(call)
        function = piece.get("function") or {}
        call["name"] += _whole(function.get("name") or "")
        call["arguments"] += _whole(function.get("arguments") or "")


def _whole(text: str) -> str:
    """`text` with a sign in place of half a character (a surrogate alone), which no wire can encode."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _not_a_completion(data: str) -> EngineFailed:
    return EngineFailed(f"the language model's server sent what is no chat completion: {data[:100]}")
