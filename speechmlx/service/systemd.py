"""SystemdUnit: the server as a user unit of systemd, which runs while the user is logged in, or lingers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from speechmlx.errors import BadRequest
from speechmlx.service.definition import (
    COMMAND,
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

SERVICE, SOCKET = f"{NAME}.service", f"{NAME}.socket"
BREW = f"homebrew.{NAME}.service"
WRONG_SETTINGS = 2
"""Exit status of the server where a setting is wrong: a new start would fail as well."""
PAUSE = 10
"""Seconds until the next start."""


def service_unit(definition: ServiceDefinition) -> str:
    """The text of the service's unit file."""
    pairs = (_quoted(f"{name}={value}") for name, value in definition.environment.items())
    environment = "".join(f"Environment={pair}\n" for pair in pairs)
    command = " ".join(_quoted(word).replace("$", "$$") for word in definition.command)
    wanted = "" if definition.socket else "\n[Install]\nWantedBy=default.target\n"
    return (
        "[Unit]\n"
        "Description=Speech server: recognition, synthesis, conversations\n"
        "\n[Service]\n"
        f"ExecStart={command}\n"
        f"{environment}"
        "Restart=on-failure\n"
        f"RestartPreventExitStatus={WRONG_SETTINGS}\n"
        f"RestartSec={PAUSE}\n"
        "KillMode=mixed\n"
        f"TimeoutStopSec={EXIT_TIMEOUT}\n"
        f"LimitNOFILE={OPEN_FILES}:524288\n"
        f"{wanted}"
    )


def socket_unit(host: str, port: int) -> str:
    """The text of the socket's unit file: systemd listens, and starts the server at the first connection."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return (
        f"[Unit]\nDescription=The address of the speech server\n\n[Socket]\nListenStream={address}\n"
        "\n[Install]\nWantedBy=sockets.target\n"
    )


class SystemdUnit:
    """The units in ~/.config/systemd/user and in the user's systemd."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        home = Path(environment.get("HOME", "~")).expanduser()
        self._folder = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "systemd/user"
        self.file = self._folder / SERVICE
        self._socket = self._folder / SOCKET

    def install(self, definition: ServiceDefinition) -> list[str]:
        """Write the units and start them. Raises BadRequest where Homebrew's service is there."""
        if other := self._brew():
            raise BadRequest(f"Homebrew runs the server already ({other}); `brew services stop {NAME}` ends that first")
        before = self._main if self.file.exists() else None
        wanted = {self.file: service_unit(definition)}
        if definition.socket is not None:
            wanted[self._socket] = socket_unit(*definition.socket)
        if before is not None and before != (SOCKET if definition.socket else SERVICE):
            self.uninstall()
        changed = [file for file, text in wanted.items() if write(file, text.encode())]
        lines = [f"{'Wrote' if file in changed else 'Unchanged:'} {file}" for file in wanted]
        self._systemctl("daemon-reload")
        self._systemctl("enable", self._main)
        if changed and before is not None:
            return lines + self.restart()
        return [*lines, *self.start(), "`loginctl enable-linger` starts it at boot, and keeps it after a logout"]

    def uninstall(self) -> list[str]:
        """End the service and delete its files."""
        files = [file for file in (self.file, self._socket) if file.exists()]
        if not files:
            return [f"There is no service: {self.file} is not there"]
        self._systemctl("disable", "--now", *(file.name for file in files))
        for file in files:
            file.unlink()
        self._systemctl("daemon-reload")
        return [*(f"Deleted {file}" for file in files), "Models, settings and logs stay"]

    def start(self) -> list[str]:
        """Start the service, or its socket. Nothing changes where it runs."""
        self._installed()
        self._systemctl("start", self._main)
        return ["Started; it starts again at each login"]

    def stop(self) -> list[str]:
        """End the service, until the next start or login."""
        self._installed()
        self._systemctl("stop", *dict.fromkeys((self._main, SERVICE)))
        return ["Stopped; it starts again at the next login, or with `audio-server service start`"]

    def restart(self) -> list[str]:
        """End the service where it runs, and start it."""
        self._installed()
        if self._main == SOCKET:
            self._systemctl("stop", SOCKET, SERVICE)
        self._systemctl("restart", self._main)
        return ["Restarted"]

    def status(self) -> ServiceStatus:
        """What systemd says about the service."""
        command = ["systemctl", "--user", "show", SERVICE, "--property=ActiveState,MainPID,ExecMainStatus"]
        told = dict(line.split("=", 1) for line in call(command, self._environment).stdout.splitlines() if "=" in line)
        pid = int(told.get("MainPID", "0") or 0)
        running = told.get("ActiveState") in ("active", "reloading") and pid > 0
        failed = told.get("ActiveState") == "failed"
        code, said = (told.get("ExecMainStatus", ""), self._said()) if failed else ("", "")
        return ServiceStatus(self.file, self.file.exists(), running, pid if running else 0, code, self._brew(), said)

    def log_command(self, lines: int, follow: bool) -> list[str]:
        """journalctl, which has the log."""
        return ["journalctl", "--user", "--unit", SERVICE, "--lines", str(lines), *(["--follow"] if follow else [])]

    def _said(self) -> str:
        """Why the server ended; systemd's own lines about it are left out."""
        own = ["--identifier", COMMAND, "--lines", "1", "--output", "cat"]
        try:
            return reason_in(call(["journalctl", "--user", "--unit", SERVICE, *own], self._environment).stdout)
        except BadRequest:  # no journal
            return ""

    @property
    def _main(self) -> str:
        """The unit that is started at login."""
        return SOCKET if self._socket.exists() else SERVICE

    def _installed(self) -> None:
        """Raises BadRequest where there is no unit."""
        if not self.file.exists():
            raise BadRequest("there is no service; `audio-server service install` makes it")

    def _systemctl(self, *arguments: str) -> None:
        checked(["systemctl", "--user", *arguments], self._environment)

    def _brew(self) -> str:
        """The file of Homebrew's service; "" where there is none."""
        file = self._folder / BREW
        return str(file) if file.exists() else ""


def _quoted(word: str) -> str:
    """A word of a unit file, of which no `%` is expanded. Raises BadRequest for a line break."""
    if any(ord(character) < 32 for character in word):
        raise BadRequest(f"{word!r} has a control character, which a unit file cannot hold")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
