from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.test_families import alone, noise

from speechmlx.engines.mlx_audio.arguments import unchosen_languages
from speechmlx.engines.mlx_audio.recognition import WINDOW, spans
from speechmlx.engines.mlx_audio.results import HeardPart, HeardSpeech, heard, joined
from speechmlx.errors import BadRequest, SpeechError, Unsupported
from speechmlx.models.catalog import CATALOG
from speechmlx.types import Audio, LanguageDetected, Segment, Speak, Transcribe, Usage, Word

ROWS = {row.name: row for row in CATALOG.rows}


def test_long_recordings_are_cut_where_it_is_quiet(bridged: Load) -> None:
    audio = noise(70, 0)
    quiet = slice(25 * 16000, 26 * 16000)
    audio.samples[quiet] *= 0.001
    found = spans(Transcribe(audio=audio, vad=False), 16000)
    assert found[0][0] == 0 and found[-1][1] == pytest.approx(70)
    assert all(after[0] == before[1] for before, after in pairwise(found))
    assert max(end - start for start, end in found) <= WINDOW
    assert 25 <= found[0][1] <= 26


def test_silence_is_not_recognised(bridged: Load) -> None:
    audio = Audio(np.zeros(32000, np.float32), 16000)
    assert alone(bridged("stt/sensevoice").run(Transcribe(audio=audio))) == [Usage(audio_in=2.0)]


def test_clips_and_times(bridged: Load) -> None:
    request = Transcribe(audio=noise(6, 0), clips=((1.0, 2.5), (4.0, 5.0)), vad=False, words=True, language="en")
    events = alone(bridged("stt/sensevoice").run(request))
    segments = [event for event in events if isinstance(event, Segment)]
    assert events[0] == LanguageDetected("en", 1.0) and events[-1] == Usage(audio_in=6.0)
    assert segments[0].start >= 1.0 and segments[-1].end <= 5.0
    assert all(1.0 <= segment.start < segment.end <= 5.0 for segment in segments)


def test_words_come_where_they_are_asked_for(bridged: Load) -> None:
    engine = bridged("stt/parakeet")
    with_words, without = (
        [
            event
            for event in alone(engine.run(Transcribe(audio=noise(2, 0), words=words, vad=False)))
            if isinstance(event, Segment)
        ]
        for words in (True, False)
    )
    assert with_words and [segment.text for segment in with_words] == [segment.text for segment in without]
    assert all(segment.words for segment in with_words) and not any(segment.words for segment in without)
    words = [word for segment in with_words for word in segment.words]
    assert all(0 <= word.start <= word.end <= 2.5 for word in words)


