"""The formula's installation on Linux: into an empty folder with Python 3.12, then the installed command.

`scripts/soak formula [PYTHON]`; without PYTHON, python3.12 of the PATH or of pyenv. It prints what it saw.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]


def python312() -> str:
    """The Python that the formula has."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.12.*/bin/python3.12")
    for candidate in (*sys.argv[1:2], "python3.12", *map(str, pyenv)):
        if shutil.which(candidate) and not subprocess.run([candidate, "-c", ""], capture_output=True).returncode:
            return str(shutil.which(candidate))
    sys.exit("Python 3.12 was not found; name one: scripts/soak formula PYTHON")


def install(keg: Path) -> None:
    """Run the formula itself, `install` and `test`, where Ruby is here; else what `install` calls.

    uv and the package index are those of scripts/install.
    """
    called = 'system "scripts/keg", libexec'
    formula = ROOT / "Formula/speechmlx.rb"
    assert called in formula.read_text(), f"the formula does not say {called}"
    if ruby := shutil.which("ruby"):
        script = (
            '. scripts/uv.sh && exec "$1" tests/soak/homebrew.rb Formula/speechmlx.rb "$2" "$3" "$(realpath "$UV")"'
        )
        arguments = [ruby, str(keg.parent), python312()]
    else:
        print("Ruby is not here: without the formula's test")
        script = '. scripts/uv.sh && PYTHON="$2" UV="$UV" exec scripts/keg "$1"'
        arguments = [str(keg), python312()]
    subprocess.run(["bash", "-c", script, "bash", *arguments], cwd=ROOT, check=True)


def use(command: Path, home: Path) -> None:
    """Start the server with an empty home and no PATH but the system's, and look at its health until MLX is up."""
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    serving = [str(command), "serve", "--port", "0"]
    with subprocess.Popen(serving, env=environment, cwd="/", stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = re.search(r"http://[\d.]+:\d+", server.stdout.readline())
            assert address is not None, "the first line has no address"
            deadline = time.monotonic() + 120
            health: dict[str, str] = {}
            while health.get("engine") != "ok":
                assert time.monotonic() < deadline, f"the engine process did not come up: {health}"
                time.sleep(0.2)
                health = json.load(urlopen(f"{address[0]}/health", timeout=10))
            print(f"Health: {health['status']}, engine {health['engine']} on {health['device']}")
        finally:
            server.terminate()
    assert server.returncode == 0, f"the server ended with status {server.returncode}"


def told(command: Path, home: Path, *arguments: str) -> str:
    """The output of the installed command."""
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run([str(command), *arguments], env=environment, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        keg, home = Path(folder) / "keg/libexec", Path(folder) / "home"
        keg.parent.mkdir()
        home.mkdir()
        began = time.monotonic()
        install(keg)
        print(f"Installed in {time.monotonic() - began:.0f} s")
        link = Path(folder) / "bin/audio-server"
        link.parent.mkdir()
        link.symlink_to(keg / "bin/audio-server")
        print(f"Version: {told(link, home, '--version').strip()}")
        assert "kokoro-82m" in told(link, home, "models", "--names")
        use(link, home)
        site = keg / "venv/lib/python3.12/site-packages"
        bare = [
            file
            for file in (keg / "speechmlx").rglob("*.py")
            if not list(file.parent.glob(f"__pycache__/{file.stem}.*"))
        ]
        assert not bare and list(site.glob("starlette/__pycache__/*.pyc")), f"without bytecode: {bare[:3]}"
        print("All is there, bytecode too")


if __name__ == "__main__":
    main()
