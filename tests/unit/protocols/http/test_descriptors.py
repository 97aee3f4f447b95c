"""The limit of open files, and one line where they run out."""

from __future__ import annotations

import errno
import logging
import resource
import subprocess
import sys

import pytest

from speechmlx.protocols.http.descriptors import ShortageLog, raise_limit


@pytest.mark.parametrize(("soft", "hard", "limit"), [(256, 300, 300), (256, 9000, 8192), (8500, 9000, 8500)])
def test_the_limit_is_raised_as_far_as_it_goes(soft: int, hard: int, limit: int) -> None:
    """In a process of its own: a hard limit cannot be raised again."""
    script = (
        "import resource; from speechmlx.protocols.http.descriptors import raise_limit; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); print(raise_limit())"
    )
    assert int(subprocess.check_output([sys.executable, "-c", script])) == limit


@pytest.mark.parametrize(
    ("most", "limit", "told"), [(8192, 8192, []), (5000, 4096, ["4096"]), (1024, 1024, ["1024"]), (500, 256, ["256"])]
)
def test_where_the_system_refuses_the_next_lower_limit_is_tried(
    most: int, limit: int, told: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """macOS has a limit besides the hard one."""
    now = [256, resource.RLIM_INFINITY]

    def change(which: int, limits: tuple[int, int]) -> None:
        if limits[0] > most:
            raise ValueError("current limit exceeds maximum limit")
        now[:] = limits

    monkeypatch.setattr(resource, "getrlimit", lambda which: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", change)
    assert raise_limit() == limit
    assert now == [limit, resource.RLIM_INFINITY]
    assert [record.getMessage().split()[1] for record in caplog.records] == told


def test_it_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    shortages = ShortageLog(lambda: now)
    with caplog.at_level(logging.WARNING):
        assert all(shortages.takes(OSError(errno.EMFILE, "Too many open files")) for _ in range(1000))
        assert [record.getMessage().partition(" (")[2] for record in caplog.records] == [
            "Too many open files): new ones wait until others close; ulimit -n raises it"
        ]
        now = 61.0
        assert shortages.takes(OSError(errno.ENFILE, "Too many open files in system"))
    assert len(caplog.records) == 2
    shortages = ShortageLog(lambda: now)
    assert all(shortages.takes(OSError(number, "No room")) for number in (errno.ENOBUFS, errno.ENOMEM))
    assert caplog.messages[2:] == ["the system has no memory for more connections (No room): new ones wait"]
    assert not shortages.takes(OSError(errno.EPIPE, "broken")) and not shortages.takes(ValueError())
