"""OpenAI's audio API with OpenAI's own client: its words on the starter models, the rest on scripted ones."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import openai
import pytest
from openai.types.audio import TranscriptionVerbose
from pydantic import TypeAdapter
from support.clips import CLIPS
from support.openai_audio import TEXT, TONE, WAV, hear
from support.word_errors import word_error_rate

from speechmlx.audio.encode import MEDIA_TYPES, wav_header
from speechmlx.languages import NAMES

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")

FORMATS = tuple(MEDIA_TYPES)


def opened(data: bytes) -> tuple[str, str, float]:
    """Container, codec and seconds, as ffmpeg sees them."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        seconds = sum(frame.samples for frame in container.decode(stream)) / stream.rate
        return container.format.name, stream.codec_context.codec.canonical_name, seconds


# --- Real words --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spoken(starter: Any) -> dict[str, bytes]:
    """TEXT in every format."""
    found = {}
    with openai.OpenAI(api_key="any", base_url=f"{starter.url}/v1", max_retries=0, timeout=300) as client:
        for format in FORMATS:
            answer = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format=format)  # type: ignore[arg-type]
            assert answer.response.headers["content-type"] == MEDIA_TYPES[format]
            found[format] = answer.content
    return found


CONTAINERS = {
    "mp3": ("mp3", "mp3"),
    "opus": ("ogg", "opus"),
    "aac": ("aac", "aac"),
    "flac": ("flac", "flac"),
    "wav": ("wav", "pcm_s16le"),
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_what_it_says_and_its_words_are_heard(
    talk: openai.OpenAI, spoken: dict[str, bytes], format: str
) -> None:
    data = spoken[format]
    if format == "pcm":
        data = wav_header(24000, len(data) // 2) + data
    else:
        container, codec, _ = opened(data)
        assert (container, codec) == CONTAINERS[format]
    assert opened(data)[2] == pytest.approx(len(spoken["pcm"]) / 48000, abs=0.15)
    heard = talk.audio.transcriptions.create(model="whisper-1", file=("speech.bin", data))
    assert word_error_rate(TEXT, heard.text) == 0


def test_jfk_in_every_response_format(talk: openai.OpenAI, clip: Callable[[str], Path]) -> None:
    recording, words = clip("jfk"), CLIPS["jfk"].words
    say = talk.audio.transcriptions.create
    assert word_error_rate(words, say(model="whisper-1", file=recording).text) == 0
    assert word_error_rate(words, say(model="whisper-1", file=recording, response_format="text")) == 0
    srt = say(model="whisper-1", file=recording, response_format="srt")
    assert srt.startswith("1\n00:00:00,000 --> 00:00:")
    vtt = say(model="whisper-1", file=recording, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:")
    verbose = say(
        model="whisper-1", file=recording, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    TypeAdapter(TranscriptionVerbose).validate_python(verbose.model_dump(), strict=True)
    assert (verbose.duration, verbose.language) == (11.0, "english")
    assert word_error_rate(words, " ".join(segment.text for segment in verbose.segments or ())) == 0
    assert word_error_rate(words, " ".join(word.word for word in verbose.words or ())) == 0
    starts = [word.start for word in verbose.words or ()]
    assert starts == sorted(starts) and 9 < starts[-1] < 11


async def test_the_async_client_streams_the_words(starter: Any, clip: Callable[[str], Path]) -> None:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{starter.url}/v1", max_retries=0, timeout=300) as client:
        stream = await client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=clip("jfk"), stream=True, include=["logprobs"]
        )
        events = [event async for event in stream]
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    done = events[-1]
    assert done.type == "transcript.text.done"
    assert "".join(deltas) == done.text and word_error_rate(CLIPS["jfk"].words, done.text) == 0
    assert done.logprobs and all(-20 < (one.logprob or 0) <= 0 for one in done.logprobs)
    assert b"".join(bytes(one.bytes or ()) for one in done.logprobs).decode().strip() == done.text
    assert done.usage and done.usage.output_tokens > 20


def test_an_english_model_says_that_it_cannot_translate(talk: openai.OpenAI, clip: Callable[[str], Path]) -> None:
    with pytest.raises(openai.BadRequestError, match="English only"):
        talk.audio.translations.create(model="whisper-tiny.en", file=clip("jfk"))


# --- Hearing -----------------------------------------------------------------------------------------------------


def test_deltas_come_while_decoding_goes_on(scripted: openai.OpenAI) -> None:
    began = time.monotonic()
    times, said = [], ""
    for event in hear(scripted, "steps=5 work=0.2", stream=True):
        if event.type == "transcript.text.delta":
            times.append(time.monotonic() - began)
            said += event.delta
    assert said == event.text == "part 0. part 1. part 2. part 3. part 4."
    assert times[-1] - times[0] > 0.6


def test_segments_are_streamed_when_asked_for(scripted: openai.OpenAI) -> None:
    events = list(hear(scripted, stream=True, timestamp_granularities=["segment"]))
    segments = [event for event in events if event.type == "transcript.text.segment"]
    assert [(one.id, one.start, one.end, one.text) for one in segments] == [
        ("seg_0", 0, 1, " part 0."),
        ("seg_1", 1, 2, " part 1."),
    ]
    assert [event.segment_id for event in events if event.type == "transcript.text.delta"] == ["seg_0", "seg_1"]


@pytest.mark.parametrize(
    "lists",
    [
        [("timestamp_granularities", "word"), ("timestamp_granularities", "segment")],
        [("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")],
        [("timestamp_granularities[0]", "word"), ("timestamp_granularities[1]", "segment")],
        [("timestamp_granularities", '["word", "segment"]')],
        [("timestamp_granularities[]", "word,segment")],
    ],
)
def test_lists_are_read_in_all_spellings(server: Any, lists: list[tuple[str, str]]) -> None:
    fields = [("model", "scripted-asr"), ("response_format", "verbose_json"), ("prompt", "steps=2"), *lists]
    form = {"data": {}, "files": [*((name, (None, value)) for name, value in fields), ("file", ("a.wav", WAV))]}
    with server.client() as client:
        answer = client.post("/v1/audio/transcriptions", **form).json()
    assert [word["word"] for word in answer["words"]] == ["part 0.", "part 1."]
    assert len(answer["segments"]) == 2


@pytest.mark.parametrize("path", ["transcriptions", "translations"])
@pytest.mark.parametrize(("format", "start"), [("text", "part"), ("srt", "1\n00:"), ("vtt", "WEBVTT\n\n00:")])
def test_texts_have_the_type_that_older_sdks_read(server: Any, path: str, format: str, start: str) -> None:
    """Before 1.0 OpenAI's SDK took text/plain for text and parsed everything else as JSON; it answers with that."""
    form = {"model": "scripted-asr", "prompt": "steps=1", "response_format": format}
    with server.client() as client:
        answer = client.post(f"/v1/audio/{path}", data=form, files={"file": ("a.wav", WAV)})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith(start)


def test_blank_fields_are_as_if_they_were_not_sent(server: Any) -> None:
    names = (
        *("language", "response_format", "temperature", "stream", "timestamp_granularities[]", "include[]", "kwargs"),
        *("chunking_strategy", "beam_size", "prefix", "vad_filter", "clip_timestamps", "suppress_tokens", "languages"),
        *("condition_on_previous_text", "known_speaker_names[]"),
    )
    form = {"model": "scripted-asr", "prompt": "steps=1"}
    answers = []
    with server.client() as client:
        for blank in ({}, dict.fromkeys(names, ""), dict.fromkeys(names, " ")):
            for more in ({"data": {**form, **blank}}, {"data": form, "params": blank}):
                answers.append(client.post("/v1/audio/transcriptions", files={"file": WAV}, **more))
        body = {
            "model": "scripted",
            "input": "steps=1",
            "voice": "",
            "speed": " ",
            "response_format": "",
            "language": "",
        }
        for path in ("/v1/audio/speech", f"/speak?text=steps%3D1&{'&'.join(f'{name}=' for name in body)}"):
            assert client.post(path, json=body).status_code == 200
    assert {answer.text for answer in answers} == {answers[0].text} and answers[0].json()["text"] == "part 0."


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "application/x-www-form-urlencoded"])
def test_an_empty_body_has_no_type(server: Any, method: str, kind: str) -> None:
    """Clients that send their type with every request: OpenAI's SDKs up to 1.92 and 4, and plain fetch."""
    rows = {
        "GET": [("/v1/models", 200), ("/v1/models/whisper-1", 200), ("/v1/audio/voices", 200), ("/health", 200)],
        "DELETE": [("/v1/models/nobody", 404), ("/v1/model_registrations/audio/x", 400)],
        "POST": [("/token", 200), ("/v1/models/nobody/cancel", 400), ("/v1/realtime/client_secrets", 200)],
    }
    with server.client() as client:
        for path, status in rows[method]:
            answer = client.request(method, path, headers={"Content-Type": kind})
            assert answer.status_code == status, (path, answer.text)
        if method == "POST":
            for path, says in (("speech", "missing 'input'"), ("transcriptions", "missing 'file'")):
                answer = client.post(f"/v1/audio/{path}", headers={"Content-Type": kind})
                assert answer.status_code == 400 and says in answer.json()["error"]["message"], answer.text


@pytest.mark.parametrize(
    ("said", "code"),
    [("nb-NO", "no"), ("iw", "he"), ("deu", "de"), ("cmn", "zh"), ("Castilian", "es"), ("en-GB", "en")],
)
def test_languages_go_by_any_of_their_names(scripted: openai.OpenAI, said: str, code: str) -> None:
    answer = hear(scripted, response_format="verbose_json", language=said)
    assert answer.language == NAMES[code]


@pytest.mark.parametrize(
    ("said", "meant"), [("jp", "'ja', japanese"), ("cn", "'zh', chinese"), ("gb", "'en', english")]
)
def test_a_country_is_no_language(talk: openai.OpenAI, said: str, meant: str) -> None:
    with pytest.raises(
        openai.BadRequestError, match=rf"language '{said}' is not known to Kokoro \(did you mean {meant}"
    ):
        talk.audio.speech.create(model="tts-1", voice="alloy", input="Hi.", extra_body={"language": said})


def test_british_english_is_spoken_and_other_codes_are_the_same(talk: openai.OpenAI) -> None:
    def say(language: str) -> bytes:
        more = {"language": language}
        return talk.audio.speech.create(
            model="tts-1", voice="af_heart", input="A bath.", response_format="pcm", extra_body=more
        ).content

    american, british = say("en-US"), say("en-gb")
    assert say("en") == say("eng") == say("American English") == american
    assert say("en_GB") == say("British English") == british
    assert len(american) > 10_000 < len(british) and american != british


def test_a_clip_without_an_end_goes_on_to_the_end(talk: openai.OpenAI, clip: Callable[[str], Path]) -> None:
    def told(clips: str) -> str:
        more = {"clip_timestamps": clips}
        return talk.audio.transcriptions.create(model="whisper-1", file=clip("jfk"), extra_body=more).text

    words = CLIPS["jfk"].words
    assert word_error_rate(words, told("0")) == word_error_rate(words, told("0,5.4,5.4")) == 0
    assert word_error_rate("ask what you can do for your country", told("7.9")) == 0


def test_words_only_when_asked_for(scripted: openai.OpenAI) -> None:
    assert hear(scripted, response_format="verbose_json").words is None
    only = hear(scripted, response_format="verbose_json", timestamp_granularities=["word"])
    assert only.segments is None and len(only.words) == 2


def test_usage_languages_and_logprobs(scripted: openai.OpenAI) -> None:
    answer = hear(scripted, include=["logprobs"])
    assert (answer.usage.type, answer.usage.seconds) == ("duration", 3.0)
    assert [language.code for language in answer.languages] == ["en"]
    assert [(one.token, bytes(map(int, one.bytes)), one.logprob) for one in answer.logprobs] == [
        (" part 0.", b" part 0.", -0.5),
        (" part 1.", b" part 1.", -0.5),
    ]
    assert hear(scripted).logprobs is None


@pytest.mark.parametrize(
    "strategy",
    ["auto", {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}],
)
def test_chunking_strategy_is_taken(scripted: openai.OpenAI, strategy: Any) -> None:
    assert hear(scripted, chunking_strategy=strategy).text == "part 0. part 1."


def test_everything_else_the_sdk_sends(scripted: openai.OpenAI) -> None:
    answer = hear(scripted, language="en-US", temperature=0.3, languages=["en", "fr"], keywords=["part"])
    assert answer.text == "part 0. part 1."


ENCODED = base64.encodebytes(WAV).decode()
FIELDS = {"model": "scripted-asr", "prompt": "steps=1"}


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {**FIELDS, "file": base64.b64encode(WAV).decode()}},
        {"json": {**FIELDS, "file": ENCODED}},
        {"json": {**FIELDS, "file": f"data:audio/wav;base64,{ENCODED}"}},
        {"content": json.dumps({**FIELDS, "file": ENCODED})},
        {"content": json.dumps({**FIELDS, "file": ENCODED}), "headers": {"Content-Type": "text/plain;charset=UTF-8"}},
        {"data": {**FIELDS, "file": ENCODED}},
        {"data": FIELDS, "files": {"file": (None, ENCODED)}},
        {"data": FIELDS, "files": {"file": (None, f"data:audio/wav;base64,{ENCODED}")}},
        {"data": FIELDS, "files": {"file": (None, WAV)}},
        {"data": FIELDS, "files": {"file": (None, WAV, "audio/wav")}},
        {"data": FIELDS, "files": {"audio_file": (None, WAV, "application/octet-stream")}},
        {"data": FIELDS, "files": {"recording": ("blob", WAV)}},
        {"data": FIELDS, "files": [("other", ("notes.txt", b"some notes")), ("file", ("a.wav", WAV))]},
        {"data": FIELDS, "files": [("video", ("a.mp4", b"no film")), ("audio", ("a.wav", WAV))]},
    ],
    ids=lambda request_: " ".join(request_),
)
def test_a_recording_however_it_is_sent(server: Any, request_: dict[str, Any]) -> None:
    with server.client() as client:
        answer = client.post("/v1/audio/transcriptions", **request_)
        assert answer.status_code == 200 and answer.json()["text"] == "part 0.", answer.text


