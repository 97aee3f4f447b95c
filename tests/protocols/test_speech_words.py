"""The times of words of /v1/audio/speech: as JSON, as events with the sound that they belong to, and as subtitles."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

TEXT = "Tea costs $5, Dr. Lee. “Really?”"
WORDS = TEXT.split()


def post(server: Any, **fields: Any) -> Any:
    with server.client(120) as client:
        answer = client.post("/v1/audio/speech", json=fields)
    assert answer.status_code == 200, answer.text
    return answer


def events(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]


@pytest.mark.parametrize(("format", "speed"), [("pcm", 1.0), ("mp3", 2.0), ("wav", 1.0)])
def test_json_has_the_words_and_the_sound(conversing: Any, format: str, speed: float) -> None:
    said: dict[str, Any] = {"input": f"\n {TEXT} ", "response_format": format, "speed": speed}
    answer = post(conversing, **said, stream_format="json")
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    length = 0.1 / speed
    assert [(word["word"], word["start"]) for word in found["words"]] == [
        (word, round(number * length, 3)) for number, word in enumerate(WORDS)
    ]
    assert all(word["end"] == pytest.approx(word["start"] + length, abs=0.001) for word in found["words"])
    assert [said["input"][slice(*word["characters"])] for word in found["words"]] == WORDS
    assert base64.b64decode(found["audio"]) == post(conversing, **said, stream=False).content
    assert (found["format"], found["usage"]["output_tokens"]) == (format, 2 * len(WORDS))
    assert found["duration"] == round(0.1 * len(WORDS), 3) and "captions" not in found


@pytest.mark.parametrize("format", ["pcm", "mp3"])
def test_events_have_the_words_of_their_sound(conversing: Any, format: str) -> None:
    told = {"input": TEXT, "response_format": format, "stream_format": "sse"}
    *deltas, done = events(post(conversing, **told, timestamps=True, captions="srt"))
    assert [word["word"] for delta in deltas for word in delta["words"]] == WORDS
    if format == "pcm":
        assert [len(delta["words"]) for delta in deltas] == [1] * len(WORDS)
    assert done["captions"].startswith("1\n00:00:00,000 --> ")
    assert sum(done["captions"].count(word) for word in WORDS) == len(WORDS)
    assert all("words" not in event and "captions" not in event for event in events(post(conversing, **told)))


def test_subtitles(conversing: Any) -> None:
    found = post(conversing, input=TEXT, response_format="pcm", stream_format="json", captions="vtt").json()
    assert found["captions"] == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nTea costs $5, Dr. Lee.\n\n00:00:00.500 --> 00:00:00.600\n“Really?”\n"
    )


def test_a_voice_tells_the_times_of_its_words(starter: Any) -> None:
    text = "It costs $5. **Well-known**, e.g. \U0001f389 me."
    found = post(starter, input=text, response_format="pcm", stream_format="json", captions="srt").json()
    assert [word["word"] for word in found["words"]] == [
        "It",
        "costs",
        "$5.",
        "Well-known,",
        "e.g. \U0001f389",
        "me.",
    ]
    assert all(one["start"] < one["end"] <= other["start"] for one, other in pairwise(found["words"]))
    assert found["words"][-1]["end"] < found["duration"] == pytest.approx(len(base64.b64decode(found["audio"])) / 48000)
    assert [line for line in found["captions"].split("\n") if "-->" not in line and not line.isdigit() and line] == [
        "It costs $5.",
        "Well-known, e.g. \U0001f389 me.",
    ]


def test_an_error_in_the_middle_has_a_status(start_server: Callable[..., Any]) -> None:
    with start_server() as server, server.client() as client:
        fields = {"model": "scripted", "input": "steps=3 fail=1", "stream_format": "json"}
        answer = client.post("/v1/audio/speech", json=fields)
        assert answer.status_code == 500 and "error" in answer.json()
