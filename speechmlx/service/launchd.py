"""LaunchdAgent: the server as an agent of launchd, which runs while the user is logged in."""

from __future__ import annotations

import os
import plistlib
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from speechmlx.errors import BadRequest
from speechmlx.service.definition import (
    EXIT_TIMEOUT,
    NAME,
    OPEN_FILES,
    ServiceDefinition,
    ServiceStatus,
    call,
    checked,
    reason_in,
    write,
)
from speechmlx.service_manager import LAUNCHD_LOG

LABEL = f"io.{NAME}.server"
BREW = f"homebrew.mxcl.{NAME}.plist"
AGENTS = "Library/LaunchAgents"
THROTTLE = 30
"""Seconds between two starts, at least. Each that is refused prints a line."""
LAST = 4096
"""Bytes at the end of what the server printed, in which its last line is."""
PAUSE = 0.2
"""Seconds between two looks whether an agent has ended."""
UNLOADING = (0, 3, 36)
"""Statuses of `launchctl bootout`: done; ESRCH, it has just ended; EINPROGRESS (macOS's number), it is still ending."""
CONSOLE = Path("/dev/console")
"""It belongs to the user whose session is on the screen, or to root."""


def agent(definition: ServiceDefinition, home: Path, screen: bool = True) -> dict[str, Any]:
    """The property list of the agent: launchd starts the server again unless it ends with status 0, as when stopped.

    With a wrong setting it ends with that as well.
    With a socket launchd listens, and starts it at the next connection, and only then: KeepAlive would do so at once.
    Without `screen` it is for the session that a user has who logged in over the network alone.
    """
    output = str(_output(home))
    entries: dict[str, Any] = {
        "Label": LABEL,
        "ProgramArguments": list(definition.command),
        "EnvironmentVariables": dict(definition.environment),
        "RunAtLoad": definition.socket is None,
        "ProcessType": "Interactive",
        "ThrottleInterval": THROTTLE,
        "ExitTimeOut": EXIT_TIMEOUT,
        "SoftResourceLimits": {"NumberOfFiles": OPEN_FILES},
        "StandardOutPath": output,
        "StandardErrorPath": output,
        "WorkingDirectory": str(home),
    }
    if definition.socket is None:
        entries["KeepAlive"] = {"SuccessfulExit": False}
    else:
        host, port = definition.socket
        family = "IPv6" if ":" in host else "IPv4"
        listeners = {"SockNodeName": host, "SockServiceName": str(port), "SockType": "stream", "SockFamily": family}
        entries["Sockets"] = {"Listeners": listeners}
    if not screen:
        entries["LimitLoadToSessionType"] = "Background"
    return entries


