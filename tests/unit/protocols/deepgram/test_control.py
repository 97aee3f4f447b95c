"""Control messages, in text and by mistake in binary, and what fits into the reason of a close."""

from __future__ import annotations

import pytest

from speechmlx.errors import BadRequest
from speechmlx.protocols.deepgram.control import LONGEST_REASON, closing, read_control


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ('{"type": "KeepAlive"}', "KeepAlive"),
        (b'{"type": "Finalize"}', "Finalize"),
        (b' {"type":"CloseStream"}', "CloseStream"),
        (b'{"no": "type"}', None),
        (b"{" + b"\0" * 20, None),
        (b'{"type": "KeepAlive", "padding": "' + b"x" * 64 + b'"}', None),
        (b"\xff\xfe\x00", None),
        (b"", None),
    ],
)
def test_a_control_message(message: str | bytes, found: str | None) -> None:
    control = read_control(message)
    assert (control and control.type) == found


@pytest.mark.parametrize("message", ["", "hello", "[]", "{}", '{"type": 3}', "[" * 100_000])
def test_text_that_is_no_control_message(message: str) -> None:
    with pytest.raises(BadRequest):
        read_control(message)


def test_a_reason_fits() -> None:
    close = closing(1008, "é" * 200)
    assert close.reason == "é" * (LONGEST_REASON // 2)
