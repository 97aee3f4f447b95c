"""OpenAI's audio API with OpenAI's own client: its words on the starter models, the rest on scripted ones."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import openai
import pytest
from openai.types.audio import TranscriptionVerbose
from pydantic import TypeAdapter
from support.clips import CLIPS
from support.word_errors import word_error_rate

from speechmlx.audio.encode import MEDIA_TYPES, wav_header
from speechmlx.audio.pcm import to_pcm16
from speechmlx.languages import NAMES

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")

TEXT = "The quick brown fox jumps over the lazy dog."
TONE = to_pcm16((0.5 * np.sin(np.arange(48000) / 10)).astype(np.float32))
WAV = wav_header(16000, 48000) + TONE
FORMATS = tuple(MEDIA_TYPES)


@pytest.fixture
def talk(starter: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=f"{starter.url}/v1", max_retries=0, timeout=300) as client:
        yield client


@pytest.fixture
def scripted(server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0, timeout=60) as client:
        yield client


def hear(client: openai.OpenAI, script: str = "steps=2", **options: Any) -> Any:
    return client.audio.transcriptions.create(model="scripted-asr", file=("a.wav", WAV), prompt=script, **options)


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
        ({"response_format": "diarized_json"}, "diarization model"),
        ({"extra_body": {"known_speaker_names": ["Ada"]}}, "diarization model"),
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


# --- Speaking ----------------------------------------------------------------------------------------------------


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
        ({"stream_format": "carrier pigeon"}, "must be one of audio, sse"),
        ({"voice": 3}, "'voice' must be a string"),
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


# --- Models and errors -------------------------------------------------------------------------------------------


def test_models_are_listed_and_retrieved(scripted: openai.OpenAI) -> None:
    listed = {model.id: model for model in scripted.models.list()}
    assert {"whisper-base", "kokoro-82m", "scripted"} <= listed.keys()
    assert not [name for name in listed if name.startswith(("qwen3-tts", "cosyvoice"))]  # no engine runs them
    assert scripted.models.retrieve("whisper-base").owned_by == "speechmlx"
    with pytest.raises(openai.NotFoundError) as missing:
        scripted.models.retrieve("gpt-9")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError, match=r"cosyvoice3-0\.5b cannot run: this version has no engine for it"):
        scripted.models.retrieve("cosyvoice")


@pytest.mark.parametrize(
    ("name", "stands_for"),
    [
        ("whisper-1", "whisper-base"),
        ("gpt-4o-transcribe", "whisper-base"),
        ("gpt-4o-mini-transcribe", "whisper-base"),
        ("gpt-4o-transcribe-diarize", "whisper-base"),
        ("gpt-realtime-whisper", "whisper-base"),
        ("gpt-live-transcribe", "whisper-base"),
        ("tts-1", "kokoro-82m"),
        ("tts-1-hd", "kokoro-82m"),
        ("gpt-4o-mini-tts", "kokoro-82m"),
        ("gpt-realtime", "smollm2-135m-instruct"),
        ("gpt-realtime-mini", "smollm2-135m-instruct"),
        ("gpt-4o-realtime-preview-2025-06-03", "smollm2-135m-instruct"),
        ("local", "smollm2-135m-instruct"),
        ("kokoro", "kokoro-82m"),
        ("hexgrad/Kokoro-82M", "kokoro-82m"),
        ("Systran/faster-whisper-base.en", "whisper-base.en"),
        ("mlx-community/whisper-tiny", "whisper-tiny"),
    ],
)
def test_every_name_that_a_route_or_a_socket_takes_is_a_model(server: Any, name: str, stands_for: str) -> None:
    with server.client() as client:
        answers = [client.get(f"/v1/models/{one}") for one in (name, name.replace("/", "%2F"), f"{name}/")]
    for answer in answers:
        assert (answer.status_code, answer.json()["id"], answer.json()["model_name"]) == (200, name, stands_for)


def test_audio_models_are_those_that_hear_speak_or_enhance(server: Any) -> None:
    with server.client() as client:
        found = client.get("/v1/audio/models").json()
        listed = client.get("/v1/models").json()["data"]
    kinds = {row["kind"] for row in found["data"]}
    assert found["object"] == "list" and kinds == {"asr", "tts", "s2s", "enhance"}
    assert [row["id"] for row in found["data"]] == [row["id"] for row in listed if row["kind"] in kinds]
    # A choice of voices reads `models`, and speaks with one of them.
    speaking = [row["id"] for row in listed if row["kind"] == "tts"]
    assert [model["id"] for model in found["models"]] == speaking and "kokoro-82m" in speaking
    assert all(model["name"] for model in found["models"]) and "whisper-base" not in speaking


def test_a_repositorys_name_has_the_kind_of_its_model(scripted: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="'hexgrad/Kokoro-82M' is a tts model, not asr"):
        scripted.audio.transcriptions.create(model="hexgrad/Kokoro-82M", file=("a.wav", WAV))


def test_openais_names_stand_for_the_defaults_and_others_are_404(scripted: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"asr models: whisper-.* more \(GET /v1/models or") as missing:
        scripted.audio.transcriptions.create(model="whisper-9", file=("a.wav", WAV))
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        scripted.audio.speech.create(model="tts-9", voice="alloy", input="Yes.")


def test_errors_have_an_id_and_say_what_is_wrong(scripted: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="plain text; allowed: WAV") as refused:
        scripted.audio.transcriptions.create(model="scripted-asr", file=("a.wav", b"this is no recording at all"))
    assert refused.value.status_code == 415 and refused.value.code == "invalid_audio"
    assert refused.value.request_id and refused.value.request_id.startswith("req_")
    with pytest.raises(openai.NotFoundError, match="nothing at /v1/embeddings"):
        scripted.embeddings.create(model="x", input="y")


def test_a_failing_engine_is_a_status_before_the_first_word_and_a_broken_body_after(scripted: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="scripted to fail") as failed:
        scripted.audio.speech.create(model="scripted", voice="", input="fail=0")
    assert failed.value.status_code == 500
    with pytest.raises((httpx.RemoteProtocolError, openai.APIConnectionError)):
        _ = scripted.audio.speech.create(model="scripted", voice="", input="fail=2", response_format="pcm").content
    with pytest.raises(openai.InternalServerError, match="scripted to fail"):
        hear(scripted, "fail=0", stream=True)
    with pytest.raises(openai.APIError, match="scripted to fail"):
        list(hear(scripted, "fail=1", stream=True))


def test_client_gone_ends_the_job(server: Any, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    body = {"model": "scripted", "input": f"steps=1000 work=0.02 trace={trace}", "response_format": "mp3"}
    with server.client() as client, client.stream("POST", "/v1/audio/speech", json=body) as response:
        next(response.iter_raw())
    end = time.monotonic() + 5
    while "close" not in trace.read_text() and time.monotonic() < end:
        time.sleep(0.01)
    assert "close" in trace.read_text()
    assert trace.read_text().count("step") < 500
