"""The limit of open files, and one line where they run out."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys

import pytest

from speechmlx.protocols.http.descriptors import ShortageLog


@pytest.mark.parametrize(("soft", "hard", "limit"), [(256, 300, 300), (256, 9000, 8192), (8500, 9000, 8500)])
def test_the_limit_is_raised_as_far_as_it_goes(soft: int, hard: int, limit: int) -> None:
    """In a process of its own: a hard limit cannot be raised again."""
    script = (
        "import resource; from speechmlx.protocols.http.descriptors import raise_limit; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); print(raise_limit())"
    )
    assert int(subprocess.check_output([sys.executable, "-c", script])) == limit


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
    assert not shortages.takes(OSError(errno.EPIPE, "broken")) and not shortages.takes(ValueError())