def test_a_path_instead_of_a_recording_says_so(server: Any) -> None:
    with server.client() as client:
        for more in ({"files": {"file": (None, "output.wav")}}, {"json": {"file": "output.wav"}}):
            for path in ("/v1/audio/transcriptions", "/transcribe", "/enhance", "/respond"):
                answer = client.post(path, params=FIELDS if "v1" in path else {}, **more)
                assert answer.status_code == 400, (path, answer.text)
                assert "'file' is the text 'output.wav', which looks like a file's name" in answer.text


def test_a_recording_in_json_as_chats_carry_it(all_scripted: Any) -> None:
    """As gateways send it: {"model", "input_audio": {"data", "format"}, "provider"}."""
    carried = {"data": base64.b64encode(TONE).decode(), "format": "pcm16"}
    body = {"model": "openai/whisper-1", "input_audio": carried, "prompt": "steps=1", "provider": {"options": {}}}
    with all_scripted.client() as client:
        heard = client.post("/v1/audio/transcriptions", json=body)
        assert heard.json()["text"] == "part 0." and heard.json()["usage"]["seconds"] == 2.0
        broken = client.post("/v1/audio/transcriptions", json={**body, "input_audio": {"format": "wav"}})
        assert client.get("/v1/models/openai/whisper-1").json()["model_name"] == "scripted-asr"
    assert broken.status_code == 400 and "'input_audio' must be an object" in broken.json()["error"]["message"]


