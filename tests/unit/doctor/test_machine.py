"""What the doctor says of the system, MLX and its libraries, from recorded answers of programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.patients import patient

from speechmlx.config import Config
from speechmlx.doctor.finding import Ran
from speechmlx.doctor.machine import check_extras, check_mlx, check_python, check_system

PROBE = "-m speechmlx.runtime.worker.probe auto"
METAL = {
    "mlx": "0.32.4",
    "device": "gpu",
    "name": "Apple M4 Pro",
    "memory_bytes": 51_539_607_552,
    "working_set_bytes": 38_654_705_664,
    "openblas": False,
}


@pytest.mark.parametrize(
    ("chip", "version", "translated", "state", "words"),
    [
        ("Apple M4 Pro", "15.6.1", "0", "ok", "macOS 15.6.1, Apple M4 Pro"),
        ("Apple M1", "13.7", "0", "problem", "MLX needs macOS 14 or newer"),
        ("Apple M2", "26.0", "1", "problem", "runs under Rosetta"),
        ("Intel(R) Core(TM) i7-1068NG7 CPU @ 2.30GHz", "14.5", "", "problem", "MLX needs Apple silicon"),
    ],
)
def test_macs(chip: str, version: str, translated: str, state: str, words: str) -> None:
    answers = {
        "machdep.cpu.brand_string": f"{chip}\n",
        "-productVersion": f"{version}\n",
        "sysctl.proc_translated": f"{translated}\n",
    }
    (found,) = check_system(patient(answers))
    assert found.state == state and words in f"{found.text} {found.to_do}"


def test_this_python_is_one_that_is_tested() -> None:
    (found,) = check_python(patient())
    assert found.state == "ok" and found.text.startswith("Python 3.1")


def test_mlx_on_a_gpu() -> None:
    (found,) = check_mlx(patient({PROBE: json.dumps(METAL)}))
    assert found.state == "ok"
    assert found.text == "0.32.4 computes on the GPU (Apple M4 Pro), 38.7 GB of 51.5 GB for the GPU"


@pytest.mark.parametrize(
    ("changed", "platform", "states", "words"),
    [
        ({"device": "cpu", "working_set_bytes": 0}, "darwin", ["warning"], "Metal is missing"),
        ({"device": "cpu", "working_set_bytes": 0}, "linux", ["ok", "warning"], "cmeel-openblas"),
        ({"device": "cpu", "working_set_bytes": 0, "openblas": True}, "linux", ["ok", "ok"], ""),
    ],
)
def test_mlx_on_a_cpu(changed: dict[str, Any], platform: str, states: list[str], words: str) -> None:
    found = list(check_mlx(patient({PROBE: json.dumps(METAL | changed)}, platform=platform)))
    assert [one.state for one in found] == states and words in found[-1].to_do


@pytest.mark.parametrize(("setting", "state"), [("cpu", "ok"), ("gpu", "problem")])
def test_mlx_on_the_device_of_the_settings(setting: str, state: str) -> None:
    told = json.dumps(METAL | {"device": "cpu"})
    probe = PROBE.replace("auto", setting)
    (found,) = check_mlx(patient({probe: told}, config=Config(device=setting)))
    assert found.state == state and ("device = gpu" in found.text) is (setting == "gpu")


@pytest.mark.parametrize(
    ("ran", "words"),
    [
        (Ran(1, err="Traceback\nImportError: no mlx\n"), "does not run: ImportError: no mlx"),
        (Ran(-6), "does not run: it ended with status -6"),
    ],
)
def test_mlx_that_does_not_run(ran: Ran, words: str) -> None:
    (found,) = check_mlx(patient({PROBE: ran}))
    assert (found.state, found.text) == ("problem", words)


def test_what_languages_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechmlx.doctor.machine.program", lambda name: None)
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    espeak, asian = check_extras(patient(environment=home))
    assert espeak.state == asian.state == "note"
    assert "extras install espeak" in espeak.to_do and "extras install ja zh" in asian.to_do
    for extra in ("espeak", "ja", "zh"):
        (tmp_path / "extras").mkdir(exist_ok=True)
        monkeypatch.setattr("speechmlx.doctor.machine.folder", lambda environment: tmp_path / "extras")
        (tmp_path / "extras" / extra).mkdir()
    (found,) = check_extras(patient(environment=home))
    assert found.state == "ok"
