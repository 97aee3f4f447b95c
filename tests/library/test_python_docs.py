"""docs/python.md: its examples run, in order, with scripted engines."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from support import sounddevice_stub
from support.scripted_conversation import RATE, tone, words

from speechmlx.audio.pcm import from_pcm16
from speechmlx.library.results import Sound
from speechmlx.library.settings import SpeechSettings

TEXT = (Path(__file__).parents[2] / "docs/python.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
MICROPHONE = '"stop" in word.text'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice_stub)
    Sound(from_pcm16(tone(1.0, rate=RATE)), RATE).save("talk.wav")
    Sound(from_pcm16(tone(0.3, rate=RATE)), RATE).save("question.wav")
    return tmp_path


@pytest.mark.timeout(240)
def test_the_examples_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, Any] = {}
    printed = []
    for example in EXAMPLES:
        # The engines know numbers alone: the person at the microphone says "four" to stop.
        exec(compile(example.replace(MICROPHONE, '"four" in word.text'), "docs/python.md", "exec"), scope)
        printed.append(capsys.readouterr().out)
    scope["speech"].close()
    assert printed[0] == f"{words(1.0)}\n" and len(printed) == len(EXAMPLES)
    assert {path.name for path in folder.iterdir()} >= {
        "talk.srt", "greeting.mp3", "long.pcm", "clean.wav", "answer.wav", "hello.wav",
    }  # fmt: skip
    shown = "".join(printed)
    assert f"You: {words(0.3)}\n" in shown and "\ncompleted\n" in shown and f"user {words(0.3)}\n" in shown
    assert "nowhere.wav cannot be read: No such file or directory" in shown
    assert f"{words(1.0)} () () ()\n" in shown


def test_the_settings_are_all_named() -> None:
    section = TEXT.partition("\n## Settings\n")[2].partition("\n## ")[0]
    assert set(SpeechSettings.__annotations__) <= set(re.findall(r"`(\w+)`", section))
