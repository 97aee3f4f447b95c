"""A lexicon reaches synthesis and recognition from the server's file and from a request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

WAV = wav_header(16000, 16000) + to_pcm16(np.zeros(16000, np.float32))


def traced(file: Path) -> list[str]:
    """What the scripted engine noted between its opening and its first step."""
    notes = [json.loads(line)["what"] for line in file.read_text().splitlines()]
    return [note for note in notes if note != "open" and note != "close" and not note.startswith("step ")]


def test_requests_have_the_entries_of_the_file_after_their_own(start_server: Start, tmp_path: Path) -> None:
    (tmp_path / "names.toml").write_text('[en]\nNguyen = "win"\n[any]\n"C++" = "see plus plus"\n')
    file = ["Nguyen = win", "C++ = see plus plus"]
    own: dict[str, Any] = {"pronunciations": {"Siobhan": {"phonemes": "ʃəvˈɔn"}}}
    flags = ("--lexicon", str(tmp_path / "names.toml"), "--tts", "scripted", "--asr", "scripted-asr")
    with start_server(*flags) as server, server.client() as client:

        def post(path: str, field: str, **fields: Any) -> list[str]:
            trace = tmp_path / "trace"
            trace.unlink(missing_ok=True)
            assert client.post(path, json={field: f"steps=1 trace={trace}", **fields}).status_code == 200
            return traced(trace)

        assert post("/speak", "text") == file
        assert post("/speak", "text", **own) == ["Siobhan = ʃəvˈɔn", *file]
        assert post("/v1/audio/speech", "input", **own) == ["Siobhan = ʃəvˈɔn", *file]
        assert post("/v1/audio/speech", "input", kwargs=json.dumps(own)) == ["Siobhan = ʃəvˈɔn", *file]
        trace = tmp_path / "heard"
        form = {"prompt": f"steps=1 trace={trace}", "language": "en"}
        heard = client.post("/v1/audio/transcriptions", data=form, files={"file": ("a.wav", WAV)})
        assert heard.status_code == 200 and traced(trace) == ["Nguyen", "C++"]


@pytest.mark.parametrize(("path", "field"), [("/speak", "text"), ("/v1/audio/speech", "input")])
def test_what_is_wrong_is_named(server: Server, path: str, field: str) -> None:
    with server.client() as client:
        answer = client.post(path, json={"model": "scripted", field: "steps=1", "pronunciations": {"Nguyen": "w1n"}})
    assert answer.status_code == 400
    assert "'pronunciations', entry 1: sounds_like of 'Nguyen' has '1'; allowed are letters" in answer.text
