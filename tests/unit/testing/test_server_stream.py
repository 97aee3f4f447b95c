"""The wire of a server, as the harness reads it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from speechmlx.errors import BadRequest, EngineFailed, Unavailable
from speechmlx.testing.server_stream import ServerStream, address, read
from speechmlx.types import Hypothesis, Word


def results(is_final: bool, *words: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Results", "is_final": is_final, "channel": {"alternatives": [{"words": list(words)}]}}


def test_words() -> None:
    word = {"word": "one", "punctuated_word": "One.", "start": 1.0, "end": 1.5, "confidence": 0.9}
    assert read(results(True, word, {**word, "speaker": 1})) == Hypothesis(
        (Word(" One.", 1.0, 1.5, 0.9), Word(" One.", 1.0, 1.5, 0.9, "1")), ()
    )
    assert read(results(False, word)) == Hypothesis((), (Word(" One.", 1.0, 1.5, 0.9),))
    assert read({"type": "Metadata"}) is None
    with pytest.raises(EngineFailed, match="broken"):
        read({"type": "Error", "description": "broken"})


def test_addresses() -> None:
    found = urlsplit(address("https://host:8443/speech/", 16000, "whisper-base", "de", True))
    assert (found.scheme, found.netloc, found.path) == ("wss", "host:8443", "/speech/v1/listen")
    query = {name: values[0] for name, values in parse_qs(found.query).items()}
    assert query["model"] == "whisper-base" and query["language"] == "de" and query["diarize"] == "true"
    assert "language=multi" in address("ws://host", 16000, None, None, False)
    for url in ("host:8080", "ftp://host", "http://"):
        with pytest.raises(BadRequest, match="no address of a server; write it like"):
            address(url, 16000, None, None, False)


async def test_where_no_server_is() -> None:
    stream = ServerStream("http://127.0.0.1:1", None, 16000, None, None, False)
    with pytest.raises(Unavailable, match=r"ws://127.0.0.1:1/v1/listen takes no connection"):
        await stream.open()
    await stream.close()
