from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.test_families import alone, noise

from speechmlx.engines.mlx_audio.alignment import written
from speechmlx.errors import BadRequest, ModelUnavailable, SpeechError, Unsupported
from speechmlx.types import Align, Segment, Transcribe, Usage

TEXT = "Well, “hello” there, e-mail!"


def test_each_word_has_its_time(bridged: Load) -> None:
    segment, usage = alone(bridged("stt/qwen3_forced_aligner").run(Align(audio=noise(3, 0), text=TEXT, language="en")))
    assert isinstance(segment, Segment) and usage == Usage(audio_in=3.0)
    assert [word.text for word in segment.words] == ["Well,", " “hello”", " there,", " e-mail!"]
    assert segment.text == TEXT and (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)
    assert all(0 <= word.start <= word.end <= 3 for word in segment.words)
    assert all(before.end <= after.start for before, after in pairwise(segment.words))


def test_times_are_those_of_the_package(bridged: Load) -> None:
    engine, audio = bridged("stt/qwen3_forced_aligner"), noise(3, 1)
    items = engine.checkpoint.model.generate(audio.samples, text="one two three", language="English").items
    segment = alone(engine.run(Align(audio=audio, text="one two three")))[0]
    ends = [min(item.end_time, 3.0) for item in items]
    assert [word.end for word in segment.words] == [max(ends[: place + 1]) for place in range(3)]


@pytest.mark.parametrize(
    ("text", "words", "texts"),
    [
        ("  Hi,  you. ", ["Hi", "you"], ["  Hi,", "  you. "]),
        ("你好，世界", ["你", "好", "世", "界"], ["你", "好，", "世", "界"]),
        ("don't (stop)", ["don't", "stop"], ["don't", " (stop)"]),
        ("a-b c", ["ab", "c"], ["a-b", " c"]),
        ("a", ["a"], ["a"]),
        ("ab", ["x", "b"], ["a", "b"]),
    ],
)
def test_words_as_they_are_written(text: str, words: list[str], texts: list[str]) -> None:
    assert written(text, words) == texts and "".join(texts) == text


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"text": " ... "}, BadRequest, "there is no word in the text"),
        ({"language": "sw"}, Unsupported, "language 'sw' is none of this model's: Chinese, Cantonese, English"),
        ({"language": "ja", "text": "こんにちは"}, ModelUnavailable, "in Japanese need the package 'nagisa'"),
        ({"audio": noise(1, 0, 8000)}, BadRequest, "hears audio at 16000 Hz, not 8000"),
        ({"audio": noise(9, 0)}, BadRequest, "gives times to 8 s of a recording at most; this has 9.0 s"),
    ],
)
def test_bad_input(bridged: Load, fields: dict[str, Any], error: type[SpeechError], says: str) -> None:
    with pytest.raises(error, match=says):
        bridged("stt/qwen3_forced_aligner").run(Align(**{"audio": noise(1, 0), "text": "one", **fields}))


def test_other_requests(bridged: Load) -> None:
    with pytest.raises(Unsupported, match="gives times to a text that is known, and recognises nothing"):
        bridged("stt/qwen3_forced_aligner").run(Transcribe(audio=noise(1, 0)))
    with pytest.raises(Unsupported, match="parakeet recognises recordings; it cannot align"):
        bridged("stt/parakeet").run(Align(audio=noise(1, 0), text="one"))
