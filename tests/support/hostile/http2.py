"""HTTP/2 over TLS: floods, resets, windows and headers that abuse it, and damage to the bytes of whole requests."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import struct
from collections.abc import Callable
from functools import cache

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import H2Error
from h2.settings import SettingCodes
from support.hostile.mutations import mutate
from support.hostile.requests import NAMES, PATHS, WORDS
from support.hostile.target import PATIENCE, Target, judged

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
GET = ((":method", "GET"), (":path", "/health"), (":scheme", "https"), (":authority", "localhost"))
POST = ((":method", "POST"), *GET[1:], ("content-type", "application/json"))
END_STREAM, END_HEADERS = 1, 4
GLIMPSE = 0.3
"""Seconds in which the answer to an abuse is looked at."""


def raw(kind: int, stream: int = 0, payload: bytes = b"", flags: int = 0, length: int | None = None) -> bytes:
    """A frame of HTTP/2; `length` may be wrong."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def connection() -> H2Connection:
    """A client that checks nothing of what it sends."""
    config = H2Configuration(
        client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None
    )
    made = H2Connection(config)
    made.initiate_connection()
    return made


def started(made: H2Connection, headers: object = GET, end: bool = True) -> int:
    """A new stream with `headers`."""
    stream = int(made.get_next_available_stream_id())
    made.send_headers(stream, headers, end_stream=end)  # type: ignore[arg-type]
    return stream


def resets(made: H2Connection, draw: random.Random) -> bytes:
    for _ in range(300):
        stream = started(made)
        made.reset_stream(stream, draw.choice(list(ErrorCodes)))
    return b""


def settings(made: H2Connection, draw: random.Random) -> bytes:
    for _ in range(500):
        made.update_settings({SettingCodes.HEADER_TABLE_SIZE: draw.choice((0, 4096, 1 << 20))})
    return b""


