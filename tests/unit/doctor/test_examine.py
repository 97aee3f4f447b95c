"""The whole report, where the settings are wrong or a check fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from speechmlx import doctor
from speechmlx.doctor.chosen import check_open
from speechmlx.doctor.finding import Finding, Patient


def failing(patient: Patient) -> Iterator[Finding]:
    yield Finding("Port", "ok", str(patient.config.port))
    raise KeyError("unforeseen")


@pytest.fixture(autouse=True)
def few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (failing, check_open))
    monkeypatch.setattr(doctor, "check_microphone", lambda patient, record: iter(()))


def test_wrong_settings_are_a_finding_and_the_rest_is_about_the_defaults(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "SPEECHMLX_PROT": "1", "SPEECHMLX_PORT": "9"}
    settings, port, *_ = doctor.examine(environment)
    assert settings.state == "problem" and "did you mean SPEECHMLX_PORT?" in settings.text
    assert port.text == "8080"


def test_a_check_that_fails_does_not_end_the_report(tmp_path: Path) -> None:
    found = list(doctor.examine({"HOME": str(tmp_path), "SPEECHMLX_PORT": "9"}))
    assert [one.topic for one in found] == ["Settings", "Settings", "Port", "Doctor", "Access"]
    assert found[2].text == "9" and found[3].text == "the check 'failing' failed: KeyError: 'unforeseen'"
