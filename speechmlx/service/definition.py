"""What a service runs, what is known of one, and the calls of its manager's command."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechmlx.errors import BadRequest

NAME = "speechmlx"
COMMAND = "audio-server"
SYSTEM_PATH = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
"""Where programs are found. A service manager's own PATH has neither Homebrew nor /usr/local."""
PATIENCE = 60.0
"""Most seconds that a call of a service manager may take."""
EXIT_TIMEOUT = 30
"""Seconds from SIGTERM until the manager kills the server. It needs `drain_timeout` (10 s) and 10 s more."""
OPEN_FILES = 8192


@dataclass(frozen=True)
class ServiceDefinition:
    """`command` and `environment` of the service; `socket`: host and port where the manager listens, if it does."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    socket: tuple[str, int] | None = None


@dataclass(frozen=True)
class ServiceStatus:
    """What the manager says. `pid` is 0 where it does not run; `exit` is the last exit status, if it is known."""

    file: Path
    installed: bool
    running: bool
    pid: int = 0
    exit: str = ""
    other: str = ""
    """A service of Homebrew that runs the server too: its file."""
    said: str = ""
    """Why it ended, where it does not run and printed that last."""

    @property
    def end(self) -> str:
        """How it ended, as text; "" where that is not known."""
        status = f"it ended with status {self.exit}" if self.exit else "it ended" if self.said else ""
        return f"{status}: {self.said}" if self.said else status


def reason_in(line: str) -> str:
    """The reason in the last line that a server printed; "" where that is none."""
    return line.strip().removeprefix(f"{COMMAND}: ") if line.startswith(f"{COMMAND}: ") else ""


def own_command(argument: str) -> str:
    """The path of this command as a service should name it. `argument` is argv[0]. Raises BadRequest.

    A link stays a link: Homebrew's leads to the newest version. A path into its Cellar would end with this one.
    """
    found = argument if os.sep in argument else shutil.which(argument)
    if not found or not Path(found).is_file():
        raise BadRequest(f"this command was not found at {argument!r}; start it by its path")
    path = Path(found).absolute()
    if "Cellar" in path.parts:
        linked = Path(*path.parts[: path.parts.index("Cellar")], "opt", NAME, "bin", path.name)
        return str(linked if linked.exists() else path)
    return str(path)


def search_path(command: str) -> str:
    """PATH of the service: the folder of its command, and where programs are."""
    folders = [str(Path(command).parent), *SYSTEM_PATH.split(":")]
    return ":".join(dict.fromkeys(folders))


def write(file: Path, content: bytes) -> bool:
    """Write a file that only its owner reads, whole or not at all. Returns whether it was another before."""
    if file.is_file() and file.read_bytes() == content:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.touch(mode=0o600)
    part.write_bytes(content)
    part.replace(file)
    return True


def call(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the service manager. Raises BadRequest where it is not there or does not end."""
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        raise BadRequest(f"{command[0]} was not found: a service needs launchd (macOS) or systemd (Linux)")
    try:
        return subprocess.run(
            [program, *command[1:]],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise BadRequest(f"{' '.join(command)} did not end in {PATIENCE:.0f} s") from None


def checked(command: Sequence[str], environment: Mapping[str, str], fine: Container[int] = (0,)) -> str:
    """The output of a command of the service manager. Raises BadRequest where its status is none of `fine`."""
    done = call(command, environment)
    if done.returncode not in fine:
        reason = " ".join((done.stderr or done.stdout).split()) or f"status {done.returncode}"
        raise BadRequest(f"{' '.join(command)} failed: {reason}")
    return done.stdout
