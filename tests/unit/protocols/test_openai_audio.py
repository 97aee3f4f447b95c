"""What OpenAI's routes read and write, by tables."""

from __future__ import annotations

import math
from typing import Any

import pytest

from speechmlx.errors import BadRequest, TooLarge, Unsupported
from speechmlx.languages import NAMES, TAGS, name
from speechmlx.protocols.http.model_names import OPENAI
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.transcript_formats import Transcript, as_srt, as_vtt, clock
from speechmlx.protocols.openai_audio.decoding_fields import read_decoding
from speechmlx.protocols.openai_audio.formats import as_verbose
from speechmlx.protocols.openai_audio.speech import read_extras, read_input, read_voice
from speechmlx.protocols.openai_audio.transcriptions import LISTS, merged, read_settings, read_wanted, several
from speechmlx.types import Kind, LanguageDetected, Segment


def heard(*texts: str) -> Transcript:
    segments = [Segment(text, float(number), number + 1.5, 0.9) for number, text in enumerate(texts)]
    return Transcript(10.0, "transcribe", LanguageDetected("fr", 0.8), segments)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00,000"),
        (0.0004, "00:00:00,000"),
        (59.9996, "00:01:00,000"),
        (3661.5, "01:01:01,500"),
        (360000, "100:00:00,000"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds, ",") == text


def test_srt_and_vtt() -> None:
    both = heard(" One & two.", " a\nb --> c")
    assert as_srt(both) == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne & two.\n\n2\n00:00:01,000 --> 00:00:02,500\na b -> c\n"
    )
    assert as_vtt(both) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne &amp; two.\n\n00:00:01.000 --> 00:00:02.500\na b -> c\n"
    )
    assert as_srt(heard()) == "" and as_vtt(heard()) == "WEBVTT\n"


def test_verbose_names_the_language_as_openai_does() -> None:
    answer = as_verbose(heard(" Oui."), ())
    assert (answer["language"], answer["text"], answer["task"]) == ("french", "Oui.", "transcribe")
    assert "words" not in answer and answer["segments"][0]["id"] == 0
    assert name("xx") == "xx" and name(None) == "unknown" and TAGS["cantonese"] == "yue" and len(NAMES) == 100


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ((("a", "1"), ("a", "2")), {"a": "2"}),
        ((("include[]", "logprobs"),), {"include": ["logprobs"]}),
        ((("include", "x"), ("include", "y")), {"include": ["x", "y"]}),
        ((("languages[]", "en"), ("languages", "fr")), {"languages": ["en", "fr"]}),
        (
            (("chunking_strategy[type]", "server_vad"), ("chunking_strategy[threshold]", "0.5")),
            {"chunking_strategy": {"type": "server_vad", "threshold": "0.5"}},
        ),
        ((("include[0]", "x"), ("include[1]", "y")), {"include": ["x", "y"]}),
        ((("timestamp_granularities", '["word"]'),), {"timestamp_granularities": ['["word"]']}),
        (
            (("kwargs", '{"language": "en"}'), ("model", "m")),
            {"kwargs": '{"language": "en"}', "language": "en", "model": "m"},
        ),
    ],
)
def test_fields_are_merged(form: tuple[tuple[str, str], ...], found: dict[str, Any]) -> None:
    assert merged(Body(dict(form), None, form)) == found


def test_kwargs_that_are_null_are_not_there() -> None:
    found = merged(Body({"kwargs": '{"temperature": null, "language": "en", "seed": null}'}))
    assert found["language"] == "en" and "temperature" not in found


@pytest.mark.parametrize("kwargs", ["[]", "{", "7", '{"speed": 2}', "[" * 100_000])
def test_kwargs_that_recognition_does_not_know(kwargs: str) -> None:
    with pytest.raises(BadRequest, match="kwargs"):
        merged(Body({"kwargs": kwargs}))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, ()),
        ("a", ("a",)),
        ("a, b,", ("a", "b")),
        (["a", "b,c"], ("a", "b", "c")),
        ([], ()),
        ("", ()),
        (" ", ()),
        ('["a", "b,c"]', ("a", "b,c")),
        (['["a"]', "b"], ("a", "b")),
        (" [] ", ()),
    ],
)
def test_lists(value: Any, found: tuple[str, ...]) -> None:
    assert several({"x": value}, "x") == found


@pytest.mark.parametrize("value", [7, [7], {"a": 1}, [["a"]], "[7]"])
def test_what_is_no_list(value: Any) -> None:
    with pytest.raises(BadRequest, match="list of strings"):
        several({"x": value}, "x")


def test_lists_of_some_words_are_in_any_case() -> None:
    assert several({"x": ["Word", "SEGMENT"]}, "x", ("word", "segment")) == ("word", "segment")
    with pytest.raises(BadRequest, match="'x' must be among word, segment, not 'char'"):
        several({"x": '["word", "char"]'}, "x", ("word", "segment"))
    with pytest.raises(BadRequest, match="'x' is not valid JSON"):
        several({"x": '["word"'}, "x", ("word", "segment"))


