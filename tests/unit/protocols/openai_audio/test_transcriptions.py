"""Fields of /v1/audio/transcriptions: merged, as lists, and as settings."""

from __future__ import annotations

from typing import Any

import pytest

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.protocols.openai_audio.transcriptions import (
    LISTS,
    merge_fields,
    read_form,
    read_response_options,
    several,
)


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
    assert merge_fields(Body(dict(form), None, form)) == found


def test_kwargs_that_are_null_are_not_there() -> None:
    found = merge_fields(Body({"kwargs": '{"temperature": null, "language": "en", "seed": null}'}))
    assert found["language"] == "en" and "temperature" not in found


@pytest.mark.parametrize("kwargs", ["[]", "{", "7", '{"speed": 2}', "[" * 100_000])
def test_kwargs_that_recognition_does_not_know(kwargs: str) -> None:
    with pytest.raises(BadRequest, match=r"kwargs|more than 100 lists"):
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


def test_blank_fields_are_those_that_were_not_sent() -> None:
    names = ("response_format", "stream", "temperature", "language", "prompt", "chunking_strategy", *LISTS)
    blank = dict.fromkeys(names, " ")
    assert read_response_options(blank) == read_response_options({})
    assert read_form(blank, read_response_options(blank)) == read_form({}, read_response_options({}))
