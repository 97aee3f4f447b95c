"""Removes a model's reasoning, <think>...</think>, from the text of its answer. Pure."""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


class ReasoningFilter:
    """Text in pieces of any size → the text without reasoning and without the white space after it."""

    def __init__(self) -> None:
        self._pending = ""
        self._reasoning = False
        self._after_reasoning = False
        """The next white space follows reasoning and is dropped."""

    def push(self, text: str) -> str:
        """Add the next piece of text. Returns the text that is certainly not reasoning."""
        text, output, at = self._pending + text, list[str](), 0
        while (end := text.find(mark := CLOSE if self._reasoning else OPEN, at)) >= 0:
            output.append("" if self._reasoning else self._answer(text[at:end]))
            at, self._reasoning, self._after_reasoning = end + len(mark), not self._reasoning, True
        ready = len(text) - partial_mark(text[at:], mark)
        self._pending = text[ready:]
        if not self._reasoning:
            output.append(self._answer(text[at:ready]))
        return "".join(output)

    def flush(self) -> str:
        """End the text. Returns what was held back; reasoning without an end is dropped."""
        rest, self._pending = self._pending, ""
        return "" if self._reasoning else self._answer(rest)

    def _answer(self, text: str) -> str:
        if self._after_reasoning:
            text = text.lstrip()
            self._after_reasoning = not text
        return text


def partial_mark(text: str, mark: str) -> int:
    """Number of characters at the end of `text` that may be the beginning of `mark`."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:size])), 0)
