"""The log's lines: one per record whatever is in it, its own packages only, tracebacks set in."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

from speechmlx.log import Lines, escape


def record(message: str, *given: object, name: str = "speechmlx.serve", error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    return Lines("engine: ").format(logging.LogRecord(name, logging.INFO, "", 0, message, given, info))


def test_a_line_has_time_level_source_and_message() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO    engine: loaded a", record("loaded %s", "a"))
    assert record("warned", name="hypercorn").endswith("engine: hypercorn: warned")


def test_what_others_sent_forges_no_line_and_moves_no_cursor() -> None:
    forged = "a\r\n2026-01-01 00:00:00 ERROR   forged\x1b[2J\x85\u2028b"
    assert record("path %s", forged).endswith(r"path a\r\n2026-01-01 00:00:00 ERROR   forged\x1b[2J\x85\u2028b")
    assert escape("Grüße, 世界\t") == "Grüße, 世界\\t"


def test_a_traceback_is_set_in_to_its_last_line() -> None:
    try:
        raise ValueError("broken\n2026-01-01 00:00:00 ERROR   forged\x1b[2J")
    except ValueError as error:
        first, *rest = record("failed", error=error).split("\n")
    assert first.endswith("engine: failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-2:] == ["    ValueError: broken", r"    2026-01-01 00:00:00 ERROR   forged\x1b[2J"]
    assert all(line.startswith("    ") for line in rest)


def test_the_level_is_for_its_own_packages_and_others_only_warn() -> None:
    code = (
        "import logging, speechmlx.log; speechmlx.log.start('debug');"
        "[logging.getLogger(n).log(l, n) for n in ('speechmlx.a', 'httpx') for l in (10, 20, 30)];"
        "logging.getLogger('python_multipart').warning('form')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = [line[20:] for line in done.stderr.splitlines()]
    assert told == ["DEBUG   speechmlx.a", "INFO    speechmlx.a", "WARNING speechmlx.a", "WARNING httpx: httpx"]
