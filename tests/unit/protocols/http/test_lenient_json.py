"""JSON as clients write it."""

from __future__ import annotations

import pytest

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.lenient_json import HANDWRITTEN, read_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        (b'{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ("{'a': True, 'b': None,}", {"a": True, "b": None}),
        ("[1]", [1]),
    ],
)
def test_json_and_python_literals_are_read(text: str | bytes, value: object) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize(
    "text", ["", "[1,]", "{'a': {1}}", "{'a': f()}", "{'a': 1e999}", "{'a': '" + "x" * HANDWRITTEN + "'}"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (whatever it says)
        read_json(text)


def test_half_of_a_character_is_refused() -> None:
    with pytest.raises(BadRequest, match="half of a character"):
        read_json('["\\ud800"]')
