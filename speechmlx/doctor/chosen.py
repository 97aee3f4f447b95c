"""The settings: what is set and where, and whether the files that they name are right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from speechmlx.banner import needs_key
from speechmlx.config import SECRETS
from speechmlx.config_sources import GivenSetting, default_file
from speechmlx.doctor.finding import Finding, Patient
from speechmlx.errors import BadRequest
from speechmlx.key_file import KeyFile
from speechmlx.serve import addresses

LOOPBACK = ("127.", "::1", "localhost")


def check_given(patient: Patient, given: Mapping[str, GivenSetting], file: Path | None) -> Iterator[Finding]:
    """What is not a default, and where it was set."""
    path = file or default_file(patient.environment)
    chosen = {name: one for name, one in given.items() if one.source != "default"}
    shown = [f"{name} = {'•••' if name in SECRETS else one.value} ({one.place})" for name, one in chosen.items()]
    there = f"{path}" if path.is_file() else f"no file at {path}; `audio-server config --write` makes one"
    yield Finding("Settings", "ok", there)
    if shown:
        yield Finding("Settings", "ok", "set: " + "; ".join(shown))


def check_named_files(patient: Patient) -> Iterator[Finding]:
    """The key file, the lexicon and the certificate."""
    config = patient.config
    try:
        if config.key_file is not None and config.key_file.exists():
            count = len(KeyFile(config.key_file).read())
            yield Finding("Keys", "ok", f"{count} in {config.key_file}; clients must send one")
        if config.lexicon is not None:
            from speechmlx.reading.entries import read_lexicon  # here: it takes a while, and most have none

            yield Finding("Lexicon", "ok", f"{len(read_lexicon(config.lexicon))} entries in {config.lexicon}")
    except BadRequest as error:
        yield Finding("Settings", "problem", str(error), "Correct that file.")
    for path in filter(None, (config.tls_cert, config.tls_key)):
        if not path.is_file():
            yield Finding("TLS", "problem", f"{path} is not there", "Correct tls_cert and tls_key.")


def open_addresses(patient: Patient) -> list[str]:
    """The addresses, HOST:PORT, that other machines reach. [] also where an address is wrong."""
    try:
        binds = [(host, port) for _, host, port in addresses(patient.config)]
    except BadRequest:
        return []
    if patient.config.wyoming:
        host, _, port = patient.config.wyoming.rpartition(":")
        binds.append((host.strip("[]"), int(port)))
    return [f"{host}:{port}" for host, port in binds if not host.startswith(LOOPBACK)]


def check_open(patient: Patient) -> Iterator[Finding]:
    """Whether other machines can use the server without a key."""
    found = open_addresses(patient)
    if not found:
        yield Finding("Access", "ok", "this machine alone can reach the server")
    elif needs_key(patient.config):
        yield Finding("Access", "ok", f"other machines reach {', '.join(found)}, with a key")
    else:
        to_do = "`audio-server key add NAME` makes a key; see docs/security.md."
        yield Finding("Access", "warning", f"anybody on the network can use {', '.join(found)} without a key", to_do)