@pytest.mark.parametrize(
    ("name", "fields", "error", "says"),
    [
        ("parakeet", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: en"),
        ("parakeet", {"task": "translate"}, Unsupported, "parakeet does not translate"),
        ("parakeet", {"audio": noise(1, 0, 8000)}, BadRequest, "hears audio at 16000 Hz, not 8000"),
        ("sensevoice", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: zh, en, yue"),
        ("nemotron_asr", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: en-US"),
        ("cohere_asr", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: en, fr, de"),
        ("fun_asr_nano", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: zh, zh-cn"),
        ("mms", {"language": "en"}, Unsupported, "mms takes no language"),
        ("qwen3_asr", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: English, Chinese"),
    ],
)
def test_bad_input(bridged: Load, name: str, fields: dict[str, Any], error: type[SpeechError], says: str) -> None:
    with pytest.raises(error, match=says):
        bridged(f"stt/{name}").run(Transcribe(**{"audio": noise(1, 0), **fields}))


def test_a_recogniser_without_a_choice_takes_the_languages_that_it_hears(bridged: Load) -> None:
    engine = bridged("stt/parakeet")
    plain, named = (
        alone(engine.run(Transcribe(audio=noise(1.5, 0), vad=False, words=True, language=language)))
        for language in (None, "English")
    )
    assert named == [LanguageDetected("en", 1.0), *plain]


@pytest.mark.parametrize(
    ("family", "vocabulary", "languages"),
    [
        ("parakeet", ["x"] * 8192, ROWS["parakeet-tdt-0.6b-v3"].languages),
        ("parakeet", ["▁a", "b", "."], ("en",)),
        ("parakeet", ["▁a", "か"], ()),
        ("voxtral_realtime", [], ROWS["voxtral-mini-4b-realtime-4bit"].languages),
        ("mms", [], ()),
    ],
)
def test_what_recognisers_without_a_choice_hear(family: str, vocabulary: list[str], languages: tuple[str, ...]) -> None:
    assert unchosen_languages(family, SimpleNamespace(vocabulary=vocabulary)) == languages


def test_other_requests(bridged: Load) -> None:
    with pytest.raises(Unsupported, match="parakeet recognises recordings; it cannot speak"):
        bridged("stt/parakeet").run(Speak(text="x"))


def token(text: str, start: float) -> SimpleNamespace:
    return SimpleNamespace(text=text, start=start, end=start + 0.1)


def test_tokens_become_words() -> None:
    tokens = [token("▁hel", 0.0), token("lo", 0.1), token(" you", 0.5), token(".", 0.6), token(" ", 0.9)]
    assert joined(tokens) == (Word(" hello", 0.0, 0.2, 1.0), Word(" you.", 0.5, 0.7, 1.0))


def test_every_form_of_a_result() -> None:
    whole = (HeardPart("hi", 0.0, 2.0),)
    assert heard("hi", 2.0).parts == heard(["hi"], 2.0).parts == whole
    assert heard(SimpleNamespace(text="hi", segments=None, language="auto"), 2.0).parts == whole
    assert heard(SimpleNamespace(text="hi", segments=[{"text": ""}], language=["de"]), 2.0).language == "de"
    parts = heard(
        SimpleNamespace(segments=[{"text": "a", "start": 0.5, "end": 1, "speaker_id": 1}, {"text": "b"}]), 2.0
    )
    assert parts.parts == (HeardPart("a", 0.5, 1.0, (), "1"), HeardPart("b", 0.0, 2.0))
    words = [{"word": " a", "start": 0.1, "end": 0.2, "probability": 0.5}]
    assert heard(SimpleNamespace(segments=[{"text": "a", "words": words}]), 2.0).parts[0].words == (
        Word(" a", 0.1, 0.2, 0.5),
    )
    rich = {"text": "<|HAPPY|><|BGM|>hi", "emotion": "happy", "event": "BGM"}
    assert heard(SimpleNamespace(segments=[rich], language="nospeech"), 2.0) == HeardSpeech(
        (HeardPart("hi", 0.0, 2.0, emotion="happy", sound="music"),)
    )
    unknown = {"text": "hi", "emotion": "token_3", "event": "unk"}
    assert heard(SimpleNamespace(segments=[unknown]), 2.0).parts == whole
    sentence = SimpleNamespace(text=" a", start=0.0, end=0.1, tokens=[token(" a", 0.0)])
    assert heard(SimpleNamespace(sentences=[sentence]), 2.0).parts[0].words == (Word(" a", 0.0, 0.1, 1.0),)


def test_granite_is_told_what_is_spoken_and_translates_only_where_that_is_asked(bridged: Load) -> None:
    engine, audio = bridged("stt/granite_speech"), noise(1, 0)
    told = engine._arguments(Transcribe(audio=audio, language="de"))
    assert told["source_language"] == "de" and "language" not in told, "its `language` is what it translates into"
    translated = engine._arguments(Transcribe(audio=audio, language="de", task="translate"))
    assert translated["language"] == "en" and "source_language" not in translated, "it takes one of them"


def test_the_time_of_the_work_is_no_time_of_the_speech(bridged: Load) -> None:
    clock = SimpleNamespace(text="a b", segments=[{"text": "a b", "start": 0.0, "end": 0.07}])
    assert heard(clock, 3.0, timed=False).parts == (HeardPart("a b", 0.0, 3.0),)
    request = Transcribe(audio=noise(1.5, 0), vad=False)
    segments = [event for event in alone(bridged("stt/qwen2_audio").run(request)) if isinstance(event, Segment)]
    assert [(segment.start, segment.end) for segment in segments] == [(0.0, 1.5)]


def test_the_name_of_a_speaker_is_no_word_of_the_text() -> None:
    told = SimpleNamespace(segments=[{"text": "[S01] a b", "start": 1.0, "end": 2.0, "speaker_id": "S01"}])
    (part,) = heard(told, 3.0).parts
    assert (part.text.strip(), part.speaker) == ("a b", "S01")
