"""macOS's firewall and microphone, from recorded answers of its programs."""

from __future__ import annotations

import json

import pytest
from support.patients import patient

from speechmlx.config import Config
from speechmlx.doctor.finding import Ran
from speechmlx.doctor.mac import check_firewall, check_microphone

OPEN = Config(host="0.0.0.0")
ON, OFF = "Firewall is enabled. (State = 1)\n", "Firewall is disabled. (State = 0)\n"


@pytest.mark.parametrize(
    ("answers", "state", "words"),
    [
        ({"--getglobalstate": OFF}, "ok", "off"),
        ({"--getglobalstate": ON, "--getblockall": "Block all ENABLED!\n"}, "warning", "blocks every connection"),
        ({"--getglobalstate": "Firewall is enabled. (State = 2)\n"}, "warning", "blocks every connection"),
        (
            {"--getglobalstate": ON, "--getblockall": "Firewall has block all state set to enabled.\n"},
            "warning",
            "blocks every connection",
        ),
        (
            {
                "--getglobalstate": ON,
                "--getblockall": "Block all DISABLED!\n",
                "python": "Incoming connection to the application is permitted.\n",
            },
            "ok",
            "lets this Python in",
        ),
        (
            {"--getglobalstate": ON, "--getblockall": "Firewall has block all state set to disabled.\n"},
            "warning",
            "may not reach 0.0.0.0:8080",
        ),
    ],
)
def test_the_firewall(answers: dict[str, str], state: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/opt/speechmlx/bin/python")
    (found,) = check_firewall(patient(answers, config=OPEN))
    assert found.state == state and words in found.text
    assert bool(found.to_do) == (state == "warning")


def test_a_firewall_in_nobodys_way_is_not_asked() -> None:
    assert list(check_firewall(patient())) == []
    assert list(check_firewall(patient(config=OPEN, platform="linux"))) == []
    (wyoming,) = check_firewall(patient({"--getglobalstate": ON}, config=Config(wyoming="0.0.0.0:10300")))
    assert "0.0.0.0:10300" in wyoming.text


@pytest.mark.parametrize(
    ("loudest", "state", "words"),
    [(0.0, "warning", "nothing but zeros"), (0.02, "ok", "it is heard"), (None, "ok", "MacBook Pro Microphone")],
)
def test_the_microphone(loudest: float | None, state: str, words: str) -> None:
    told = json.dumps({"name": "MacBook Pro Microphone", "loudest": loudest})
    machine = patient({"record": told} if loudest is not None else {"loudest}))\n": told})
    (found,) = check_microphone(machine, loudest is not None)
    assert found.state == state and words in found.text
    assert ("Privacy & Security > Microphone" in found.to_do) == (state == "warning")


def test_no_microphone_is_no_problem() -> None:
    (found,) = check_microphone(patient({"record": Ran(1, err="...\nOSError: PortAudio library not found\n")}), True)
    assert found.state == "note" and found.text == "none: OSError: PortAudio library not found"
    assert "libportaudio2" in found.to_do
