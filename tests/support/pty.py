"""The command in a terminal, as a person sees it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect

COMMAND = Path(sys.executable).with_name("audio-server")
LIMIT = 30.0
"""Seconds."""
CODES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07)")
"""Colours, and movements of the cursor."""


def start(*arguments: str, columns: int = 80, env: Mapping[str, str] = {}) -> pexpect.spawn[str]:
    """Begin the command in a terminal that is so wide. Variables of the settings are those of `env` alone."""
    inherited: Mapping[str, str] = {k: v for k, v in os.environ.items() if not k.startswith(("SPEECHMLX_", "COLUMNS"))}
    return pexpect.spawn(
        str(COMMAND),
        list(arguments),
        env={**inherited, "TERM": "xterm-256color", **env},
        dimensions=(50, columns),
        encoding="utf-8",
        timeout=LIMIT,
    )


def shown(*arguments: str, status: int = 0, columns: int = 80, env: Mapping[str, str] = {}) -> str:
    """All that the command shows in a terminal until its end, without codes. AssertionError for another status."""
    child = start(*arguments, columns=columns, env=env)
    child.expect(pexpect.EOF)
    child.close()
    text = CODES.sub("", child.before or "").replace("\r\n", "\n")
    assert child.exitstatus == status, text
    return text
