"""Bounds of JSON: any text is measured as the parser reads it, and long strings come back whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.errors import BadRequest, TooLarge
from speechmlx.protocols.http import json_bounds
from speechmlx.protocols.http.json_bounds import LONG, MAX_DEPTH, MAX_MARKS, LongText, Outline, check_bounds

VALUES = st.recursive(
    st.none() | st.integers() | st.text('"\\\\[{},aé', max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('"\\\\ab', max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from((2, 5, 1000)))
def test_every_document_comes_back(value: object, long: int) -> None:
    data = json.dumps({"x": value}, ensure_ascii=False).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_bounds, "LONG", long)
        outline = Outline(data)
        if any(len(key) > 1 for key in _keys(value)):
            return
        assert outline.restore(json.loads(outline.kept), ()) == {"x": value}


def _keys(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for entry in value.values() for key in _keys(entry))]
    return [key for entry in value for key in _keys(entry)] if isinstance(value, list) else []


def test_depth_and_count_have_a_limit() -> None:
    check_bounds("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    check_bounds("[" + "1," * (MAX_MARKS - 2) + "1]")
    check_bounds(json.dumps({"text": "[{," * MAX_MARKS}))
    with pytest.raises(BadRequest, match="more than 100 lists"):
        check_bounds("[" * (MAX_DEPTH + 1))
    with pytest.raises(BadRequest, match="more than 250000"):
        check_bounds("[" + "1," * (MAX_MARKS - 1) + "1]")
    with pytest.raises(BadRequest, match="more than 250000"):
        check_bounds('"' * (MAX_MARKS * 2 + 2))


def test_a_long_string_is_a_recording_where_one_may_be() -> None:
    text = "é\\/" * LONG
    outline = Outline(json.dumps({"file": text, "prompt": "p"}).encode())
    found = outline.restore(json.loads(outline.kept), ("file",))
    assert isinstance(found["file"], LongText) and found["prompt"] == "p" and len(outline.kept) < 100
    assert "".join(found["file"]) == text
    outline = Outline(json.dumps({text: 1}).encode())
    with pytest.raises(BadRequest, match="a key of over"):
        outline.restore(json.loads(outline.kept), ())


def test_a_string_that_is_most_of_a_document_is_no_copy() -> None:
    """A copy of a recording would hold the interpreter; a document kept for a short string, its memory."""
    whole = json.dumps({"file": "f" * 9 * LONG, "known_speaker_references": "r" * 2 * LONG}).encode()
    outline = Outline(whole)
    found = outline.restore(json.loads(outline.kept), ("file", "known_speaker_references"))
    assert found["file"].document is whole
    assert found["known_speaker_references"].document == b"r" * 2 * LONG
    assert ["".join(text) for text in found.values()] == ["f" * 9 * LONG, "r" * 2 * LONG]


def test_everything_else_has_a_limit_in_bytes() -> None:
    with pytest.raises(TooLarge, match="4 MB"):
        Outline(b"[" + b" " * (5 << 20) + b"]")
    outline = Outline(json.dumps({"a": ["x" * (3 << 20)] * 2}).encode())
    with pytest.raises(TooLarge, match="4 MB"):
        outline.restore(json.loads(outline.kept), ())


def test_a_long_string_without_an_end() -> None:
    with pytest.raises(ValueError, match="begins at byte 6 and does not end"):
        Outline(b'{"a": "' + b"x" * (LONG + 1))


def test_what_no_string_holds() -> None:
    with pytest.raises(BadRequest, match="not valid JSON"):
        list(LongText(b"\\x" * LONG, 0, 2 * LONG))
