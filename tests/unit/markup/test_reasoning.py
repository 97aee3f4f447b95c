"""Reasoning in a model's text, however it is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.markup.reasoning import ReasoningFilter


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello.", "Hello."),
        ("<think>Hm, hello?</think>\n\nHello there.", "Hello there."),
        ("<think></think>Hi. <think>And?</think> Bye.", "Hi. Bye."),
        ("<think>It never ends", ""),
        ("1 < 2 <thin", "1 < 2 <thin"),
        ("", ""),
    ],
)
@given(cuts=st.lists(st.integers(0, 60), max_size=12))
def test_however_it_is_cut(text: str, said: str, cuts: list[int]) -> None:
    thoughts, out, start = ReasoningFilter(), "", 0
    for cut in [*sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]:
        out += thoughts.push(text[start:cut])
        start = cut
    assert out + thoughts.flush() == said
