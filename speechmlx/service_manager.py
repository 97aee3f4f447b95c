"""Whether launchd or systemd started this process, and the defaults that settings have then."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

ENGINE_IDLE = 900.0
"""Seconds without work after which the engine process of a service ends."""
LAUNCHD_LOG = "Library/Logs/speechmlx/speechmlx.log"
"""The log of a launchd agent, in the user's home. launchd itself would keep one file that grows for ever."""


def started_by(environment: Mapping[str, str]) -> Literal["launchd", "systemd"] | None:
    """The service manager that started this very process; None if a person or another program did."""
    if environment.get("SYSTEMD_EXEC_PID") == str(os.getpid()):
        return "systemd"
    # Terminal programs have such a name too, or "0", and what they start has another parent than launchd.
    if environment.get("XPC_SERVICE_NAME", "0") not in ("", "0") and os.getppid() == 1:
        return "launchd"
    return None


def defaults(environment: Mapping[str, str]) -> dict[str, Any]:
    """Settings of a service where neither the file nor the environment nor a flag sets them."""
    match started_by(environment):
        case "launchd":
            log = Path(environment.get("HOME", "~")).expanduser() / LAUNCHD_LOG
            return {"engine_idle": ENGINE_IDLE, "log_file": str(log)}
        case "systemd":
            return {"engine_idle": ENGINE_IDLE}
        case None:
            return {}
