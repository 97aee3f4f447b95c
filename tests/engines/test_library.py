"""`Speech` with the starter models: what it speaks, it hears, whole and live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from speechmlx import Speech
from speechmlx.testing import word_error_rate

TEXT = "The quick brown fox jumps over the lazy dog."


@pytest.mark.timeout(300)
def test_speech_is_heard_again(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("whisper-tiny.en", "kokoro-82m"):
        model_folder(name)
    with Speech(profile="starter", asr="whisper-tiny.en") as speech:
        spoken = speech.speak(TEXT, voice="af_heart")
        talk = speech.transcribe(spoken.save(tmp_path / "fox.opus"), words=True)
        assert word_error_rate(TEXT, talk.text) == 0.0 and 2.0 < talk.words[-1].end <= talk.duration + 0.1
        with speech.listen() as live:
            for start in range(0, len(spoken.samples), spoken.rate // 4):
                live.feed(spoken.samples[start : start + spoken.rate // 4], spoken.rate)
            live.finish()
            heard = "".join(word.text for hypothesis in live for word in hypothesis.committed)
    assert word_error_rate(TEXT, heard) <= 0.2
