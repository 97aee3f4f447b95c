"""The raw text of a model's answer → text without reasoning and typed function calls, as events. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from speechmlx.markup.reasoning import ReasoningFilter
from speechmlx.markup.tool_calls import ToolCallParser
from speechmlx.types import FunctionCall, TextDelta


class AnswerParser:
    """Text in pieces of any size → `TextDelta`* and `FunctionCall`*, in the order of the text.

    `names` are the functions that the model may call. Without them nothing is parsed as a call.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._reasoning = ReasoningFilter()
        self._calls = ToolCallParser(names) if names else None
        self._tokens = 0
        """Tokens pushed since the last `TextDelta`."""

    def push(self, text: str, tokens: int = 1) -> list[TextDelta | FunctionCall]:
        """Add the next `text`, written with `tokens` tokens. Returns the events that are certain now.

        The tokens of reasoning and of calls are counted with the next text.
        """
        self._tokens += tokens
        answer = self._reasoning.push(text)
        return self._events(self._calls.push(answer) if self._calls else [answer])

    def flush(self, cut_off: bool = False) -> list[TextDelta | FunctionCall]:
        """End the answer. `cut_off`: the limit of tokens ended it, and an incomplete call is dropped."""
        rest = self._reasoning.flush()
        return self._events([*self._calls.push(rest), *self._calls.flush(cut_off)] if self._calls else [rest])

    def _events(self, output: Sequence[str | FunctionCall]) -> list[TextDelta | FunctionCall]:
        events: list[TextDelta | FunctionCall] = []
        for part in output:
            if isinstance(part, FunctionCall):
                events.append(part)
            elif part:
                events.append(TextDelta(part, self._tokens))
                self._tokens = 0
        return events
