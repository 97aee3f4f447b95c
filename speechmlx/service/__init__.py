"""The server as a service of the user: a launchd agent on macOS, a systemd user unit on Linux."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Protocol

from speechmlx.errors import BadRequest
from speechmlx.service.definition import ServiceDefinition, ServiceStatus
from speechmlx.service.launchd import LaunchdAgent
from speechmlx.service.systemd import SystemdUnit


class ServiceControl(Protocol):
    """What both service managers can do. Methods return lines for a person and raise BadRequest."""

    def install(self, definition: ServiceDefinition) -> list[str]: ...

    def uninstall(self) -> list[str]: ...

    def start(self) -> list[str]: ...

    def stop(self) -> list[str]: ...

    def restart(self) -> list[str]: ...

    def status(self) -> ServiceStatus: ...

    def log_command(self, lines: int, follow: bool) -> list[str]:
        """The command that shows the last `lines` of the log and, with `follow`, what is added."""
        ...


def control(environment: Mapping[str, str], platform: str = sys.platform) -> ServiceControl:
    """The service manager of this machine. Raises BadRequest where there is none."""
    if platform == "darwin":
        return LaunchdAgent(environment)
    if platform.startswith("linux"):
        return SystemdUnit(environment)
    raise BadRequest(f"there is no service for {platform}; macOS (launchd) and Linux (systemd) have one")
