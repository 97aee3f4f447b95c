"""Finds out what is wrong on this machine, and what to do about it. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from speechmlx.config import Config
from speechmlx.config_sources import GivenSetting, build, gather, key_file
from speechmlx.doctor.chosen import check_given, check_named_files, check_open
from speechmlx.doctor.finding import Finding, Patient
from speechmlx.doctor.mac import check_firewall, check_microphone
from speechmlx.doctor.machine import check_extras, check_files, check_mlx, check_python, check_system
from speechmlx.doctor.network import check_llm, check_ports, check_webhooks
from speechmlx.doctor.services import check_service
from speechmlx.doctor.stored import check_folders, check_models
from speechmlx.errors import BadRequest

CHECKS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
    check_python,
    check_system,
    check_mlx,
    check_files,
    check_models,
    check_folders,
    check_extras,
    check_named_files,
    check_ports,
    check_open,
    check_llm,
    check_webhooks,
    check_firewall,
    check_service,
)
"""In the order of the report. Each tells what it finds; none raises for what is wrong with the machine."""


def examine(environment: Mapping[str, str], file: Path | None = None, record: bool = False) -> Iterator[Finding]:
    """Look at everything, and yield each finding as it is made. `record`: listen to the microphone for a second.

    Where the settings are wrong, that is a finding, and the rest is looked at with the defaults.
    """
    given: dict[str, GivenSetting] = {}
    config = Config()
    wrong: BadRequest | None = None
    try:
        given = gather({}, environment, file)
        config = build(given, environment)
    except BadRequest as error:
        wrong = error
    patient = Patient(environment, replace(config, key_file=key_file(config, environment)))
    if wrong is not None:
        yield Finding("Settings", "problem", str(wrong), "Correct it; the rest of this report is about the defaults.")
    else:
        yield from _tried("Settings", check_given, patient, given, file)
    for check in CHECKS:
        yield from _tried(check.__name__.removeprefix("check_"), check, patient)
    yield from _tried("Microphone", check_microphone, patient, record)


def _tried(name: str, check: Callable[..., Iterator[Finding]], *arguments: Any) -> Iterator[Finding]:
    """The findings of a check. One that fails in an unexpected way is a finding, and does not end the report."""
    try:
        yield from check(*arguments)
    except Exception as error:
        text = f"the check {name!r} failed: {type(error).__name__}: {error}"
        yield Finding("Doctor", "warning", text, "Please report this.")
