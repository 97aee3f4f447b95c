"""What macOS refuses without a word: connections from other machines (firewall), and the microphone.

Written from documentation and reports; it has not run on a Mac yet.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

from speechmlx.doctor.chosen import open_addresses
from speechmlx.doctor.finding import Finding, Patient

FIREWALL = "/usr/libexec/ApplicationFirewall/socketfilterfw"
MICROPHONE = (
    "Allow the program of your terminal in System Settings > Privacy & Security > Microphone, and start it again. "
    "Over ssh and from a service macOS gives no microphone."
)
"""What helps against a microphone that gives silence."""
DEVICES = """
import json, sys
import sounddevice
device = sounddevice.query_devices(kind="input")
loudest = None
if "record" in sys.argv:
    rate = int(device["default_samplerate"])
    loudest = float(abs(sounddevice.rec(rate, samplerate=rate, channels=1, blocking=True)).max())
print(json.dumps({"name": device["name"], "loudest": loudest}))
"""
"""Tells the microphone and, with the argument "record", the largest sample of a second of it."""


def check_firewall(patient: Patient) -> Iterator[Finding]:
    """Whether the firewall of macOS lets other machines in, where the server listens to them."""
    outside = open_addresses(patient)
    if not patient.is_mac or not outside:
        return
    state = patient.run([FIREWALL, "--getglobalstate"]).out
    if "State = 0" in state:
        yield Finding("Firewall", "ok", "off")
        return
    if "State = 2" in state or re.search(r"block all.*(enabled|on\b)", _block_all(patient), re.IGNORECASE):
        to_do = "System Settings > Network > Firewall > Options: switch off 'Block all incoming connections'."
        yield Finding("Firewall", "warning", "it blocks every connection from other machines", to_do)
        return
    told = patient.run([FIREWALL, "--getappblocked", sys.executable]).out
    if "permitted" in told:
        yield Finding("Firewall", "ok", "on; it lets this Python in")
    else:
        to_do = (
            f"System Settings > Network > Firewall > Options: add {sys.executable} and allow incoming connections. "
            "A service cannot ask."
        )
        yield Finding("Firewall", "warning", f"on; other machines may not reach {', '.join(outside)}", to_do)


def _block_all(patient: Patient) -> str:
    return patient.run([FIREWALL, "--getblockall"]).out


def check_microphone(patient: Patient, record: bool) -> Iterator[Finding]:
    """The microphone for `listen` and `talk`. `record`: listen for a second, which makes macOS ask for permission."""
    ran = patient.run([sys.executable, "-c", DEVICES, *(["record"] if record else [])])
    if ran.status != 0:
        reason = (ran.err.strip().splitlines() or [f"status {ran.status}"])[-1]
        to_do = "`listen` and `talk` need one; everything else works without."
        if "PortAudio library not found" in ran.err:
            to_do = f"{to_do} On Debian: apt install libportaudio2."
        yield Finding("Microphone", "note", f"none: {reason}", to_do)
        return
    found = json.loads(ran.out)
    if found["loudest"] == 0:
        yield Finding("Microphone", "warning", f"{found['name']} gives nothing but zeros", MICROPHONE)
    elif found["loudest"] is not None:
        yield Finding("Microphone", "ok", f"{found['name']}; it is heard")
    else:
        hint = "`audio-server doctor --microphone` listens for a second." if patient.is_mac else ""
        yield Finding("Microphone", "ok", found["name"], hint)
