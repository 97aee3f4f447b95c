"""What a model thinks before it speaks, <think>...</think>, taken out of what it writes. Pure."""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


class ReasoningFilter:
    """Text as it is written → the text without thoughts, however it is cut into pieces."""

    def __init__(self) -> None:
        self._pending = ""
        self._thinking = False
        self._thought = False
        """The white space after a thought is part of it."""

    def push(self, text: str) -> str:
        """The next text → what is sure to be no thought."""
        self._pending += text
        said = ""
        while True:
            mark = CLOSE if self._thinking else OPEN
            before, found, after = self._pending.partition(mark)
            if not found:
                break
            said += "" if self._thinking else self._spoken(before)
            self._pending, self._thinking, self._thought = after, not self._thinking, True
        kept = begun(self._pending, mark)
        ready, self._pending = self._pending[: len(self._pending) - kept], self._pending[len(self._pending) - kept :]
        return said if self._thinking else said + self._spoken(ready)

    def flush(self) -> str:
        """The end; a thought that was not finished is none of the answer."""
        rest, self._pending = self._pending, ""
        return "" if self._thinking else self._spoken(rest)

    def _spoken(self, text: str) -> str:
        if self._thought:
            text = text.lstrip()
            self._thought = not text
        return text


def begun(text: str, mark: str) -> int:
    """How many characters at the end of `text` may begin `mark`."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:size])), 0)
