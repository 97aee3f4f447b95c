"""The help, the version, completion, and words that are no verbs, in a terminal of 80 columns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.pty import COMMAND, shown

from speechmlx import __version__
from speechmlx.cli import with_verb
from speechmlx.cli.verb_list import GROUPS, VERBS
from speechmlx.errors import BadRequest


def test_the_help_is_short_and_has_every_verb_under_a_heading() -> None:
    text = shown("-h")
    lines = text.splitlines()
    assert len(lines) <= 45 and max(map(len, lines)) < 80
    for heading, verbs in GROUPS.items():
        section = text.split(f"\n{heading}:\n")[1].split("\n\n")[0].splitlines()
        assert [line.split()[0] for line in section] == list(verbs)
    assert text == shown("help") and "Usage: audio-server [VERB] [OPTIONS]" in text


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_have_help(verb: str) -> None:
    text = shown(verb, "-h")
    assert f"Usage: audio-server {verb} " in text and "--help" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("flag", ["--version", "-V", "-v", "version"])
def test_the_version(flag: str) -> None:
    assert shown(flag) == f"{__version__}\n"


def test_the_version_of_everything() -> None:
    found = json.loads(shown("version", "--json", columns=1000))
    assert found["speechmlx"] == __version__ and {"mlx", "numpy"} <= set(found["packages"])


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ([], ["serve"]),
        (["--port", "0"], ["serve", "--port", "0"]),
        (["--wyoming"], ["serve", "--wyoming", "on"]),
        (["serve", "--wyoming", "--port", "0"], ["serve", "--wyoming", "on", "--port", "0"]),
        (["config", "--wyoming", "10400"], ["config", "--wyoming", "10400"]),
        (["help"], ["--help"]),
        (["help", "pull"], ["pull", "--help"]),
        (["help", "service", "install"], ["service", "install", "--help"]),
        (["-h"], ["-h"]),
        (["models", "--here"], ["models", "--here"]),
    ],
)
def test_a_verb_is_found(given: list[str], made: list[str]) -> None:
    assert with_verb(given, VERBS) == made


@pytest.mark.parametrize(
    ("word", "meant"),
    [("mdoels", "models"), ("serv", "serve"), ("ls", "models"), ("delete", "rm"), ("download", "pull"), ("x", "")],
)
def test_a_word_that_is_no_verb(word: str, meant: str) -> None:
    with pytest.raises(BadRequest, match=f"there is no verb '{word}'; did you mean {meant}"):
        with_verb([word], VERBS)


def test_what_is_wrong_is_told_with_status_2() -> None:
    assert shown("mdoels", status=2) == (
        "audio-server: there is no verb 'mdoels'; did you mean models? `audio-server --help` \nlists the verbs\n"
    ).replace("\n", "", 1)
    text = shown("--prot", "9000", status=2)
    assert "No such option: --prot" in text and "--port" in text
    assert "Missing argument" in shown("rm", status=2)


def test_it_is_a_module_too() -> None:
    done = subprocess.run([sys.executable, "-m", "speechmlx", "--version"], capture_output=True, text=True, timeout=30)
    assert done.stdout == f"{__version__}\n"


def test_completion_knows_the_verbs_and_their_flags(tmp_path: Path) -> None:
    def completed(line: str) -> list[str]:
        environment = {
            "_AUDIO_SERVER_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split()) - 1),
            "HOME": str(tmp_path),
        }
        return subprocess.run([COMMAND], env=environment, capture_output=True, text=True, timeout=30).stdout.split()

    assert completed("audio-server mod") == ["models"]
    assert completed("audio-server models --he") == ["--here", "--help"]
    assert completed("audio-server pull whisper-base") == ["whisper-base", "whisper-base.en"]
    assert completed("audio-server models --kind t") == ["tts", "turn"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pull", "nobody"], "there is no model 'nobody'"),
        (["check", "nobody"], "there is no model 'nobody'"),
        (["rm", "nobody"], "there is no model 'nobody'"),
        (["models", "--config", "nowhere.toml"], "the settings file nowhere.toml cannot be read"),
        (["key", "list", "--config", "nowhere.toml"], "the settings file nowhere.toml cannot be read"),
        (["config", "port"], "unexpected extra argument"),
        (["doctor", "--fix"], "No such option: --fix"),
        (["version", "--jsn"], "No such option: --jsn"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], words: str) -> None:
    text = " ".join(shown(*arguments, status=2, columns=1000).split())
    assert words in text and "Traceback" not in text


def test_lists_for_programs(tmp_path: Path) -> None:
    own = {"HOME": str(tmp_path), "SPEECHMLX_KEY_FILE": str(tmp_path / "keys.json")}
    shown("key", "add", "phone", env=own)
    (key,) = json.loads(shown("key", "list", "--json", columns=1000, env=own))
    assert (key["name"], key["scopes"], key["limits"]["jobs"]) == ("phone", ["use"], None)
    extras = json.loads(shown("extras", "list", "--json", columns=2000, env=own))
    assert {"name": "ja", "purpose": "Japanese for Kokoro and MeloTTS", "installed": False} in extras
