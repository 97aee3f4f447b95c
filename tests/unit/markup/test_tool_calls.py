"""Function calls in a model's text, however it is cut into pieces."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.markup.answer import AnswerParser
from speechmlx.markup.tool_calls import ToolCallParser
from speechmlx.types import FunctionCall

CALL = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'


def parse(text: str, cuts: list[int]) -> list[str | FunctionCall]:
    calls, out, start = ToolCallParser("fg"), list[str | FunctionCall](), 0
    for cut in [*sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]:
        out += calls.push(text[start:cut])
        start = cut
    out += calls.flush()
    merged: list[str | FunctionCall] = []
    for one in out:
        if isinstance(one, str) and merged and isinstance(merged[-1], str):
            merged[-1] += one
        else:
            merged.append(one)
    return merged


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello.", ["Hello."]),
        (CALL, [FunctionCall("f", '{"x": 1}')]),
        (f"Let me see. {CALL}{CALL}", ["Let me see.", FunctionCall("f", '{"x": 1}'), FunctionCall("f", '{"x": 1}')]),
        ('<tool_call>{"name": "f", "parameters": {}}', [FunctionCall("f", "{}")]),
        ('<tool_call>{"name": "f", "arguments": "{}"}</tool_call>', [FunctionCall("f", "{}")]),
        ("<tool_call>no json</tool_call>", ["<tool_call>no json</tool_call>"]),
        ("<tool_call>[1]</tool_call> so", ["<tool_call>[1]</tool_call> so"]),
        ("1 < 2 <tool", ["1 < 2 <tool"]),
        (
            '[TOOL_CALLS][{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]',
            [FunctionCall("f", '{"x": 1}'), FunctionCall("g", "{}")],
        ),
        ('[TOOL_CALLS]f[ARGS]{"x": 1}', [FunctionCall("f", '{"x": 1}')]),
        (' [{"name": "f", "arguments": {"x": 1}}]', [FunctionCall("f", '{"x": 1}')]),
        ('<|python_tag|>{"name": "f", "parameters": {"x": 1}}', [FunctionCall("f", '{"x": 1}')]),
        (
            '{"type": "function", "name": "f", "parameters": {}}; {"name": "g"}',
            [FunctionCall("f", "{}"), FunctionCall("g", "{}")],
        ),
        ('{"type": "function", "function": {"name": "f", "arguments": "{}"}}', [FunctionCall("f", "{}")]),
        ('{"x": 1}', ['{"x": 1}']),
        ('{"name": "Bob", "age": 3}', ['{"name": "Bob", "age": 3}']),
        ('<tool_call>{"name": "h"}</tool_call>', [FunctionCall("h", "{}")]),
        ('[TOOL_CALLS][{"name": "h", "arguments": {}}]', [FunctionCall("h", "{}")]),
        ("[laughs] Well", ["[laughs] Well"]),
        ("[", ["["]),
    ],
)
@given(cuts=st.lists(st.integers(0, 200), max_size=12))
def test_however_it_is_cut(text: str, found: list[str | FunctionCall], cuts: list[int]) -> None:
    assert parse(text, cuts) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<tool_call>{"name": "f", "argu', []),
        ('Let me see. <tool_call>{"name"', ["Let me see."]),
        ('<tool_call>{"name": "f", "arguments": {}}', [FunctionCall("f", "{}")]),
        ('{"name": "f", "parameters": {"ci', []),
        ('[{"name": "f", "arguments": {}}, {"na', [FunctionCall("f", "{}")]),
        ("Hello", ["Hello"]),
    ],
)
def test_a_call_that_was_cut_off_is_not_said(text: str, found: list[str | FunctionCall]) -> None:
    calls = ToolCallParser("fg")
    assert [*calls.push(text), *calls.flush(cut_off=True)] == found


def seconds(text: str, size: int) -> float:
    """Processor time of an answer that comes in pieces of `size` characters."""
    parser = AnswerParser("fg")
    began = time.process_time()
    for at in range(0, len(text), size):
        parser.push(text[at : at + size])
    parser.flush()
    return time.process_time() - began


@pytest.mark.parametrize(
    ("beginning", "part"),
    [
        ("", "\u2028"),
        ("Well. ", "\u2028"),
        ("<tool_call>", "a"),
        ("<tool_call>", "</"),
        ("[TOOL_CALLS]", "a"),
        ('{"name": "f", "arguments": ', "{"),
    ],
)
def test_each_piece_is_looked_at_once_however_much_waits(beginning: str, part: str) -> None:
    short, long = (min(seconds(beginning + part * count, 3) for _ in range(3)) for count in (6_000, 60_000))
    assert long < 25 * short  # it is 10 times as long; a second look at all that waits takes 60 times as long


@pytest.mark.parametrize("part", ["<think></think>", '<tool_call>{"name": "f"}</tool_call>'])
def test_a_piece_with_many_marks_takes_no_time(part: str) -> None:
    assert seconds(part * (3_000_000 // len(part)), 10**9) < 15.0