class LaunchdAgent:
    """The agent in ~/Library/LaunchAgents and in a session of the user: that on the screen, else that without one."""

    def __init__(
        self, environment: Mapping[str, str], sleep: Callable[[float], None] = time.sleep, console: Path = CONSOLE
    ) -> None:
        self._environment = environment
        self._sleep = sleep
        self._home = Path(environment.get("HOME", "~")).expanduser()
        self._screen = not console.exists() or console.stat().st_uid == os.getuid()
        gui, user = f"gui/{os.getuid()}", f"user/{os.getuid()}"
        self._domains = (gui, user) if self._screen else (user, gui)
        """Of launchd; the first is that of this session."""
        self.file = self._home / AGENTS / f"{LABEL}.plist"

    def install(self, definition: ServiceDefinition) -> list[str]:
        """Write the agent and start it. Raises BadRequest where Homebrew's service is there."""
        if other := self._brew():
            raise BadRequest(f"Homebrew runs the server already ({other}); `brew services stop {NAME}` ends that first")
        (self._home / LAUNCHD_LOG).parent.mkdir(parents=True, exist_ok=True)
        changed = write(self.file, plistlib.dumps(agent(definition, self._home, self._screen)))
        lines = [f"{'Wrote' if changed else 'Unchanged:'} {self.file}"]
        if changed:
            self._unload()
        return lines + self.start()

    def uninstall(self) -> list[str]:
        """End the agent and delete its file."""
        self._unload()
        if not self.file.exists():
            return [f"There is no service: {self.file} is not there"]
        self.file.unlink()
        return [f"Deleted {self.file}", "Models, settings and logs stay"]

    def start(self) -> list[str]:
        """Load the agent, which starts it. Start it again where it has ended."""
        self._installed()
        target, told = self._loaded()
        if not target:
            checked(["launchctl", "bootstrap", self._domains[0], str(self.file)], self._environment)
            return ["Started; it starts again at each login"]
        if _pid(told):
            return ["It runs already"]
        checked(["launchctl", "kickstart", target], self._environment)
        return ["Started"]

    def stop(self) -> list[str]:
        """End the server, until the next start or login."""
        self._installed()
        if not self._unload():
            return ["It does not run"]
        return ["Stopped; it starts again at the next login, or with `audio-server service start`"]

    def restart(self) -> list[str]:
        """End the server where it runs, and start it."""
        self._installed()
        target, _ = self._loaded()
        if not target:
            return self.start()
        checked(["launchctl", "kickstart", "-k", target], self._environment)
        return ["Restarted"]

    def status(self) -> ServiceStatus:
        """What launchd says about the agent."""
        _, told = self._loaded()
        pid = _pid(told)
        ended = re.search(r"last exit code = (.+)", told)
        code = ended[1] if ended and "never" not in ended[1] else ""
        said = "" if pid else _said(_output(self._home))
        return ServiceStatus(self.file, self.file.exists(), pid > 0, pid, code, self._brew(), said)

    def log_command(self, lines: int, follow: bool) -> list[str]:
        """tail, over the log and what the server printed outside of it. Raises BadRequest where there is neither."""
        log = self._home / LAUNCHD_LOG
        files = [str(file) for file in (_output(self._home), log) if file.exists()]
        if not files:
            raise BadRequest(f"there is no log yet: {log}")
        return ["tail", "-n", str(lines), *(["-F"] if follow else []), *files]

    def _installed(self) -> None:
        """Raises BadRequest where there is no agent."""
        if not self.file.exists():
            told = f"; Homebrew has one: brew services info {NAME}" if self._brew() else ""
            raise BadRequest(f"there is no service; `audio-server service install` makes it{told}")

    def _loaded(self) -> tuple[str, str]:
        """The agent as launchd knows it, and what it says about it; ("", "") where it knows none."""
        for target in (f"{domain}/{LABEL}" for domain in self._domains):
            done = call(["launchctl", "print", target], self._environment)
            if not done.returncode:
                return target, done.stdout
        return "", ""

    def _unload(self) -> bool:
        """End the agent and wait for its end, up to EXIT_TIMEOUT seconds and a little; False where none is loaded."""
        target, _ = self._loaded()
        if not target:
            return False
        checked(["launchctl", "bootout", target], self._environment, UNLOADING)
        for _ in range(int((EXIT_TIMEOUT + 5) / PAUSE)):
            if not self._loaded()[0]:
                return True
            self._sleep(PAUSE)
        raise BadRequest(f"{LABEL} did not end in {EXIT_TIMEOUT + 5} s")

    def _brew(self) -> str:
        """The file of Homebrew's service, started at login or at boot; "" where there is none."""
        files = (self._home / AGENTS / BREW, Path("/Library/LaunchDaemons") / BREW)
        return next((str(file) for file in files if file.exists()), "")


def _output(home: Path) -> Path:
    """Where what the server prints goes."""
    return (home / LAUNCHD_LOG).with_suffix(".out")


def _said(output: Path) -> str:
    """Why the server ended, by the last line that it printed."""
    try:
        with output.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return reason_in(lines[-1]) if lines else ""


def _pid(printed: str) -> int:
    """The process id in the output of `launchctl print`; 0 where nothing runs."""
    found = re.search(r"^\s*pid = (\d+)", printed, re.MULTILINE)
    return int(found[1]) if found else 0