def test_settings() -> None:
    wanted = read_wanted({"timestamp_granularities": ["word"], "include": "logprobs", "stream": "true"})
    assert wanted.stream and wanted.logprobs and wanted.granularities == ("word",)
    settings = read_settings(
        {"temperature": "0.4", "languages": ["German", "en-GB"], "prompt": "p", "keywords": ["k"]}, wanted
    )
    assert settings == {
        "language": None,
        "languages": ("de", "en"),
        "prompt": "p",
        "hotwords": ("k",),
        "words": True,
        "logprobs": True,
        "temperatures": (0.4,),
    }
    assert "temperatures" not in read_settings({"temperature": 0}, wanted)
    decoding = {"beam_size": "5", "prefix": "So", "condition_on_previous_text": "true", "vad_filter": "0"}
    settings = read_settings({**decoding, "clip_timestamps": "0,2.5,8,11", "suppress_tokens": [-1, 7]}, wanted)
    assert settings["beam_size"] == 5 and settings["prefix"] == "So" and settings["vad"] is False
    assert settings["condition_on_previous_text"] and settings["suppress_tokens"] == (-1, 7)
    assert settings["clips"] == ((0.0, 2.5), (8.0, 11.0))
    for wrong in ({"beam_size": 0}, {"beam_size": "x"}, {"suppress_tokens": "a"}):
        with pytest.raises(BadRequest, match=next(iter(wrong))):
            read_settings(wrong, wanted)
    with pytest.raises(Unsupported, match="diarization"):
        read_wanted({"response_format": "diarized_json"})


@pytest.mark.parametrize(
    ("given", "clips"),
    [
        ("0", [(0, math.inf)]),
        (0, [(0, math.inf)]),
        ("0,2.5", [(0, 2.5)]),
        ("0,2.5,8", [(0, 2.5), (8, math.inf)]),
        ("[0, 2.5, 2.5, 11]", [(0, 2.5), (2.5, 11)]),
        ([3], [(3, math.inf)]),
        (" ", None),
        (None, None),
    ],
)
def test_the_last_clip_may_be_open(given: Any, clips: list[tuple[float, float]] | None) -> None:
    found = read_decoding({"clip_timestamps": given})
    assert found == ({} if clips is None else {"clips": tuple(clips)})


@pytest.mark.parametrize(
    "given", ["5,0", "-1", "-1,3", "8,11,3", "3,3", "nan", "inf", "0,4,2,6", "one", [[0, 5]], [{}]]
)
def test_clips_that_do_not_ascend(given: Any) -> None:
    with pytest.raises(BadRequest, match=r"'clip_timestamps' must be .* not "):
        read_decoding({"clip_timestamps": given})


@pytest.mark.parametrize(
    "name", ["beam_size", "prefix", "condition_on_previous_text", "vad_filter", "clip_timestamps", "suppress_tokens"]
)
def test_a_blank_setting_is_the_default(name: str) -> None:
    assert read_decoding({name: ""}) == read_decoding({name: " "}) == read_decoding({name: None}) == {}


def test_blank_fields_are_those_that_were_not_sent() -> None:
    names = ("response_format", "stream", "temperature", "language", "prompt", "chunking_strategy", *LISTS)
    blank = dict.fromkeys(names, " ")
    assert read_wanted(blank) == read_wanted({})
    assert read_settings(blank, read_wanted(blank)) == read_settings({}, read_wanted({}))


@pytest.mark.parametrize(
    ("kind", "name", "known"),
    [
        (Kind.ASR, "whisper-1", True),
        (Kind.ASR, "gpt-4o-mini-transcribe-2025-12-15", True),
        (Kind.ASR, "gpt-transcribe", True),
        (Kind.ASR, "whisper-large-v3", False),
        (Kind.TTS, "tts-1-hd", True),
        (Kind.TTS, "gpt-4o-mini-tts", True),
        (Kind.TTS, "tts-11", False),
    ],
)
def test_names_that_are_openais(kind: Kind, name: str, known: bool) -> None:
    assert bool(OPENAI[kind].fullmatch(name)) is known


def test_voice_input_and_extras() -> None:
    assert read_voice({"voice": {"id": "v"}}) == read_voice({"voice": "v"}) == "v"
    assert read_voice({"voice": ""}) is None and read_voice({}) is None
    assert read_input({"input": " hi "}, 2) == "hi" and read_input({"input": "long"}, 0) == "long"
    with pytest.raises(TooLarge):
        read_input({"input": "long"}, 3)
    given = '{"instruct": "slow", "speaker": "v", "x": null}'
    assert read_extras({"kwargs": given}) == {"instruct": "slow", "voice": "v"}
    assert read_extras({"kwargs": ""}) == read_extras({}) == {}
    with pytest.raises(BadRequest, match="JSON object"):
        read_extras({"kwargs": "seed=1"})
