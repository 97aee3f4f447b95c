"""The log's lines: one per record whatever is in it, its own packages only, tracebacks set in, nothing secret."""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import datetime
from typing import Any

import pytest

from speechmlx.log import RequestRecord, naming, recording
from speechmlx.log.lines import MAX_MESSAGE, MAX_TRACEBACK, Hiding, JsonLines, TextLines, escape

FORGED = "a\r\n2026-01-01 00:00:00 ERROR   forged\x1b[2J\x85\u2028\u202eb\ud800"
ESCAPED = r"a\r\n2026-01-01 00:00:00 ERROR   forged\x1b[2J\x85\u2028\u202eb\ud800"


def made(message: str, *given: object, name: str = "speechmlx.serve", **more: Any) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.INFO, "", 0, message, given, more.pop("exc_info", None))
    record.__dict__.update(more)
    return record


def text(message: str, *given: object, **more: Any) -> str:
    return TextLines("engine: ").format(made(message, *given, **more))


def as_json(message: str, *given: object, **more: Any) -> dict[str, Any]:
    line = JsonLines().format(made(message, *given, **more))
    assert line.isascii() and not re.search(r"[\x00-\x1f\x7f]", line)
    found: dict[str, Any] = json.loads(line)
    return found


def raised(message: str) -> Any:
    try:
        raise ValueError(message)
    except ValueError as error:
        return (type(error), error, error.__traceback__)


def test_a_line_has_time_level_source_and_message() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO    engine: loaded a", text("loaded %s", "a"))
    assert text("warned", name="hypercorn").endswith("engine: hypercorn: warned")
    found = as_json("loaded %s", "a", created=0.0, msecs=7.0)
    assert found == {
        "time": "1970-01-01T00:00:00.007Z",
        "level": "info",
        "process": "server",
        "logger": "speechmlx.serve",
        "message": "loaded a",
    }
    assert abs(datetime.fromisoformat(as_json("now")["time"]).timestamp() - time.time()) < 5


def test_what_others_sent_forges_no_line_and_moves_no_cursor() -> None:
    assert text("path %s", FORGED).endswith(f"path {ESCAPED}")
    assert text("x", text=FORGED).endswith(f"engine: {ESCAPED}")
    assert text("x", request_id=FORGED).endswith(f" [{ESCAPED}]")
    assert escape("Grüße, 世界\t") == "Grüße, 世界\\t"
    assert as_json("path %s", FORGED, fields={"path": FORGED})["path"] == FORGED


def test_a_traceback_is_set_in_to_its_last_line() -> None:
    error = raised("broken\n2026-01-01 00:00:00 ERROR   forged\x1b[2J")
    first, *rest = text("failed", exc_info=error).split("\n")
    assert first.endswith("engine: failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-2:] == ["    ValueError: broken", r"    2026-01-01 00:00:00 ERROR   forged\x1b[2J"]
    assert all(line.startswith("    ") for line in rest)
    found = as_json("failed", exc_info=error)["traceback"]
    assert found.startswith("Traceback") and found.endswith("forged\x1b[2J")


def test_a_line_names_the_request_that_it_is_about() -> None:
    with recording(RequestRecord("req_1")) as record:
        assert text("failed").endswith("engine: failed [req_1]")
        record.trace_id = "00ff"
        found = as_json("failed", fields={"event": "request", "status": 200, "key": None})
        assert found["request_id"] == "req_1" and found["trace_id"] == "00ff" and found["status"] == 200
        assert "key" not in found
        with naming(["a", "", "b", "a"]):
            assert as_json("a batch")["request_id"] == "a,b"
    assert "request_id" not in as_json("nobody's")


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("GET https://me:pass@host/v1?api_key=abc&x=1#f", "GET https://***@host/v1?api_key=***&x=***#f"),
        ("ws://host/asr?token=abc failed", "ws://host/asr?token=*** failed"),
        ("/v1/listen?keyterm=Name&model=m", "/v1/listen?keyterm=***&model=***"),
        ("Illegal header value b'Bearer hunter2hunter2'", "Illegal header value b'Bearer ***'"),
        ("{'Authorization': 'Token abcdefgh'}", "{'Authorization': 'Token ***'}"),
        ("x-api-key: abcdefgh, api_key='abcdefgh'", "x-api-key: ***, api_key='***'"),
        ('{"access_token": "abcdefgh"}', '{"access_token": "***"}'),
        ("the key sk-proj-abcdefghijkl is wrong", "the key *** is wrong"),
        ("smx-abcdefghijklmnop and ek_0123456789abcdef", "*** and ***"),
        ("opened by our-own-key", "opened by ***"),
    ],
)
def test_secrets_are_not_written(told: str, shown: str) -> None:
    hide = Hiding(["our-own-key", "a"])
    assert TextLines(hide=hide).format(made("%s", told)).endswith(shown)
    assert json.loads(JsonLines(hide=hide).format(made("x", fields={"path": told})))["path"] == shown
    assert shown in TextLines(hide=hide).format(made("failed", exc_info=raised(told)))


@pytest.mark.parametrize(
    "told",
    [
        "127.0.0.1 POST /v1/audio/speech 200, 0.123 s, 40 B in, 9.6 kB out",
        "response resp_1 completed: transcript -, first token 0.123 s, first audio 0.200 s, total 1.000 s",
        "task-force of 12 said: is it so? yes = good",
        "the key laptop has no scope manage",
    ],
)
def test_what_is_no_secret_stays(told: str) -> None:
    assert Hiding()(told) == told


def test_a_line_is_bounded_and_found_in_linear_time() -> None:
    assert text("%s", "x" * 100_000).endswith("x... (100000 characters)")
    assert len(text("%s", "x" * 100_000)) < MAX_MESSAGE + 100
    long = text("failed", exc_info=raised("y" * 100_000 + "the end"))
    assert long.endswith("the end") and len(long) < MAX_TRACEBACK + 200
    hide = Hiding()
    for piece in ("://", "?a=", "token=", "bearer ", "sk-", "authorization: token ", "x@", "://a:"):
        began = time.process_time()
        hide(piece * (MAX_TRACEBACK // len(piece)))
        assert time.process_time() - began < 1, piece


def test_a_wrong_call_loses_nothing() -> None:
    assert text("%d of %d", "one").endswith("%d of %d ('one',)")
