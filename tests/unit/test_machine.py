"""What a machine's memory decides."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from speechmlx import machine
from speechmlx.config import Config
from speechmlx.config_sources import gather, load
from speechmlx.machine import GIB, SMALLEST, machine_class, weight_type
from speechmlx.models import catalog


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    machine.memory_bytes.cache_clear()
    yield
    machine.memory_bytes.cache_clear()


@pytest.mark.parametrize(
    ("apple", "gib", "profile", "idle_unload"),
    [
        (True, 8, "starter", 900.0),
        (True, 15.9, "starter", 900.0),
        (True, 16, "standard", 1800.0),
        (True, 18, "standard", 1800.0),
        (True, 24, "large", 0.0),
        (True, 512, "large", 0.0),
        (False, 8, "starter", 0.0),
        (False, 512, "starter", 0.0),
    ],
)
def test_the_class_of_a_machine(apple: bool, gib: float, profile: str, idle_unload: float) -> None:
    found = machine_class(apple, int(gib * GIB))
    assert (found.profile, found.idle_unload) == (profile, idle_unload)


def test_the_default_models_of_each_mac_fit_with_a_long_chat_beside_them() -> None:
    """Qwen3-4B: 36 layers of 8 heads with 128 numbers of 16 bits, for keys and for values."""
    large = 2 * 36 * 8 * 128 * 2 * 8192
    chat = {"large": large, "standard": large, "starter": 2 * 30 * 3 * 64 * 2 * 8192}
    for one in machine.MACS:
        rows = [catalog.CATALOG.resolve(name) for name in catalog.CATALOG.of_profile(one.profile).values()]
        needed = catalog.needed_together(rows, Config(), "float16")
        assert needed == sum(row.bytes_as("float16") for row in rows) + chat[one.profile]
        memory = one.memory or 8 * GIB
        assert needed < machine.default_memory(memory, int(memory * machine.GPU_SHARE))


@pytest.mark.parametrize(
    ("apple", "device", "dtype"),
    [
        (True, "auto", "float16"),
        (True, "gpu", "float16"),
        (True, "cpu", "float32"),
        (False, "auto", "float32"),
        (False, "cpu", "float32"),
        (False, "gpu", "float16"),
    ],
)
def test_the_type_of_the_weights(apple: bool, device: str, dtype: str) -> None:
    assert weight_type(apple, device) == dtype


def test_the_memory_of_this_machine() -> None:
    assert machine.memory_bytes() == pytest.approx(psutil.virtual_memory().total, rel=0.01)
    assert machine.model_memory(0) == int(machine.memory_bytes() * machine.MODEL_SHARE)
    assert machine.model_memory(5) == machine.model_memory(5, 3) == 5, "the person's own limit stays"


@pytest.mark.parametrize(
    ("gib", "working_set", "most"),
    [
        (16, 0, 0.7 * 16 * GIB),
        (16, 11_453_246_122, 11_453_246_122 - 0.05 * 16 * GIB),
        (64, 48 * GIB, 0.7 * 64 * GIB),
    ],
)
def test_models_have_no_more_than_the_gpu_recommends_and_the_cache_has_its_part_of_it(
    gib: int, working_set: int, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: gib * GIB)
    assert machine.model_memory(0, working_set) == pytest.approx(most, abs=2)


def test_what_is_needed_together_counts_each_model_once_and_no_chat_that_another_server_has() -> None:
    llm, asr = (catalog.CATALOG.resolve(name) for name in ("smollm2-135m-instruct", "whisper-base"))
    weights = llm.bytes_as("float16") + asr.bytes_as("float16")
    assert catalog.needed_together([llm, asr, asr], Config(llm_context=300), "float16") == weights + 300 * 23040
    wide = llm.bytes_as("float32") + asr.bytes_as("float32")
    assert catalog.needed_together([llm, asr], Config(llm_context=300), "float32") == wide + 300 * 46080
    remote = Config(llm_url="http://127.0.0.1:1234/v1")
    assert catalog.needed_together([llm, asr], remote, "float16") == asr.bytes_as("float16")


@pytest.mark.parametrize(("profile", "gib"), [("large", 24), ("standard", 16), ("starter", 0), ("mine", 0)])
def test_the_least_memory_of_a_profile(profile: str, gib: int) -> None:
    assert machine.least_memory(profile) == gib * GIB


def unknown(name: str) -> int:
    raise ValueError("unrecognized configuration name")


@pytest.mark.parametrize(("told", "memory"), [("17179869184\n", 16 * GIB), ("", SMALLEST)])
def test_sysctl_tells_where_python_does_not_know_the_names(
    told: str, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, told)

    monkeypatch.setattr(os, "sysconf", unknown)
    monkeypatch.setattr(subprocess, "run", run)
    assert machine.memory_bytes() == memory and asked == [["sysctl", "-n", "hw.memsize"]]


def test_a_machine_without_sysctl_counts_as_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", unknown)
    monkeypatch.setenv("PATH", "/nowhere")
    assert machine.memory_bytes() == SMALLEST


@pytest.mark.parametrize(("gib", "idle_unload"), [(8, 900.0), (16, 1800.0), (64, 0.0)])
def test_it_is_a_default_of_the_settings(gib: int, idle_unload: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_apple", lambda: True)
    monkeypatch.setattr(machine, "memory_bytes", lambda: gib * GIB)
    environment = {"HOME": "/nowhere"}
    assert load({}, environment).idle_unload == idle_unload
    assert load({"idle_unload": 5.0}, environment).idle_unload == 5.0
    assert load({}, {**environment, "SPEECHMLX_IDLE_UNLOAD": "0"}).idle_unload == 0.0
    given = gather({}, environment).get("idle_unload")
    assert (given is None) is (idle_unload == 0.0)
    assert given is None or (given.source, given.place) == ("default", "the memory of this Mac")


@pytest.mark.parametrize(
    ("system", "chip", "gib", "profile"),
    [
        ("darwin", "arm64", 8, "starter"),
        ("darwin", "arm64", 16, "standard"),
        ("darwin", "x86_64", 64, "starter"),
        ("linux", "aarch64", 64, "starter"),
    ],
)
def test_the_profile_follows_the_machine(
    monkeypatch: pytest.MonkeyPatch, system: str, chip: str, gib: int, profile: str
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: chip)
    monkeypatch.setattr(machine, "memory_bytes", lambda: gib * GIB)
    assert catalog.profile(Config()) == profile
    assert catalog.profile(Config(profile="mine")) == "mine"
