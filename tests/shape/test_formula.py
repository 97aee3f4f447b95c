"""The formula: a release written into it, Ruby's view of it, and completions, without an installation.

`scripts/soak formula` installs it; tests/soak/formula.py says what.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from speechmlx.service.definition import EXIT_TIMEOUT, ServiceDefinition
from speechmlx.service.launchd import agent

ROOT = Path(__file__).parents[2]
FORMULA = (ROOT / "Formula/speechmlx.rb").read_text()
COMMAND = str(Path(sys.executable).with_name("audio-server"))
DIGEST = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def script() -> dict[str, Callable[..., str]]:
    found: dict[str, Callable[..., str]] = {"__file__": str(ROOT / "scripts/formula.py")}  # type: ignore[dict-item]
    exec(compile((ROOT / "scripts/formula.py").read_text(), "formula.py", "exec"), found)
    return found


@pytest.mark.parametrize(
    "origin",
    [
        "https://git.example/speech/speechmlx.git",
        "https://git.example/speech/speechmlx/",
        "git@git.example:speech/speechmlx.git",
        "ssh://git@git.example/speech/speechmlx.git",
    ],
)
def test_a_release_is_written_once(origin: str, script: dict[str, Callable[..., str]]) -> None:
    text = script["released"](FORMULA, "1.2.3", origin, DIGEST)
    assert '  homepage "https://git.example/speech/speechmlx"\n' in text
    tarball = "https://git.example/speech/speechmlx/releases/download/v1.2.3/speechmlx-1.2.3.tar.gz"
    assert f'  url "{tarball}"\n  sha256 "{DIGEST}"\n' in text
    assert '  head "https://git.example/speech/speechmlx.git", branch: "main"\n' in text and "file://" not in text
    again = script["released"](text, "1.2.4", origin, DIGEST[::-1])
    assert [len(re.findall(rf"^  {name} ", again, re.M)) for name in ("homepage", "url", "sha256", "head")] == [1] * 4
    assert "1.2.3" not in again


@pytest.mark.parametrize(
    ("origin", "version", "digest"),
    [
        ("/srv/speechmlx", "1.2.3", DIGEST),
        ("https://git.example/a b", "1.2.3", DIGEST),
        ("https://git.example/a/b", "1", DIGEST),
        ("https://git.example/a/b", "1.2.3", "none"),
    ],
)
def test_what_cannot_be_a_release_is_refused(
    origin: str, version: str, digest: str, script: dict[str, Callable[..., str]]
) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(origin if "/a/b" not in origin else version))):
        script["released"](FORMULA, version, origin, digest)


def test_ruby_reads_it(script: dict[str, Callable[..., str]]) -> None:
    ruby = shutil.which("ruby") or pytest.skip("Ruby is not installed")
    for text in (FORMULA, script["released"](FORMULA, "1.2.3", "https://git.example/a/b", DIGEST)):
        subprocess.run([ruby, "-wc"], input=text, text=True, check=True, capture_output=True)


def test_the_service_leaves_settings_to_the_file_and_finds_programs() -> None:
    service = FORMULA.split("  service do\n")[1].split("  end\n")[0]
    assert '[opt_bin/"audio-server", "serve"]' in service and "--" not in service
    assert "PATH: std_service_path_env" in service


def test_the_service_is_started_again_as_our_own_agent_is() -> None:
    made = agent(ServiceDefinition(("audio-server", "serve")), Path("/"))
    assert made["KeepAlive"] == {"SuccessfulExit": False} and "keep_alive successful_exit: false\n" in FORMULA
    assert f"throttle_interval {made['ThrottleInterval']}\n" in FORMULA


def test_the_service_has_the_time_to_end_that_its_own_agent_has() -> None:
    assert re.findall(r"^    stop_timeout (\d+)$", FORMULA, re.M) == [str(EXIT_TIMEOUT)]


def test_a_service_of_root_is_advised_against_where_its_start_is_told() -> None:
    """Homebrew skips the file of variables for root, and root's settings and models are others."""
    for text in (FORMULA, (ROOT / "docs/install.md").read_text()):
        assert "/var/root/Library" in text and "with `sudo` from boot on" not in text


@pytest.mark.parametrize(
    ("shell", "says"), [("zsh", "#compdef audio-server"), ("bash", "complete -o"), ("fish", "--command")]
)
def test_completions_are_made_the_way_homebrew_asks_for_them(shell: str, says: str) -> None:
    environment = {**os.environ, "SHELL": shell, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [COMMAND, "--show-completion", shell], env=environment, capture_output=True, text=True, check=True
    )
    assert says in done.stdout


def test_bash_completes_verbs_and_their_verbs() -> None:
    def completed(words: str) -> list[str]:
        environment = {**os.environ, "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
        environment["_AUDIO_SERVER_COMPLETE"] = "complete_bash"
        return subprocess.run([COMMAND], env=environment, capture_output=True, text=True, check=True).stdout.split()

    assert completed("audio-server ser") == ["serve", "service"]
    assert completed("audio-server service st") == ["start", "stop", "status"]
