"""Requests of HTTP/1 that have one meaning only."""

from __future__ import annotations

import h11
import pytest

from speechmlx.protocols.http.plain_http import PlainParser

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


def parsed(data: bytes) -> object:
    parser = PlainParser(h11.SERVER)
    parser.receive_data(data)
    return parser.next_event()


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 2\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ],
)
def test_what_has_one_meaning_is_read(data: bytes) -> None:
    assert isinstance(parsed(data), h11.Request)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
def test_what_has_two_meanings_or_another_version_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(h11.RemoteProtocolError) as caught:
        parsed(data)
    assert caught.value.error_status_hint == status
