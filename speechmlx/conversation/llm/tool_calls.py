"""Function calls in what a language model writes, as the chat templates of the common families have them. Pure.

<tool_call>{"name": ..., "arguments": {...}}</tool_call> anywhere (Hermes, Qwen), or a message that is nothing but JSON
(Llama, Mistral), whose mark is mostly a special token that never comes as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speechmlx.conversation.llm.reasoning import begun
from speechmlx.errors import BadRequest

OPEN, CLOSE = "<tool_call>", "</tool_call>"
MARKS = ("[TOOL_CALLS]", "<|python_tag|>")
BARE = re.compile(r'(\[\s*)?(\{\s*(".*)?)?', re.DOTALL)
"""A message that is JSON, or may become it."""
NAMED = re.compile(r"([\w.-]+)(?:\[ARGS\])?\s*(?=\{)")
"""Mistral's later form: the name stands before its arguments."""


@dataclass(frozen=True)
class Call:
    """A function to call; `arguments` is JSON."""

    name: str
    arguments: str


class ToolCallParser:
    """Text as it is written → the text to say and the calls in it. What is no call after all comes back as text.

    `names` are the functions that can be called: JSON with another name, and no mark, is an answer in JSON.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._pending = ""
        self._begun = False
        """Something was said or called: a message that is nothing but calls is none of these."""

    def push(self, text: str) -> list[str | Call]:
        """The next text → what is sure now."""
        self._pending += text
        if not self._begun and _bare(self._pending):
            return []
        out: list[str | Call] = []
        while OPEN in self._pending:
            before, _, rest = self._pending.partition(OPEN)
            if before.strip():
                out.append(before.rstrip())
            body, closed, after = rest.partition(CLOSE)
            if not closed:
                self._pending = OPEN + rest
                break
            out.append(_parse(body) or OPEN + body + CLOSE)
            self._pending = after
        if not self._pending.startswith(OPEN):
            kept = begun(self._pending, OPEN)
            if said := self._pending[: len(self._pending) - kept].rstrip():
                out.append(said)
            self._pending = self._pending[len(said) :]
        self._begun = self._begun or bool(out)
        return out

    def flush(self, cut_off: bool = False) -> list[str | Call]:
        """The end: a call that lacks only its closing mark is one, too; of one that was `cut_off` nothing is left."""
        rest, self._pending = self._pending, ""
        if rest.startswith(OPEN):
            call = _parse(rest.removeprefix(OPEN))
            return [call] if call else [] if cut_off else [rest]
        if not self._begun and rest.strip() and _bare(rest):
            calls, left = _parse_bare(rest)
            meant = rest.lstrip().startswith(MARKS) or all(call.name in self._names for call in calls)
            return [*calls] if meant and (not left or cut_off) else [rest]
        return [rest] if rest.strip() else []


def parsed(text: str) -> Call | None:
    """The call that `history.call_text` wrote."""
    return _parse(text.removeprefix(OPEN).removesuffix(CLOSE))


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


def _bare(text: str) -> bool:
    """Whether a message that begins so may be nothing but calls."""
    start = text.lstrip()
    return any(start.startswith(mark) or mark.startswith(start) for mark in MARKS) or BARE.fullmatch(start) is not None


def _parse(body: str) -> Call | None:
    try:
        return _call(json.loads(body))
    except ValueError:
        return None


def _parse_bare(text: str) -> tuple[list[Call], str]:
    """The calls that a message of nothing but calls begins with, and what follows them."""
    text = text.strip()
    for mark in MARKS:
        text = text.removeprefix(mark).lstrip()
    calls, decoder = list[Call](), json.JSONDecoder()
    while text:
        named = NAMED.match(text)
        start = named.end() if named else len(text) - len(text.lstrip("[,; \n"))
        try:
            found, end = decoder.raw_decode(text, start)
        except ValueError:
            break
        call = Call(named[1], json.dumps(found, ensure_ascii=False)) if named else _call(found)
        if call is None:
            break
        calls.append(call)
        text = text[end:].lstrip("],; \n")
    return calls, text


def _call(found: Any) -> Call | None:
    if isinstance(found, dict) and isinstance(found.get("function"), dict):
        found = found["function"]
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        return None
    arguments = found.get("arguments", found.get("parameters", {}))
    return Call(found["name"], arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))
