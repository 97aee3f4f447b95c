"""Sound that is written while it is made."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import soundfile

from speechmlx.cli.terminal.sound_file import SoundFile, format_of
from speechmlx.errors import BadRequest
from speechmlx.types import Chunk

CHUNK = Chunk(b"\1\0" * 2400, 24000)


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg"])
def test_pieces_join(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    with SoundFile(str(path)) as file:
        for _ in range(5):
            file.write(CHUNK)
    assert file.seconds == pytest.approx(0.5) and file.rate == 24000
    assert soundfile.info(path).duration == pytest.approx(0.5, abs=0.06)


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    def fail() -> None:
        with SoundFile(str(path)) as file:
            file.write(CHUNK)
            assert path.stat().st_size == 4844
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not path.exists()


def test_standard_output_gets_a_header_of_unknown_length(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    with SoundFile("-") as file:
        file.write(CHUNK)
    assert raw.getvalue()[:4] == b"RIFF" and raw.getvalue()[40:44] == b"\xff" * 4 and len(raw.getvalue()) == 4844


@pytest.mark.parametrize(("name", "format"), [("a.WAV", "wav"), ("a.ogg", "opus"), ("a.raw", "pcm"), ("-", "wav")])
def test_formats(name: str, format: str) -> None:
    assert format_of(name) == format


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"the name 'a.doc' tells no format; names of sounds end in \.mp3"):
        SoundFile("a.doc")
    with pytest.raises(BadRequest, match="cannot be written: No such file"):
        SoundFile(str(tmp_path / "no/a.wav"))
