"""Packages and programs that a person adds to the server: extras in a folder of the user's, programs of Homebrew."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

EXTRAS = {
    "espeak": "espeak-ng as a package, for the program espeak-ng",
    "ja": "Japanese for Kokoro and MeloTTS",
    "otel": "traces with OpenTelemetry",
    "zh": "Chinese for Kokoro, F5-TTS and MeloTTS",
}
"""What `audio-server extras install` knows, each with what it is for. Each has a lock in extra_locks/."""
PROGRAM_FOLDERS = ("/opt/homebrew/bin", "/usr/local/bin")
"""Looked through after the PATH: that of a service has neither."""


def program(name: str) -> str | None:
    """The path of an installed program; None where it is not there."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(PROGRAM_FOLDERS))


def folder(environment: Mapping[str, str]) -> Path:
    """The folder with a folder for each installed extra. It need not exist. Another Python has another one."""
    home = Path(environment.get("HOME", "~")).expanduser()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if sys.platform == "darwin":
        return home / "Library/Application Support/speechmlx/extras" / version
    return Path(environment.get("XDG_DATA_HOME") or home / ".local/share") / "speechmlx/extras" / version


def use(environment: Mapping[str, str]) -> None:
    """Let this process import the installed extras. What the server itself brings comes first."""
    for extra in EXTRAS:
        path = str(folder(environment) / extra)
        if path not in sys.path and Path(path).is_dir():
            sys.path.append(path)


def way(extra: str) -> str:
    """How a person installs an extra, as the end of a sentence that says what is missing."""
    command = f"`audio-server extras install {extra}`, then restart the server"
    if extra != "espeak":
        return f"run {command}"
    manager = "brew install" if sys.platform == "darwin" else "apt install"
    return f"run `{manager} espeak-ng`, or {command}"
