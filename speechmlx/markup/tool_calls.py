"""Parses function calls out of a model's text, in the forms that common chat templates teach. Pure.

Hermes and Qwen write <tool_call>{"name": ..., "arguments": {...}}</tool_call> anywhere in a message. Llama and Mistral
write a message that is only JSON; the mark before it is usually a special token, which is never decoded to text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from speechmlx.markup.reasoning import partial_mark
from speechmlx.types import FunctionCall

OPEN, CLOSE = "<tool_call>", "</tool_call>"
MARKS = ("[TOOL_CALLS]", "<|python_tag|>")
BARE = re.compile(r'(\[\s*)?(\{\s*(".*)?)?', re.DOTALL)
"""Text that is JSON, or the beginning of JSON."""
NAMED = re.compile(r"([\w.-]+)(?:\[ARGS\])?\s*(?=\{)")
"""Mistral's later form: the name stands before its arguments."""


class ToolCallParser:
    """Text in pieces of any size → the text to speak, and function calls. A call that cannot be parsed stays text.

    `names` are the functions that the model may call. JSON without a mark and with another name is an answer in JSON.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._pending = ""
        self._begun = False
        """Output was returned: from now on JSON without a mark is text."""

    def push(self, text: str) -> list[str | FunctionCall]:
        """Add the next piece of text. Returns the text and the calls that are certain now."""
        self._pending += text
        if not self._begun and _bare(self._pending):
            return []
        output: list[str | FunctionCall] = []
        while OPEN in self._pending:
            before, _, rest = self._pending.partition(OPEN)
            if before.strip():
                output.append(before.rstrip())
            body, closed, after = rest.partition(CLOSE)
            if not closed:
                self._pending = OPEN + rest
                break
            output.append(_parse(body) or OPEN + body + CLOSE)
            self._pending = after
        if not self._pending.startswith(OPEN):
            kept = partial_mark(self._pending, OPEN)
            if ready := self._pending[: len(self._pending) - kept].rstrip():
                output.append(ready)
            self._pending = self._pending[len(ready) :]
        self._begun = self._begun or bool(output)
        return output

    def flush(self, cut_off: bool = False) -> list[str | FunctionCall]:
        """End the text. Returns what was held back.

        A call that lacks only its closing mark is complete. With `cut_off` (the limit of tokens ended the text) an
        incomplete call is dropped; without it, it is text.
        """
        rest, self._pending = self._pending, ""
        if rest.startswith(OPEN):
            call = _parse(rest.removeprefix(OPEN))
            return [call] if call else [] if cut_off else [rest]
        if not self._begun and rest.strip() and _bare(rest):
            calls, left = _parse_bare(rest)
            meant = rest.lstrip().startswith(MARKS) or all(call.name in self._names for call in calls)
            return [*calls] if meant and (not left or cut_off) else [rest]
        return [rest] if rest.strip() else []


def _bare(text: str) -> bool:
    """Whether a message that begins with `text` may consist of calls only."""
    start = text.lstrip()
    return any(start.startswith(mark) or mark.startswith(start) for mark in MARKS) or BARE.fullmatch(start) is not None


def _parse(body: str) -> FunctionCall | None:
    try:
        return _call(json.loads(body))
    except (ValueError, RecursionError):
        return None


def _parse_bare(text: str) -> tuple[list[FunctionCall], str]:
    """The calls at the beginning of a message that consists of calls only, and the text after them."""
    text = text.strip()
    for mark in MARKS:
        text = text.removeprefix(mark).lstrip()
    calls, decoder = list[FunctionCall](), json.JSONDecoder()
    while text:
        named = NAMED.match(text)
        start = named.end() if named else len(text) - len(text.lstrip("[,; \n"))
        try:
            value, end = decoder.raw_decode(text, start)
            call = FunctionCall(named[1], json.dumps(value, ensure_ascii=False)) if named else _call(value)
        except (ValueError, RecursionError):
            break
        if call is None:
            break
        calls.append(call)
        text = text[end:].lstrip("],; \n")
    return calls, text


def _call(value: Any) -> FunctionCall | None:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return FunctionCall(value["name"], text)