def test_translations_are_in_english(scripted: openai.OpenAI) -> None:
    say = scripted.audio.translations.create
    answer = say(model="scripted-asr", file=("a.wav", WAV), prompt="steps=1", response_format="verbose_json")
    assert (answer.language, answer.text) == ("english", "part 0.")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"response_format": "yaml"}, "response_format' must be one of json"),
        ({"response_format": "diarized_json", "extra_body": {"diarize": "no"}}, "does not go with diarize=false"),
        ({"extra_body": {"known_speaker_names": ["Ada"]}}, "must be as many: 1 names and 0 recordings came"),
        ({"extra_body": {"max_speakers": 0.5}}, "'max_speakers' must be a whole number"),
        ({"response_format": "rttm", "stream": True}, "stream=true goes with"),
        ({"timestamp_granularities": ["letter"]}, "must be among word, segment"),
        ({"include": ["wishes"]}, "must be among logprobs"),
        ({"temperature": 3}, "'temperature' must be a number from 0 to 1"),
        ({"chunking_strategy": "now"}, "chunking_strategy"),
        ({"chunking_strategy": '{"type": "server_vad"'}, "'chunking_strategy' must be \"auto\" or an object"),
        ({"chunking_strategy": {"type": "client_vad"}}, "'type' must be one of server_vad, auto"),
        ({"chunking_strategy": {"type": "server_vad", "threshold": 7}}, "'threshold' must be a number from 0 to 1"),
        ({"stream": True, "response_format": "srt"}, "stream=true goes with"),
    ],
    ids=str,
)
def test_what_cannot_be_is_named(scripted: openai.OpenAI, options: dict[str, Any], says: str) -> None:
    with pytest.raises(openai.BadRequestError, match=says) as refused:
        hear(scripted, **options)
    assert refused.value.type == "invalid_request_error" and refused.value.code
