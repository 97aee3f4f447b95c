"""Function calls in what a language model writes: <tool_call>{"name": ..., "arguments": {...}}</tool_call>. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OPEN, CLOSE = "<tool_call>", "</tool_call>"


@dataclass(frozen=True)
class Call:
    """A function to call; `arguments` is JSON."""

    name: str
    arguments: str


class Calls:
    """Text as it is written → the text to say and the calls in it. What is no call after all comes back as text."""

    def __init__(self) -> None:
        self._pending = ""

    def push(self, text: str) -> list[str | Call]:
        """The next text → what is sure now."""
        self._pending += text
        out: list[str | Call] = []
        while OPEN in self._pending:
            before, _, rest = self._pending.partition(OPEN)
            if before.strip():
                out.append(before.rstrip())
            body, closed, after = rest.partition(CLOSE)
            if not closed:
                self._pending = OPEN + rest
                return out
            out.append(_parse(body) or OPEN + body + CLOSE)
            self._pending = after
        kept = _possible_start(self._pending)
        if said := self._pending[: len(self._pending) - kept].rstrip():
            out.append(said)
        self._pending = self._pending[len(said) :]
        return out

    def flush(self) -> list[str | Call]:
        """The end: a call that lacks only its closing mark is one, too."""
        rest, self._pending = self._pending, ""
        if rest.startswith(OPEN) and (call := _parse(rest.removeprefix(OPEN))):
            return [call]
        return [rest] if rest.strip() else []


def wish(choice: str | Mapping[str, Any]) -> str:
    """What a model is told when it must call: templates have no word for it."""
    if isinstance(choice, Mapping):
        return f"Answer by calling the function {choice.get('name')}."
    return "Answer by calling one of the functions." if choice == "required" else ""


def _parse(body: str) -> Call | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        return None
    arguments = found.get("arguments", found.get("parameters", {}))
    return Call(found["name"], arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))


def _possible_start(text: str) -> int:
    """How many characters at the end of `text` may begin OPEN."""
    return next((size for size in range(len(OPEN) - 1, 0, -1) if text.endswith(OPEN[:size])), 0)
