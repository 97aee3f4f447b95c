"""OpenAI's /v1/audio/speech and /v1/audio/voices with OpenAI's own client."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import openai
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


def test_speech_streams_while_it_is_made(scripted: openai.OpenAI) -> None:
    began = time.monotonic()
    with scripted.audio.speech.with_streaming_response.create(
        model="scripted", voice="", input="steps=5 work=0.2 bytes=4800", response_format="pcm"
    ) as response:
        pieces = [(time.monotonic() - began, piece) for piece in response.iter_bytes()]
    assert sum(len(piece) for _, piece in pieces) == 5 * 4800
    assert pieces[-1][0] - pieces[0][0] > 0.6


def test_a_wav_stream_has_one_header(scripted: openai.OpenAI) -> None:
    answer = scripted.audio.speech.create(
        model="scripted", voice="nova", input="steps=3 bytes=4800", response_format="wav"
    ).content
    assert answer.count(b"RIFF") == 1 and len(answer) == 44 + 3 * 4800


def test_server_sent_speech(server: Any) -> None:
    body = {"model": "scripted", "input": "steps=3 bytes=4800", "response_format": "pcm", "stream_format": "sse"}
    with server.client() as client:
        answer = client.post("/v1/audio/speech", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    sound = b"".join(base64.b64decode(one["audio"]) for one in events if one["type"] == "speech.audio.delta")
    assert len(sound) == 3 * 4800
    assert events[-1] == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 2, "output_tokens": 6, "total_tokens": 8},  # two words, 0.3 s
    }


def test_two_short_sentences_are_two_pieces_and_their_tokens_are_told(starter: Any) -> None:
    def say(text: str) -> list[Any]:
        body = {"model": "kokoro-82m", "input": text, "response_format": "pcm", "stream_format": "sse"}
        with starter.client() as client:
            answer = client.post("/v1/audio/speech", json=body).text
        return [json.loads(line.removeprefix("data: ")) for line in answer.split("\n\n") if line]

    *pieces, done = say("Hello there. How are you?")
    (one, first), (two, second) = say("Hello there."), say("How are you?")
    assert pieces == [one, two]
    seconds = sum(len(base64.b64decode(piece["audio"])) for piece in pieces) / 48000
    read = first["usage"]["input_tokens"] + second["usage"]["input_tokens"]
    said = round(20 * seconds)
    assert done["usage"] == {"input_tokens": read, "output_tokens": said, "total_tokens": read + said}
    assert 15 < read < 40 and 40 < said < 80


def test_long_text_is_refused_over_the_limit_and_spoken_below_it(scripted: openai.OpenAI) -> None:
    say = scripted.audio.speech.create
    text = "steps=1 " + "word " * 800
    assert len(say(model="scripted", voice="", input=text, response_format="wav").content) == 44 + 4800
    with pytest.raises(openai.APIStatusError, match="the limit is 4096") as refused:
        say(model="scripted", voice="", input=text + "word " * 200)
    assert refused.value.status_code == 413


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input": " "}, "missing 'input'"),
        ({"response_format": "midi"}, "must be one of mp3, opus, aac, flac, wav, pcm"),
        ({"speed": 9}, "'speed' must be a number from 0.25 to 4"),
        ({"stream_format": "carrier pigeon"}, "must be one of audio, sse, json"),
        ({"voice": 3}, "'voice' must be a string"),
        ({"timestamps": True}, "'timestamps' needs a body with more than sound: set 'stream_format' to sse or json"),
        ({"captions": "srt", "stream_format": "audio"}, "'captions' needs a body with more than sound"),
        ({"captions": "ass", "stream_format": "json"}, "'captions' must be one of srt, vtt"),
        ({"timestamps": False, "stream_format": "json"}, "JSON always has the words"),
    ],
    ids=str,
)
def test_what_cannot_be_said_is_named(server: Any, change: dict[str, Any], says: str) -> None:
    with server.client() as client:
        answer = client.post("/v1/audio/speech", json={"model": "scripted", "input": "steps=1", **change})
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"] and answer.json()["detail"] == answer.json()["error"]["message"]


def test_long_text_is_heard_before_its_end_is_made(starter: Any) -> None:
    sentences = [
        "One, two, three.",
        *(f"Sentence number {number} is said to those who wait." for number in range(2, 9)),
    ]
    body = {"model": "kokoro-82m", "input": " ".join(sentences), "response_format": "pcm"}
    with starter.client(300) as client, client.stream("POST", "/v1/audio/speech", json=body) as answer:
        pieces = answer.iter_raw()
        first = next(pieces)
        assert starter.health()["jobs"] == 1  # it speaks on
    assert 0 < len(first) / 2 / 24000 < 5


def test_openais_voices_and_ids_and_the_models_own(talk: openai.OpenAI, starter: Any) -> None:
    with starter.client() as client:
        listed = [voice["id"] for voice in client.get("/v1/audio/voices").json()["voices"]]
    assert {"af_heart", "alloy", "verse", "bm_george"} <= set(listed) and len(listed) == len(set(listed)) == 54 + 13
    voices: list[Any] = [
        "alloy",
        "af_alloy",
        {"id": "af_alloy"},
        " Alloy ",
        "AF_Alloy",
        "af-alloy",
        {"id": " AF Alloy"},
    ]
    said = [
        talk.audio.speech.create(model="tts-1-hd", voice=voice, input="Yes.", response_format="pcm").content
        for voice in voices
    ]
    assert len(set(said)) == 1 and len(said[0]) > 10_000
    with pytest.raises(openai.BadRequestError, match=r"af_heart, .* 48 more \(GET /v1/audio/voices") as refused:
        talk.audio.speech.create(model="tts-1", voice="af_haert", input="Yes.")
    assert (refused.value.param, refused.value.code) == ("voice", "invalid_voice")
