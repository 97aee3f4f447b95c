"""Parses function calls out of a model's text, in the forms that common chat templates teach. Pure.

Hermes and Qwen write <tool_call>{"name": ..., "arguments": {...}}</tool_call> anywhere in a message. Llama and Mistral
write a message that is only JSON; the mark before it is usually a special token, which is never decoded to text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, Literal

from speechmlx.markup.reasoning import partial_mark
from speechmlx.types import FunctionCall

OPEN, CLOSE = "<tool_call>", "</tool_call>"
MARKS = ("[TOOL_CALLS]", "<|python_tag|>")
OPENED = ("", "[", "{", "[{")
"""Beginnings of JSON, without white space, that more white space does not change."""
BEFORE, AFTER = re.compile(r"[\[,; \n]*"), re.compile(r"[\],; \n]*")
"""What may stand before a call in a message of calls, and after it."""
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
        """What was looked at and not returned."""
        self._more: list[str] = []
        """Pieces after it that change nothing yet: each piece is looked at once, however long the message gets."""
        self._waits_for: Literal["any", "word", "close", "end"] = "any"
        """What the next decision needs: a piece, one that is no white space, the end of a call or of the message."""
        self._tail = ""
        """The last characters of an open call, which may be the beginning of CLOSE."""
        self._begun = False
        """Output was returned: from now on JSON without a mark is text."""

    def push(self, text: str) -> list[str | FunctionCall]:
        """Add the next piece of text. Returns the text and the calls that are certain now."""
        self._more.append(text)
        if self._can_wait(text):
            return []
        pending, self._more = "".join((self._pending, *self._more)), []
        self._pending = pending
        if not self._begun and _bare(pending):
            self._waits_for = "end" if _is_settled(pending) else "word" if _squeezed(pending) in OPENED else "any"
            return []
        output, rest, is_open = _split(pending)
        if is_open:
            self._waits_for, self._tail = "close", rest[-len(CLOSE) :]
        else:
            kept = partial_mark(rest, OPEN)
            if ready := rest[: len(rest) - kept].rstrip():
                output.append(ready)
            rest = rest[len(ready) :]
            self._waits_for = "any" if rest.strip() else "word"
        self._pending = rest
        self._begun = self._begun or bool(output)
        return output

    def _can_wait(self, text: str) -> bool:
        """Whether nothing can be returned because of `text`."""
        match self._waits_for:
            case "close":
                tail = self._tail + text
                self._tail = tail[-len(CLOSE) :]
                return CLOSE not in tail
            case "word":
                return not text.strip()
        return self._waits_for == "end"

    def flush(self, cut_off: bool = False) -> list[str | FunctionCall]:
        """End the text. Returns what was held back.

        A call that lacks only its closing mark is complete. With `cut_off` (the limit of tokens ended the text) an
        incomplete call is dropped; without it, it is text.
        """
        rest, self._pending, self._more = "".join((self._pending, *self._more)), "", []
        if rest.startswith(OPEN):
            call = _parse(rest.removeprefix(OPEN))
            return [call] if call else [] if cut_off else [rest]
        if not self._begun and rest.strip() and _bare(rest):
            calls, left = _parse_bare(rest)
            meant = rest.lstrip().startswith(MARKS) or all(call.name in self._names for call in calls)
            return [*calls] if meant and (not left or cut_off) else [rest]
        return [rest] if rest.strip() else []


def _split(text: str) -> tuple[list[str | FunctionCall], str, bool]:
    """The texts before and between whole calls, and the calls; the rest; whether it is a call without its end."""
    output, at = list[str | FunctionCall](), 0
    while (start := text.find(OPEN, at)) >= 0:
        if (before := text[at:start]).strip():
            output.append(before.rstrip())
        end = text.find(CLOSE, start)
        if end < 0:
            return output, text[start:], True
        body = text[start + len(OPEN) : end]
        output.append(_parse(body) or OPEN + body + CLOSE)
        at = end + len(CLOSE)
    return output, text[at:], False


def _squeezed(text: str) -> str:
    """Text without white space."""
    return "".join(text.split())


def _is_settled(text: str) -> bool:
    """Whether a message that begins with `text`, which is _bare, is whatever comes."""
    start = text.lstrip()
    match = BARE.fullmatch(start)
    return start.startswith(MARKS) or (match is not None and match[3] is not None)


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
    at = 0
    while at < len(text):
        named = NAMED.match(text, at)
        start = named.end() if named else _after(text, BEFORE, at)
        try:
            value, end = decoder.raw_decode(text, start)
            call = FunctionCall(named[1], json.dumps(value, ensure_ascii=False)) if named else _call(value)
        except (ValueError, RecursionError):
            break
        if call is None:
            break
        calls.append(call)
        at = _after(text, AFTER, end)
    return calls, text[at:]


def _after(text: str, marks: re.Pattern[str], at: int) -> int:
    """Where `marks` end that begin at `at`."""
    match = marks.match(text, at)
    return match.end() if match else at


def _call(value: Any) -> FunctionCall | None:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return FunctionCall(value["name"], text)
