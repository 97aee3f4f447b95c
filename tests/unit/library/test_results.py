"""What calls give, saved as files of every format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from speechmlx.audio.decode import decode
from speechmlx.audio.pcm import to_pcm16
from speechmlx.errors import BadRequest
from speechmlx.library.results import SOUND_FORMATS, Recognised, Sound
from speechmlx.types import Chunk, LanguageDetected, Segment

TONE = np.sin(np.arange(24000) * 0.1).astype(np.float32) * 0.5
SOUND = Sound(TONE, 24000)


@pytest.mark.parametrize("format", [name for name in SOUND_FORMATS if name != "pcm"])
def test_a_sound_in_every_format_is_heard_again(format: str) -> None:
    data = SOUND.encode(format)
    audio = decode(data, 24000)
    assert audio.duration == pytest.approx(1.0, abs=0.1)
    middle = slice(6000, 18000)
    assert np.abs(audio.samples[middle]).max() == pytest.approx(0.5, abs=0.06)


def test_lengths_are_in_the_headers_of_files() -> None:
    for format, width in (("wav", 2 * 24000), ("mulaw", 8000), ("alaw", 8000)):
        data = SOUND.encode(format)
        assert len(data) == 44 + width and int.from_bytes(data[40:44], "little") == width


def test_the_ending_says_the_format(tmp_path: Path) -> None:
    assert SOUND.save(tmp_path / "a.WAV").read_bytes() == SOUND.encode()
    assert SOUND.save(str(tmp_path / "a.raw")).read_bytes() == to_pcm16(TONE)
    assert SOUND.save(tmp_path / "a.oga").read_bytes()[:4] == b"OggS"
    assert SOUND.save(tmp_path / "telephone.wav", "mulaw").stat().st_size == 44 + 8000


def test_what_cannot_be_saved_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"'a.xyz' tells no format; give format= one of mp3, opus, aac, flac"):
        SOUND.save(tmp_path / "a.xyz")
    with pytest.raises(BadRequest, match="there is no format 'ape' of sound"):
        SOUND.encode("ape")
    with pytest.raises(BadRequest, match="cannot be written: No such file"):
        SOUND.save(tmp_path / "nowhere/a.wav")


def test_a_sound_of_chunks() -> None:
    sound = Sound.of([Chunk(to_pcm16(TONE[:100]), 24000), Chunk(to_pcm16(TONE[100:]), 24000)], 16000)
    assert sound.rate == 24000 and sound.samples == pytest.approx(TONE, abs=1e-4)
    assert Sound.of([], 16000).rate == 16000 and Sound.of([], 16000).duration == 0.0


def test_a_transcript_is_saved_by_its_ending(tmp_path: Path) -> None:
    result = Recognised(2.0, "transcribe", LanguageDetected("en", 1.0), [Segment(" Hello.", 0.0, 1.5, 0.9)], source="a")
    assert result.save(tmp_path / "a.txt").read_text() == "Hello.\n"
    assert result.save(tmp_path / "a.srt").read_text().startswith("1\n00:00:00,000 --> 00:00:01,500\nHello.")
    assert json.loads(result.save(tmp_path / "a.json").read_text())["text"] == "Hello."
    assert json.loads(result.save(tmp_path / "b.json", "verbose_json").read_text())["segments"][0]["end"] == 1.5
    with pytest.raises(BadRequest, match="tells no format"):
        result.save(tmp_path / "a.doc")
