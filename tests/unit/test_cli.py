"""The command refuses what cannot be, with a sentence and status 2, before it serves anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("audio-server")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=30)


def with_scripted_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands know the rows of support/scripted.py."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("SPEECHMLX_CATALOG", "support.scripted:extend")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--profile", "gold"], "known profiles: starter, standard"),
        (["--asr", "ears"], "there is no model 'ears'"),
        (["--asr", "kokoro-82m"], "is a tts model, not asr"),
        (["--port", "99999"], "port must be between 0 and 65535 (got 99999)"),
        (["--memory-limit", "much"], "write it like 8GB"),
        (["--memory-limit", "-8GB"], "write it like 8GB"),
        (["--idle-unload", "-1"], "idle_unload must be 0 or more (got -1.0)"),
        (["--vad", "whisper-base"], "is a asr model, not vad"),
        (["--turn", "silero-vad"], "is a vad model, not turn"),
        (["--config", "nowhere.toml"], "cannot be read"),
        (["--lexicon", "nowhere.toml", "--port", "0"], "the lexicon nowhere.toml cannot be read: No such file"),
        (["--wyoming", "127.0.0.1:99999"], "is not a valid address; write it like 0.0.0.0:10300"),
        (["--wyoming-zeroconf", "--port", "0"], "there is none; try --wyoming on"),
        (["--wyoming", "0", "--wyoming-zeroconf", "--port", "0"], "is reached from this machine alone"),
        (["--wyoming", "--wyoming-zeroconf", "--port", "0", "--wyoming", "0"], "is reached from this machine alone"),
    ],
)
def test_wrong_settings_are_refused(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_pull_refuses_what_has_no_engine_before_it_fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHMLX_CACHE", str(tmp_path / "cache"))
    with_scripted_rows(monkeypatch)
    done = run("pull", "scripted-unwritten")
    assert done.returncode == 2
    assert "scripted-unwritten cannot run: this version has no engine for it" in done.stderr
    assert not (tmp_path / "cache").exists()


def test_models_says_which_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with_scripted_rows(monkeypatch)
    lines = run("models", "--kind", "tts").stdout.splitlines()
    marked = {line.split()[0] for line in lines if "no engine yet" in line}
    assert marked == {"scripted-unwritten"}
    named = run("models", "--kind", "tts", "--names").stdout.split()
    assert "kokoro-82m" in named and "scripted-unwritten" not in named


def test_the_help_of_serve_names_its_flags() -> None:
    told = run("serve", "--help").stdout
    for word in ("--host", "--port", "--preload", "--profile", "--config", "--idle-unload", "--memory-limit"):
        assert word in told
    assert "127.0.0.1" in told and "8080" in told


def test_without_arguments_it_serves(tmp_path: Path) -> None:
    """Seen by a setting that is wrong: the server refuses it."""
    environment = {"HOME": str(tmp_path), "SPEECHMLX_PORT": "99999"}
    done = subprocess.run([COMMAND], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, "port must be between 0 and 65535 (got 99999)" in done.stderr) == (2, True)


def test_version() -> None:
    assert run("--version").stdout.strip().count(".") == 2


def test_speak_prints_a_line_for_each_text(tmp_path: Path) -> None:
    (tmp_path / "names.toml").write_text('[en]\nNguyen = "win"\n')
    own = ("--lexicon", str(tmp_path / "names.toml"))
    lines = "It is *here*.\n\nAsk Nguyen.\n"
    done = subprocess.run(
        [COMMAND, "speak", "--words", *own, "One: 2", "-", "Last, *bold*."],
        input=lines,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.splitlines() == ["one two", "it is here", "", "ask win", "last bold"]
    assert run("speak", "--phonemes", *own, "Nguyen.").stdout == "wˈɪn.\n"
    assert run("speak", "--words", "--language", "es", "Dos gatos.").stdout == "dos gatos\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "Hi."], "- is standard input: give it alone"),
        (["--lexicon", "x.toml", "Hi."], "--lexicon goes with --words and --phonemes"),
        (["-o", "hi.doc", "Hi."], "the name 'hi.doc' tells no format; names of sounds end in .mp3, .opus"),
        (["-o", "hi.wav", "--speed", "9", "Hi."], "speed must be a number from 0.25 to 4"),
        (["-o", "hi.wav", " "], "there is no text to speak"),
        (["--words", "--phonemes", "Hi."], "give one of --words and --phonemes"),
        (["--words", "--language", "klingon", "nuqneH"], "'klingon' is no language; write a code or a name"),
        (["--phonemes", "--language", "sv", "Hej."], "language 'sv' is not known"),
        (["--words", "--lexicon", "nowhere.toml", "Hi."], "the lexicon nowhere.toml cannot be read"),
        (["--words", "<speak>Hi"], "audio-server: "),
    ],
)
def test_speak_refuses_what_it_cannot_do(arguments: list[str], words: str) -> None:
    done = run("speak", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "Traceback" not in done.stderr
