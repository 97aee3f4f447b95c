"""What OpenAI's routes read and write, by tables."""

from __future__ import annotations

import math
from typing import Any

import pytest

from speechmlx.errors import BadRequest, TooLarge, Unsupported
from speechmlx.languages import NAMES, TAGS, name
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.protocols.openai_audio.decoding_fields import read_decoding
from speechmlx.protocols.openai_audio.formats import as_verbose
from speechmlx.protocols.openai_audio.speech import read_extras, read_input, read_voice
from speechmlx.protocols.openai_audio.transcriptions import (
    LISTS,
    merge_fields,
    read_form,
    read_response_options,
    several,
)
from speechmlx.recognition import RecognitionResult
from speechmlx.types import LanguageDetected, Segment


def test_verbose_names_the_language_as_openai_does() -> None:
    result = RecognitionResult(10.0, "transcribe", LanguageDetected("fr", 0.8), [Segment(" Oui.", 0.0, 1.5, 0.9)])
    answer = as_verbose(result, ())
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
def test_fields_are_merge_fields(form: tuple[tuple[str, str], ...], found: dict[str, Any]) -> None:
    assert merge_fields(Body(dict(form), None, form)) == found


def test_kwargs_that_are_null_are_not_there() -> None:
    found = merge_fields(Body({"kwargs": '{"temperature": null, "language": "en", "seed": null}'}))
    assert found["language"] == "en" and "temperature" not in found


@pytest.mark.parametrize("kwargs", ["[]", "{", "7", '{"speed": 2}', "[" * 100_000])
def test_kwargs_that_recognition_does_not_know(kwargs: str) -> None:
    with pytest.raises(BadRequest, match="kwargs"):
        merge_fields(Body({"kwargs": kwargs}))


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
    wanted = read_response_options({"timestamp_granularities": ["word"], "include": "logprobs", "stream": "true"})
    assert wanted.stream and wanted.logprobs and wanted.granularities == ("word",)
    form = read_form({"temperature": "0.4", "languages": ["German", "en-GB"], "prompt": "p", "keywords": ["k"]}, wanted)
    assert form == TranscriptionForm(
        language=None,
        languages=("de", "en"),
        prompt="p",
        hotwords=("k",),
        words=True,
        logprobs=True,
        temperatures=(0.4,),
    )
    assert read_form({"temperature": 0}, wanted).temperatures == TranscriptionForm().temperatures
    decoding = {"beam_size": "5", "prefix": "So", "condition_on_previous_text": "true", "vad_filter": "0"}
    form = read_form({**decoding, "clip_timestamps": "0,2.5,8,11", "suppress_tokens": [-1, 7]}, wanted)
    assert form.beam_size == 5 and form.prefix == "So" and form.vad is False
    assert form.condition_on_previous_text and form.suppress_tokens == (-1, 7)
    assert form.clips == ((0.0, 2.5), (8.0, 11.0))
    for wrong in ({"beam_size": 0}, {"beam_size": "x"}, {"suppress_tokens": "a"}):
        with pytest.raises(BadRequest, match=next(iter(wrong))):
            read_form(wrong, wanted)
    with pytest.raises(Unsupported, match="diarization"):
        read_response_options({"response_format": "diarized_json"})


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
    form = read_decoding({"clip_timestamps": given}, TranscriptionForm())
    assert form == TranscriptionForm(clips=tuple(clips or ()))


@pytest.mark.parametrize(
    "given", ["5,0", "-1", "-1,3", "8,11,3", "3,3", "nan", "inf", "0,4,2,6", "one", [[0, 5]], [{}]]
)
def test_clips_that_do_not_ascend(given: Any) -> None:
    with pytest.raises(BadRequest, match=r"'clip_timestamps' must be .* not "):
        read_decoding({"clip_timestamps": given}, TranscriptionForm())


@pytest.mark.parametrize(
    "name", ["beam_size", "prefix", "condition_on_previous_text", "vad_filter", "clip_timestamps", "suppress_tokens"]
)
def test_a_blank_setting_is_the_default(name: str) -> None:
    for blank in ("", " ", None):
        assert read_decoding({name: blank}, TranscriptionForm()) == TranscriptionForm()


def test_blank_fields_are_those_that_were_not_sent() -> None:
    names = ("response_format", "stream", "temperature", "language", "prompt", "chunking_strategy", *LISTS)
    blank = dict.fromkeys(names, " ")
    assert read_response_options(blank) == read_response_options({})
    assert read_form(blank, read_response_options(blank)) == read_form({}, read_response_options({}))


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
