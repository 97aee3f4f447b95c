"""Python, the system, MLX with its device and memory, BLAS, open files, programs that languages need."""

from __future__ import annotations

import json
import platform
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speechmlx.doctor.finding import Finding, Patient, Ran, megabytes
from speechmlx.machine import model_memory, weight_type
from speechmlx.optional_packages import EXTRAS, folder, program, way
from speechmlx.runtime.worker import blas

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
"""The versions that the server is tested with."""
OLDEST_MACOS = 14
ASIAN = {"ja": "Japanese", "zh": "Chinese"}
"""Extras for languages, and their names."""
FEW_FILES = 1024
"""Open files and connections, below which a server with many clients runs out."""


def check_python(patient: Patient) -> Iterator[Finding]:
    """The version of Python."""
    text = f"Python {platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] in PYTHONS:
        yield Finding("Python", "ok", text)
    else:
        yield Finding("Python", "problem", text, "Install the server with Python 3.11 to 3.14.")


def check_system(patient: Patient) -> Iterator[Finding]:
    """The system; on a Mac its version, its chip, and whether Python is one for Intel."""
    if not patient.is_mac:
        yield Finding("System", "ok", f"{platform.system()} {platform.release()}, {platform.machine()}")
        return
    chip = patient.run(["sysctl", "-n", "machdep.cpu.brand_string"]).out.strip()
    version = patient.run(["sw_vers", "-productVersion"]).out.strip()
    text = f"macOS {version}, {chip}"
    if patient.run(["sysctl", "-n", "sysctl.proc_translated"]).out.strip() == "1":
        to_do = "This Python is for Intel and runs under Rosetta, without the GPU. Install one for Apple silicon."
        yield Finding("System", "problem", text, to_do)
    elif not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < OLDEST_MACOS:
        yield Finding("System", "problem", text, f"MLX needs macOS {OLDEST_MACOS} or newer.")
    elif not chip.startswith("Apple"):
        yield Finding("System", "problem", text, "MLX needs Apple silicon (M1 or newer).")
    else:
        yield Finding("System", "ok", text)


def check_mlx(patient: Patient) -> Iterator[Finding]:
    """MLX in a process of its own, with the libraries of the engine process; and OpenBLAS on Linux."""
    ran = probe(patient)
    if ran.status != 0:
        reason = (ran.err.strip().splitlines() or [f"it ended with status {ran.status}"])[-1]
        yield Finding("MLX", "problem", f"does not run: {reason}", "Install the server again; it brings MLX.")
        return
    found: dict[str, Any] = json.loads(ran.out)
    device = "GPU" if found["device"] == "gpu" else "CPU"
    parts = [f"{found['mlx']} computes on the {device} ({found['name']})"]
    if found["working_set_bytes"]:
        parts.append(f"{megabytes(found['working_set_bytes'])} of {megabytes(found['memory_bytes'])} for the GPU")
    if patient.config.device == "gpu" and device == "CPU":
        to_do = "Set device to auto or cpu: the server does not start with gpu where there is none."
        yield Finding("MLX", "problem", f"{', '.join(parts)}, and device = gpu", to_do)
    elif patient.is_mac and device == "CPU" and patient.config.device != "cpu":
        to_do = "Metal is missing: virtual machines and some sandboxes have none. Run the server outside of them."
        yield Finding("MLX", "warning", ", ".join(parts), to_do)
    else:
        yield Finding("MLX", "ok", ", ".join(parts))
    if device == "CPU" and not patient.is_mac:
        yield _blas(bool(found["openblas"]))


def probe(patient: Patient) -> Ran:
    """What a program tells of MLX and its device, as JSON, with the libraries of the engine process."""
    with tempfile.TemporaryDirectory(prefix="speechmlx-doctor-") as scratch:
        environment = blas.environment(patient.environment, Path(scratch))
        return patient.run([sys.executable, "-m", "speechmlx.runtime.worker.probe", patient.config.device], environment)


def models_memory(patient: Patient) -> int:
    """Bytes that all models may have: the setting; else this machine's, of which a GPU tells what it recommends."""
    limit, gpu = patient.config.memory_limit, weight_type(patient.is_mac, patient.config.device) == "float16"
    if limit or not gpu or (ran := probe(patient)).status != 0:
        return model_memory(limit)
    found: dict[str, Any] = json.loads(ran.out)
    return model_memory(0, found["working_set_bytes"] if found["device"] == "gpu" else 0)


def _blas(openblas: bool) -> Finding:
    if openblas:
        return Finding("BLAS", "ok", "OpenBLAS makes the matrix products")
    to_do = "Install the package cmeel-openblas, as scripts/install does."
    return Finding("BLAS", "warning", "OpenBLAS is not here; matrix products are some 40 times slower", to_do)


def check_files(patient: Patient) -> Iterator[Finding]:
    """The limit of open files. The server raises the soft one itself."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < FEW_FILES:
        yield Finding("Open files", "warning", f"at most {hard} at once", "Raise it with ulimit -H -n 8192.")
    else:
        yield Finding("Open files", "ok", "no limit" if hard == resource.RLIM_INFINITY else f"up to {hard}")


def check_extras(patient: Patient) -> Iterator[Finding]:
    """What more languages and traces need."""
    here = [name for name in EXTRAS if (folder(patient.environment) / name).is_dir()]
    espeak = program("espeak-ng")
    if espeak or "espeak" in here:
        yield Finding("Languages", "ok", "espeak-ng is here: Kokoro speaks French, Spanish, Italian, Portuguese, Hindi")
    else:
        text = "espeak-ng is not here; Kokoro's French, Spanish, Italian, Portuguese and Hindi need it"
        yield Finding("Languages", "note", text, f"For these languages, {way('espeak')}.")
    if missing := [name for name in ASIAN if name not in here]:
        languages = " and ".join(ASIAN[name] for name in missing)
        text = f"Kokoro's {languages} {'need extras' if missing[1:] else 'needs an extra'}"
        yield Finding("Languages", "note", text, f"For that, {way(' '.join(missing))}.")
