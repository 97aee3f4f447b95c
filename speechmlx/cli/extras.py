"""`audio-server extras`: packages for more languages and for traces, into a folder of the user's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from speechmlx.cli.options import AsJson
from speechmlx.optional_packages import EXTRAS, folder

extras = typer.Typer(
    help="Packages that are not part of the server: "
    + "; ".join(f"{name}, {purpose}" for name, purpose in EXTRAS.items())
    + ".",
    no_args_is_help=True,
)
LOCKS = Path(__file__).parents[1] / "extra_locks"
Names = Annotated[list[str], typer.Argument(help=f"Extras: {', '.join(EXTRAS)}.", show_default=False)]


@extras.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the extras and which are installed."""
    if as_json:
        here = {name: (folder(os.environ) / name).is_dir() for name in EXTRAS}
        rows = [{"name": name, "purpose": EXTRAS[name], "installed": installed} for name, installed in here.items()]
        typer.echo(json.dumps(rows))
        return
    for name, purpose in EXTRAS.items():
        state = "installed" if (folder(os.environ) / name).is_dir() else "-"
        typer.echo(f"{name:8} {state:10} {purpose}")


@extras.command()
def install(names: Names) -> None:
    """Install extras from the package index, in the versions that this server was tested with."""
    for name in _known(names):
        target = folder(os.environ) / name
        part = target.with_name(f".{name}.part")
        shutil.rmtree(part, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = LOCKS / f"{name}.lock"
        command = [*installer(), "--target", str(part), "--no-deps", "--require-hashes", "--requirement", str(lock)]
        if status := subprocess.run(command).returncode:
            shutil.rmtree(part, ignore_errors=True)
            typer.echo(f"audio-server: {name} was not installed; the lines above say why", err=True)
            raise typer.Exit(status)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
        typer.echo(f"{name}: installed in {target}. Restart a server that runs.")


@extras.command()
def remove(names: Names) -> None:
    """Remove extras."""
    for name in _known(names):
        target = folder(os.environ) / name
        typer.echo(f"{name}: {'removed' if target.is_dir() else 'was not installed'}")
        shutil.rmtree(target, ignore_errors=True)


def installer() -> list[str]:
    """The command that installs packages for this Python: uv, else pip of this environment or of its base Python.

    Raises BadRequest where there is none.
    """
    from speechmlx.errors import BadRequest

    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if find_spec("pip"):
        return [sys.executable, *options]
    base = getattr(sys, "_base_executable", sys.executable)  # the Python that the environment was made from
    if subprocess.run([base, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return [base, *options]
    raise BadRequest("extras are installed by uv or pip, and neither was found; on a Mac: brew install uv")


def _known(names: list[str]) -> list[str]:
    """The names. Raises BadRequest for one that is none."""
    from speechmlx.errors import BadRequest

    for name in names:
        if name not in EXTRAS:
            raise BadRequest(f"there is no extra {name!r}; there are {', '.join(EXTRAS)}")
    return names
