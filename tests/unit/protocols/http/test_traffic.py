"""A line per request and per socket, what is under way, and 503 for what is stopped before it has answered."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechmlx.log import RequestRecord, current, recording
from speechmlx.log.lines import JsonLines, TextLines
from speechmlx.protocols.http.request_id import KEY, add_log_note
from speechmlx.protocols.http.traffic import Traffic, TrafficLog


async def passed(
    app: ASGIApp, scope: Scope, messages: Sequence[Message] = (), traffic: Traffic | None = None
) -> list[Message]:
    """What `app` sends, behind the log, when it is given `messages` and then nothing."""
    sent: list[Message] = []
    left = list(messages)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    whole = {"client": ("10.0.0.7", 5), "headers": [], "query_string": b"key=secret", KEY: "req_1", **scope}
    await TrafficLog(app, traffic or Traffic())(whole, receive, send)
    return sent


def http(path: str = "/speak") -> Scope:
    return {"type": "http", "method": "POST", "path": path}


SOCKET: Scope = {"type": "websocket", "path": "/v1/realtime"}
BODY: Message = {"type": "http.request", "body": b"12345", "more_body": False}


def line(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> str:
    """The only line, its seconds blanked."""
    (record,) = caplog.records
    assert record.levelno == level
    return without_time(TextLines().format(record))


def without_time(text: str) -> str:
    """A line without when it was written and how long its request took."""
    return re.sub(r", \d+\.\d{3} s,", ",", text[28:])


@pytest.fixture(autouse=True)
def debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "speechmlx")


async def test_a_request_says_who_what_how_long_and_how_much(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        add_log_note(scope, "slept")
        await PlainTextResponse("a" * 2000, 201)(scope, receive, send)

    await passed(answer, http(), [BODY])
    assert line(caplog) == "10.0.0.7 POST /speak 201, 5 B in, 2.0 kB out, slept [req_1]"
    (record,) = caplog.records
    assert "secret" not in JsonLines().format(record)
    fields = record.__dict__["fields"]
    assert 0 <= fields.pop("first_byte_s") <= fields.pop("duration_s") < 5
    assert {name: value for name, value in fields.items() if value is not None} == {
        "event": "request", "client": "10.0.0.7", "method": "POST", "path": "/speak", "status": 201, "outcome": "ok",
        "bytes_in": 5, "bytes_out": 2000, "notes": ["slept"],
    }  # fmt: skip


async def test_what_is_known_of_a_request_is_in_its_line(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        record = current()
        assert record is not None
        record.key, record.wire, record.route = "laptop", "wire", "/speak"
        record.use("a")
        record.use("b")
        record.audio_in = 2.5
        record.made(1.0)
        record.failed("busy")
        record.failed("no_room")
        record.heard("hello")
        await PlainTextResponse("", 503)(scope, receive, send)

    with recording(RequestRecord("req_1", with_transcript=True)):
        await passed(answer, http())
    told = re.sub(r"after 0\.0\d\d s", "after 0 s", line(caplog, logging.WARNING))
    assert told == (
        "10.0.0.7 POST /speak 503, 0 B in, 0 B out, a + b, 2.5 s of sound, 1.0 s made, first after 0 s, key laptop, "
        "no_room and 1 more, heard 'hello' [req_1]"
    )
    fields = caplog.records[0].__dict__["fields"]
    assert (fields["models"], fields["audio_in_s"], fields["audio_out_s"]) == (["a", "b"], 2.5, 1.0)
    assert (fields["key"], fields["wire"], fields["route"]) == ("laptop", "wire", "/speak")
    assert (fields["error"], fields["errors"], fields["transcript"]) == ("no_room", 2, "hello")
    assert fields["outcome"] == "failed" and fields["first_audio_s"] < 1


@pytest.mark.parametrize(
    ("path", "status", "level"),
    [
        ("/health", 200, logging.DEBUG),
        ("/metrics", 200, logging.DEBUG),
        ("/health", 405, logging.INFO),
        ("/speak", 404, logging.INFO),
        ("/speak", 500, logging.WARNING),
        ("/health", 503, logging.WARNING),
    ],
)
async def test_levels(caplog: pytest.LogCaptureFixture, path: str, status: int, level: int) -> None:
    await passed(PlainTextResponse("", status), http(path))
    assert f" {status}, 0 B in, 0 B out" in line(caplog, level)


async def test_answers_that_do_not_end_say_why(caplog: pytest.LogCaptureFixture) -> None:
    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await receive()

    await passed(cut, http(), [BODY])
    assert line(caplog) == "10.0.0.7 POST /speak 200 broken off, 5 B in, 3 B out [req_1]"
    caplog.clear()
    await passed(cut, http(), [{"type": "http.disconnect"}])
    assert line(caplog) == "10.0.0.7 POST /speak 200 the client left, 0 B in, 3 B out [req_1]"


async def test_a_socket_has_a_line_when_it_opens_and_one_when_it_closes(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.send", "text": "hello"})
        if (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.close", "code": 1012})

    said = {"type": "websocket.receive", "bytes": b"abc"}
    left = {"type": "websocket.disconnect", "code": 1006}
    for last, how, code, size in ((said, "1012", 1012, "6 B"), (left, "by the client", 1006, "3 B")):
        caplog.clear()
        await passed(talk, SOCKET, [said, last])
        opened, closed = (without_time(TextLines().format(record)) for record in caplog.records)
        assert opened == "10.0.0.7 WebSocket /v1/realtime opened [req_1]"
        assert closed == f"10.0.0.7 WebSocket /v1/realtime closed {how}, 3 B in, 5 B out [req_1]".replace("3 B", size)
        fields = caplog.records[1].__dict__["fields"]
        assert (fields["event"], fields["outcome"], fields["close_code"]) == ("session", "ok", code)


@pytest.mark.parametrize(("code", "outcome"), [(1000, "ok"), (1008, "refused"), (4401, "refused"), (None, "failed")])
async def test_how_a_socket_ended(caplog: pytest.LogCaptureFixture, code: int | None, outcome: str) -> None:
    async def talk(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        if code is not None:
            await send({"type": "websocket.close", "code": code})

    await passed(talk, SOCKET)
    fields = caplog.records[1].__dict__["fields"]
    assert (fields["outcome"], fields["close_code"]) == (outcome, code or 1011)


async def test_a_socket_that_is_refused_has_its_status(caplog: pytest.LogCaptureFixture) -> None:
    await passed(PlainTextResponse("no", 403), SOCKET)
    assert line(caplog) == "10.0.0.7 WebSocket /v1/realtime 403, 0 B in, 2 B out [req_1]"


async def test_what_is_stopped_is_answered_unless_its_answer_has_begun(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    def waiting(begun: bool) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if begun:
                await send({"type": "http.response.start", "status": 200})
            try:
                await receive()
                await receive()
            finally:
                ended.append(scope["path"])

        return app

    traffic = Traffic()
    before = asyncio.create_task(passed(waiting(False), http("/v1/audio/speech"), [BODY], traffic))
    after = asyncio.create_task(passed(waiting(True), http("/speak"), [BODY], traffic))
    await asyncio.sleep(0.01)
    assert traffic.requests == 2
    traffic.stop()
    start, body = await asyncio.wait_for(before, 1)
    assert start["status"] == 503 and (b"retry-after", b"5") in start["headers"]
    assert b'"code":"draining"' in body["body"] and b"stopped before it had answered" in body["body"]
    assert (traffic.requests, after.done(), ended) == (1, False, ["/v1/audio/speech"])
    after.cancel()
    with pytest.raises(asyncio.CancelledError):
        await after


async def test_listeners_hear_how_each_request_ended() -> None:
    traffic, heard = Traffic(), list[tuple[str, int]]()
    traffic.listeners.append(lambda path, status: heard.append((path, status)))
    await passed(PlainTextResponse("", 404), http("/transcribe"), traffic=traffic)
    assert heard == [("/transcribe", 404)]