def wrong_settings(made: H2Connection, draw: random.Random) -> bytes:
    code, value = draw.choice(
        ((2, 2), (3, 0), (4, 1 << 31), (5, 1), (5, 1 << 24), (1, (1 << 32) - 1), (999, 1), (8, 7))
    )
    return raw(SETTINGS, 0, struct.pack(">HI", code, value) * draw.choice((1, 5000 // 6)))


def no_window(made: H2Connection, draw: random.Random) -> bytes:
    made.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    for _ in range(20):
        started(made, ((":method", "GET"), (":path", "/openapi.json"), *GET[2:]))
    return b""


def windows(made: H2Connection, draw: random.Random) -> bytes:
    stream = started(made, POST, end=False)
    step = draw.choice((0, 1, (1 << 31) - 1))
    return raw(WINDOW_UPDATE, draw.choice((0, stream, 99)), struct.pack(">I", step)) * draw.choice((2, 2000))


def pings(made: H2Connection, draw: random.Random) -> bytes:
    return raw(PING, 0, bytes(8)) * 2000


def empty_data(made: H2Connection, draw: random.Random) -> bytes:
    return raw(DATA, started(made, POST, end=False)) * 2000


def padding(made: H2Connection, draw: random.Random) -> bytes:
    return raw(DATA, started(made, POST, end=False), b"\xff" + bytes(255), flags=8) * 200


def continuations(made: H2Connection, draw: random.Random) -> bytes:
    return raw(HEADERS, 1, b"", flags=END_STREAM) + raw(CONTINUATION, 1, b"\x00\x01a\x01b" * 500) * 500


def table(made: H2Connection, draw: random.Random) -> bytes:
    """One long header in the table, named thousands of times."""
    entry = b"\x40\x01x\x7f\x81\x1e" + b"y" * 4000
    return raw(HEADERS, 1, entry + b"\xbe" * 12_000, flags=END_STREAM | END_HEADERS)


def many_headers(made: H2Connection, draw: random.Random) -> bytes:
    extra = tuple((f"x-{n}", "y" * 50) for n in range(draw.choice((50, 300))))
    started(made, (*GET, *extra))
    return b""


def odd_headers(made: H2Connection, draw: random.Random) -> bytes:
    for _ in range(5):
        odd = [(draw.choice((*NAMES, ":path", ":method", ":x", "", "te", "connection", "UP")), draw.choice(WORDS))]
        whole = [(":method", draw.choice(("GET", "POST", "CONNECT", ""))), (":path", draw.choice(PATHS)), *GET[2:]]
        chosen = [pair for pair in whole if draw.random() < 0.9] + odd * draw.choice((1, 3))
        started(made, [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in chosen])
    return b""


def many_streams(made: H2Connection, draw: random.Random) -> bytes:
    """More streams at once than are allowed."""
    made.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 1 << 20
    for _ in range(400):
        started(made, POST, end=False)
    return b""


def odd_frames(made: H2Connection, draw: random.Random) -> bytes:
    return b"".join(
        raw(draw.randrange(12), draw.choice((0, 1, 2, 3, 1 << 30)), draw.randbytes(draw.choice((0, 4, 5, 8, 40))),
            draw.randrange(256), draw.choice((None, None, None, 0, 1 << 14, (1 << 24) - 1)))
        for _ in range(20)
    )  # fmt: skip


def length_lie(made: H2Connection, draw: random.Random) -> bytes:
    stream = started(made, (*POST, ("content-length", str(draw.choice((0, 1, 1 << 40, -1))))), end=False)
    return raw(DATA, stream, b"{}" * 5, flags=END_STREAM)


def damaged(made: H2Connection, draw: random.Random) -> bytes:
    start = made.data_to_send()
    for _ in range(3):
        made.send_data(started(made, POST, end=False), b"{}", end_stream=True)
    return start + mutate(made.data_to_send(), draw)


Abuse = Callable[[H2Connection, random.Random], bytes]
"""Sends on the connection, and returns bytes that follow."""
ABUSES: tuple[Abuse, ...] = (
    resets, settings, wrong_settings, no_window, windows, pings, empty_data, padding, continuations, table,
    many_headers, odd_headers, many_streams, odd_frames, length_lie, damaged,
)  # fmt: skip


@cache
def _client_side(trust: ssl.SSLContext) -> ssl.SSLContext:
    trust.set_alpn_protocols(["h2"])
    return trust


async def attack(target: Target, draw: random.Random) -> str | None:
    """One connection with an abuse; then another must be answered. What is wrong."""
    abuse = draw.choice((*ABUSES, *(odd_headers, damaged, odd_frames) * 4))
    made = connection()
    data = abuse(made, draw)
    found, _ = await _events(target, made, made.data_to_send() + data, GLIMPSE)
    if wrong := judged([_status(event) for event in found if isinstance(event, ResponseReceived)]):
        return f"{abuse.__name__}: {wrong}"
    made = connection()
    started(made)
    found, ended = await _events(target, made, made.data_to_send(), PATIENCE)
    if not ended or [_status(event) for event in found if isinstance(event, ResponseReceived)] != [200]:
        return f"{abuse.__name__}: the next connection got {found}"
    return None


def _status(event: ResponseReceived) -> int:
    return int(dict(event.headers or ())[b":status"])


async def _events(target: Target, made: H2Connection, data: bytes, patience: float) -> tuple[list[Event], bool]:
    """Send bytes; the events up to the end of the first stream or connection, and whether that came in `patience` s."""
    trust = _client_side(target.trust)
    reader, writer = await asyncio.open_connection("127.0.0.1", target.tls, ssl=trust, server_hostname="localhost")
    found: list[Event] = []
    try:
        async with asyncio.timeout(patience):
            writer.write(data)
            while piece := await reader.read(65536):
                with contextlib.suppress(H2Error):
                    found += made.receive_data(piece)
                    writer.write(made.data_to_send())
                if any(isinstance(event, StreamEnded | StreamReset | ConnectionTerminated) for event in found):
                    break
    except TimeoutError:
        return found, False
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.transport.abort()
    return found, True
