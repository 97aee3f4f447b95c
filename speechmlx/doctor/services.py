"""The service: this command's own, Homebrew's, and whether macOS may start it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from speechmlx.doctor.finding import Finding, Patient
from speechmlx.errors import BadRequest
from speechmlx.service import control
from speechmlx.service.definition import ServiceStatus
from speechmlx.service.launchd import LABEL

BREW_LABEL = "homebrew.mxcl.speechmlx"


def check_service(patient: Patient) -> Iterator[Finding]:
    """Whether there is a service, whether it runs, and whether there are two."""
    try:
        now = control(patient.environment, patient.platform).status()
    except BadRequest as error:
        yield Finding("Service", "note", str(error))
        return
    if now.installed and now.other:
        to_do = "Keep one: `audio-server service uninstall`, or `brew services stop speechmlx`."
        yield Finding("Service", "warning", f"there are two, {now.file} and Homebrew's {now.other}", to_do)
    elif now.other:
        yield Finding("Service", "ok", f"Homebrew's, {now.other}; see `brew services info speechmlx`")
    if now.installed:
        yield _own(now)
    elif not now.other:
        yield Finding("Service", "note", "there is none", "`audio-server service install` starts it at each login.")
    if patient.is_mac and (now.installed or now.other):
        yield from _disabled(patient)


def _own(now: ServiceStatus) -> Finding:
    if now.running:
        return Finding("Service", "ok", f"runs as process {now.pid}")
    if now.said or now.exit not in ("", "0"):
        why = "Mend that" if now.said else "`audio-server service logs` says why"
        return Finding("Service", "warning", now.end, f"{why}, then `audio-server service start`.")
    return Finding("Service", "note", "it does not run", "`audio-server service start` starts it.")


def _disabled(patient: Patient) -> Iterator[Finding]:
    """Whether the person, or Login Items, switched the agent off: launchd then ignores it without a word."""
    told = patient.run(["launchctl", "print-disabled", f"gui/{os.getuid()}"]).out
    for label in (LABEL, BREW_LABEL):
        if re.search(rf'"{re.escape(label)}" => (disabled|true)', told):
            to_do = (
                f"Allow it in System Settings > General > Login Items, or: launchctl enable gui/{os.getuid()}/{label}"
            )
            yield Finding("Service", "warning", f"macOS does not start {label}: it is switched off", to_do)
