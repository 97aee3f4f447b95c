"""POST /v1/audio/speech/reading: how a text would be spoken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

PATH = "/v1/audio/speech/reading"


def test_words_places_and_phonemes(start_server: Start, tmp_path: Path) -> None:
    (tmp_path / "names.toml").write_text('[en]\nNguyen = "win"\n[en-gb]\ncat = "hat"\n')
    with start_server("--lexicon", str(tmp_path / "names.toml")) as server, server.client() as client:

        def read(**fields: Any) -> Any:
            answer = client.post(PATH, json={"input": "Nguyen's cat.", **fields})
            assert answer.status_code == 200, answer.text
            return answer.json()

        first = read()
        assert first["text"] == "win's cat" and first["phonemes"] == "wˈɪnz kˈæt."
        assert first["words"][0] == {"text": "win's", "start": 0, "end": 8, "phonemes": "wˈɪnz"}
        assert read(voice="bf_emma")["text"] == read(language="en-GB")["text"] == "win's hat"
        assert read(pronunciations={"Nguyen": "new yen"})["text"] == "new yen's cat"
        assert read(language="sv")["phonemes"] is None
        assert read(input="👍") == {"words": [], "text": "", "phonemes": ""}


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"input": " "}, 400, "missing 'input'"),
        ({"input": "a" * 4097}, 413, "the limit is 4096"),
        ({"input": "Hi.", "voice": "nobody"}, 400, "no voice 'nobody'"),
        ({"input": "Hi.", "pronunciations": 3}, 400, "'pronunciations' must be an object"),
        ({"input": "<speak>Hi"}, 400, ""),
    ],
)
def test_what_is_wrong_is_named(server: Server, fields: dict[str, Any], status: int, words: str) -> None:
    with server.client() as client:
        answer = client.post(PATH, json=fields)
    assert answer.status_code == status and words in answer.json()["error"]["message"]
