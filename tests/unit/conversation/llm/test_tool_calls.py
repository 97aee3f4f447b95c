"""Function calls in a model's text, however it is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation.llm.tool_calls import Call, ToolCallParser, offered
from speechmlx.errors import BadRequest

CALL = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'


def parse(text: str, cuts: list[int]) -> list[str | Call]:
    calls, out, start = ToolCallParser("fg"), list[str | Call](), 0
    for cut in [*sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]:
        out += calls.push(text[start:cut])
        start = cut
    out += calls.flush()
    merged: list[str | Call] = []
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
        (CALL, [Call("f", '{"x": 1}')]),
        (f"Let me see. {CALL}{CALL}", ["Let me see.", Call("f", '{"x": 1}'), Call("f", '{"x": 1}')]),
        ('<tool_call>{"name": "f", "parameters": {}}', [Call("f", "{}")]),
        ('<tool_call>{"name": "f", "arguments": "{}"}</tool_call>', [Call("f", "{}")]),
        ("<tool_call>no json</tool_call>", ["<tool_call>no json</tool_call>"]),
        ("<tool_call>[1]</tool_call> so", ["<tool_call>[1]</tool_call> so"]),
        ("1 < 2 <tool", ["1 < 2 <tool"]),
        (
            '[TOOL_CALLS][{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]',
            [Call("f", '{"x": 1}'), Call("g", "{}")],
        ),
        ('[TOOL_CALLS]f[ARGS]{"x": 1}', [Call("f", '{"x": 1}')]),
        (' [{"name": "f", "arguments": {"x": 1}}]', [Call("f", '{"x": 1}')]),
        ('<|python_tag|>{"name": "f", "parameters": {"x": 1}}', [Call("f", '{"x": 1}')]),
        ('{"type": "function", "name": "f", "parameters": {}}; {"name": "g"}', [Call("f", "{}"), Call("g", "{}")]),
        ('{"type": "function", "function": {"name": "f", "arguments": "{}"}}', [Call("f", "{}")]),
        ('{"x": 1}', ['{"x": 1}']),
        ('{"name": "Bob", "age": 3}', ['{"name": "Bob", "age": 3}']),
        ('<tool_call>{"name": "h"}</tool_call>', [Call("h", "{}")]),
        ('[TOOL_CALLS][{"name": "h", "arguments": {}}]', [Call("h", "{}")]),
        ("[laughs] Well", ["[laughs] Well"]),
        ("[", ["["]),
    ],
)
@given(cuts=st.lists(st.integers(0, 200), max_size=12))
def test_however_it_is_cut(text: str, found: list[str | Call], cuts: list[int]) -> None:
    assert parse(text, cuts) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<tool_call>{"name": "f", "argu', []),
        ('Let me see. <tool_call>{"name"', ["Let me see."]),
        ('<tool_call>{"name": "f", "arguments": {}}', [Call("f", "{}")]),
        ('{"name": "f", "parameters": {"ci', []),
        ('[{"name": "f", "arguments": {}}, {"na', [Call("f", "{}")]),
        ("Hello", ["Hello"]),
    ],
)
def test_a_call_that_was_cut_off_is_not_said(text: str, found: list[str | Call]) -> None:
    calls = ToolCallParser("fg")
    assert [*calls.push(text), *calls.flush(cut_off=True)] == found


def test_the_tools_that_are_offered() -> None:
    tools = ({"type": "function", "name": "f"}, {"type": "function", "name": "g"})
    assert offered(tools, "auto") == offered(tools, "required") == tools
    assert offered(tools, "none") == ()
    assert offered(tools, {"name": "g"}) == tools[1:]
    with pytest.raises(BadRequest, match=r"'h'.*f, g"):
        offered(tools, {"name": "h"})
