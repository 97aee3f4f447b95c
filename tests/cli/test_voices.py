"""`voices`: storing, listing and deleting voices, in the folder that a server uses too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.pty import shown

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16
from speechmlx.models.voice_store import VoiceStore

CONSENT = ("--consent", "Ann Lee agreed to this on 3 May 2026.")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "SPEECHMLX_VOICE_FOLDER": str(tmp_path / "voices")}


def recording(path: Path, seconds: float = 2.0, level: float = 0.1) -> str:
    sound = level * np.random.default_rng(1).standard_normal(round(seconds * 16000))
    pcm = to_pcm16(sound.astype(np.float32))
    path.write_bytes(wav_header(16000, len(pcm) // 2) + pcm)
    return str(path)


def test_a_voice_is_stored_listed_and_deleted(home: dict[str, str], tmp_path: Path) -> None:
    assert "There are no stored voices" in shown("voices", "list", env=home)
    sound = recording(tmp_path / "ann.wav")
    assert shown("voices", "add", "Ann", sound, *CONSENT, "--text", " Hello. ", env=home) == "Ann: 2.0 s stored\n"
    store = VoiceStore(tmp_path / "voices")
    assert (store.voice("ann").text, store.voice("ann").consent) == ("Hello.", CONSENT[1])
    assert shown("voices", "list", env=home).startswith("Ann  2.0 s  20")
    (row,) = json.loads(shown("voices", "list", "--json", env=home))
    assert row == {"name": "Ann", "id": row["id"], "seconds": 2.0, "created_at": row["created_at"]}
    assert "there is a voice 'Ann': delete it" in shown("voices", "add", "Ann", sound, *CONSENT, status=2, env=home)
    assert shown("voices", "rm", "ann", env=home) == "ann: removed\n"
    assert "no stored voice 'ann'" in shown("voices", "rm", "ann", status=2, env=home)


def test_what_cannot_be_stored(home: dict[str, str], tmp_path: Path) -> None:
    sound = recording(tmp_path / "ann.wav")
    long, short = recording(tmp_path / "long.wav", 70), recording(tmp_path / "short.wav", 0.5)
    (tmp_path / "text.wav").write_text("no sound")
    for name, file, words in (
        ("af_heart", sound, "is a voice of kokoro-82m already"),
        ("whisper-base", sound, "is the model whisper-base"),
        ("x!", sound, "a voice cannot be called"),
        ("Ann", long, "the recording is too long: 1 to 60 s"),
        ("Ann", short, "the recording is too short"),
        ("Ann", recording(tmp_path / "silent.wav", level=0.0), "the recording is silent"),
        ("Ann", str(tmp_path / "none.wav"), "cannot be read: No such file"),
        ("Ann", str(tmp_path / "text.wav"), ""),
    ):
        said = " ".join(shown("voices", "add", name, file, *CONSENT, status=2, columns=200, env=home).split())
        assert words in said and "Traceback" not in said
    assert "--consent" in shown("voices", "add", "Ann", sound, status=2, env=home)
    assert "--consent is empty" in shown("voices", "add", "Ann", sound, "--consent", " ", status=2, env=home)
    assert not VoiceStore(tmp_path / "voices").voices()
