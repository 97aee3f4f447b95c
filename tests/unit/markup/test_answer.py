"""A model's raw answer → text and function calls, with the number of tokens of each text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.markup.answer import AnswerParser
from speechmlx.types import FunctionCall, TextDelta

CALL = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'
Events = list[TextDelta | FunctionCall]


def parse(*pieces: str, names: str = "f", cut_off: bool = False) -> Events:
    parser = AnswerParser(names)
    return [event for piece in pieces for event in parser.push(piece)] + parser.flush(cut_off)


@pytest.mark.parametrize(
    ("pieces", "events"),
    [
        (["Hello", " there."], [TextDelta("Hello"), TextDelta(" there.")]),
        (["<think>", "Hm.", "</think>", "\n", "Hi."], [TextDelta("Hi.", 5)]),
        (["", "", "😀"], [TextDelta("😀", 3)]),
        (["So: ", CALL, "Done"], [TextDelta("So:"), FunctionCall("f", '{"x": 1}'), TextDelta("Done", 2)]),
        ([f"<think>{CALL}</think>Hi"], [TextDelta("Hi")]),
        (["<think>Never ends. ", CALL], []),
        (["1 ", "< ", "<tool"], [TextDelta("1"), TextDelta(" <"), TextDelta(" <tool")]),
    ],
)
def test_events_and_their_tokens(pieces: list[str], events: Events) -> None:
    assert parse(*pieces) == events


def test_without_functions_nothing_is_a_call() -> None:
    assert parse(CALL, names="") == [TextDelta(CALL)]
    assert parse('{"name": ', '"f"}', names="") == [TextDelta('{"name": '), TextDelta('"f"}')]


def test_an_incomplete_call_is_dropped_only_if_it_was_cut_off() -> None:
    assert parse('Hi <tool_call>{"na', cut_off=True) == [TextDelta("Hi")]
    assert parse('Hi <tool_call>{"na') == [TextDelta("Hi"), TextDelta('<tool_call>{"na', 0)]


def test_json_that_nests_too_deep_is_text() -> None:
    body = '{"name": "f", "arguments": ' + "[" * 100_000
    assert parse(f"<tool_call>{body}</tool_call>") == [TextDelta(f"<tool_call>{body}</tool_call>")]
    assert parse(body) == [TextDelta(body)]


@given(cuts=st.lists(st.integers(0, 200), max_size=12))
def test_pieces_of_any_size(cuts: list[int]) -> None:
    text = f"<think>Which?</think>Let me see. {CALL}"
    places = [0, *sorted(cut % len(text) for cut in cuts), len(text)]
    events = parse(*(text[start:end] for start, end in pairwise(places)))
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Let me see."
    assert events[-1] == FunctionCall("f", '{"x": 1}')
    assert sum(event.tokens for event in events if isinstance(event, TextDelta)) <= len(places) - 1
