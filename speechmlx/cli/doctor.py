"""`audio-server doctor`: what is wrong on this machine, and what to do about it."""

from __future__ import annotations

import json
import os
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from speechmlx.cli.options import AsJson, SettingsFile

if TYPE_CHECKING:
    from speechmlx.doctor.finding import Finding

MARKS = {"ok": ("✓", "green"), "note": ("·", None), "warning": ("!", "yellow"), "problem": ("✗", "red")}
"""Sign and colour of each state."""
TOPIC = 14
"""Columns of the topic."""


def doctor(
    microphone: Annotated[
        bool,
        typer.Option("--microphone", help="Listen to the microphone for a second; macOS then asks for permission."),
    ] = False,
    as_json: AsJson = False,
    config: SettingsFile = None,
) -> None:
    """Find out what is wrong on this machine, and what to do about it. Nothing is changed.

    Exit status 1 if something is missing that the server needs.
    """
    from speechmlx.doctor import examine

    findings: list[Finding] = []
    for finding in examine(os.environ, config, microphone):
        findings.append(finding)
        if not as_json:
            _show(finding)
    problems = sum(finding.state == "problem" for finding in findings)
    if as_json:
        rows = [
            {"topic": one.topic, "state": one.state, "text": one.text, "to_do": one.to_do or None} for one in findings
        ]
        typer.echo(json.dumps({"ok": not problems, "findings": rows}))
    else:
        typer.echo(f"\n{_summary(problems)}")
    if problems:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    """Print a finding, and below it what to do."""
    import shutil

    mark, colour = MARKS[finding.state]
    width = max(40, min(100, shutil.get_terminal_size().columns))
    indent = " " * (TOPIC + 4)
    head = f"{finding.topic:{TOPIC}}  "
    typer.secho(mark, fg=colour, bold=True, nl=False)
    typer.echo(" " + _wrapped(head + finding.text, width - 2, indent[2:]).replace("\n", "\n  "))
    if finding.to_do:
        typer.echo(_wrapped(f"{indent}→ {finding.to_do}", width, f"{indent}  "))


def _wrapped(text: str, width: int, indent: str) -> str:
    return textwrap.fill(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )


def _summary(problems: int) -> str:
    if not problems:
        return "Nothing that the server needs is missing."
    return (
        f"{problems} problem{'s' * (problems > 1)}, marked ✗: the server needs {'these' if problems > 1 else 'this'}."
    )
