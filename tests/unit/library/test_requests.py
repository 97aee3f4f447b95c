"""Options of calls: what they become, and what is refused before any work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.fake_engines import FakeEngines, row

from speechmlx.conversation.settings import TurnTaking
from speechmlx.errors import BadRequest, UnknownModel, UnknownVoice, Unsupported
from speechmlx.library import requests
from speechmlx.library.requests import RespondOptions, SpeakOptions, TalkOptions, TranscribeOptions
from speechmlx.models.voices import VoiceList
from speechmlx.types import Audio, Kind, NamedVoice, SpeakerOptions

VOICES = VoiceList(("anna", "ben"), {"alloy": "anna"})
ASR, TTS = row(Kind.ASR, languages=("en", "de"), rate=16000), row(Kind.TTS, voices=VOICES)
ENGINES = FakeEngines(rows=(ASR, TTS, row(Kind.LLM)))
AUDIO = Audio(np.zeros(16000, np.float32), 16000)


def transcribe(**changes: Any) -> TranscribeOptions:
    options = {"model": None, "language": None, "translate": False, "words": False, "speakers": None, "prompt": None}
    return TranscribeOptions(**{**options, "hotwords": (), **changes})


def speak(**changes: Any) -> SpeakOptions:
    options = {"text": "Hello.", "model": None, "voice": None, "language": None, "speed": 1.0, "pronunciations": ()}
    return SpeakOptions(**{**options, **changes})


def talk(**changes: Any) -> TalkOptions:
    options: dict[str, Any] = {name: None for name in ("model", "voice", "language", "max_tokens", "temperature")}
    return TalkOptions(**{**options, "instructions": "", "speed": 1.0, "turns": TurnTaking(), **changes})


def test_a_recording_s_request() -> None:
    request = transcribe(language="German", translate=True, prompt="p", hotwords=("a",), words=True).request(ASR, AUDIO)
    assert (request.model, request.language, request.task) == ("fake-asr", "de", "translate")
    assert (request.prompt, request.hotwords, request.words) == ("p", ("a",), True)
    assert transcribe(language="auto").request(ASR, AUDIO).language is None


def test_languages_and_models_are_checked_before_decoding() -> None:
    assert transcribe(language="de-AT").check(ENGINES) is ASR
    with pytest.raises(Unsupported, match=r"language 'fr' is not known to fake-asr.*it knows en, de"):
        transcribe(language="fr").check(ENGINES)
    with pytest.raises(UnknownModel, match="no asr model 'x'"):
        transcribe(model="x").check(ENGINES)
    with pytest.raises(UnknownModel, match="diarize"):
        transcribe(speakers=SpeakerOptions()).check(ENGINES)


def test_speech() -> None:
    request = speak(text=" Hello. ", voice="Alloy", language="British English", speed=2).request(TTS)
    assert (request.text, request.voice, request.language, request.speed) == (
        "Hello.",
        NamedVoice("anna"),
        "en-gb",
        2.0,
    )
    assert speak(voice=NamedVoice("ben")).request(TTS).voice == NamedVoice("ben")
    assert speak().request(TTS).voice is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": " "}, "no text to speak"),
        ({"text": None}, "no text to speak"),
        ({"speed": 5}, "speed must be a number from 0.25 to 4, not 5"),
        ({"speed": float("nan")}, "not nan"),
        ({"speed": "fast"}, "not 'fast'"),
        ({"speed": True}, "not True"),
    ],
)
def test_speech_that_cannot_be(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        speak(**changes).request(TTS)


def test_unknown_voices_are_named() -> None:
    with pytest.raises(UnknownVoice, match="no voice 'carl'; the voices are anna, ben"):
        speak(voice="carl").request(TTS)
    with pytest.raises(UnknownVoice, match="carl"):
        RespondOptions(None, "carl", None, None, 200).check(TTS)


@pytest.mark.parametrize("steps", [0, 3001, 1.5, True])
def test_answers_have_a_length(steps: Any) -> None:
    with pytest.raises(BadRequest, match="max_steps must be a whole number from 1 to 3000"):
        RespondOptions(None, None, None, None, steps).check(TTS)


def test_an_answer_of_one_model_or_of_three() -> None:
    options = RespondOptions(None, "ben", "en", "be brief", 9)
    assert options.request(None, TTS, AUDIO).model is None
    request = options.request(row(Kind.S2S), TTS, AUDIO)
    assert (request.model, request.voice, request.max_steps) == ("fake-s2s", NamedVoice("ben"), 9)


def test_listening_transcribes_only_and_times_words() -> None:
    settings = requests.listening(ENGINES, transcribe(language="de", hotwords=("a",)), TurnTaking(silence=1.0))
    assert settings.transcribes_only and settings.turns == TurnTaking(silence=1.0)
    assert settings.transcription is not None and settings.transcription.words
    assert (settings.transcription.language, settings.transcription.keywords) == ("de", ("a",))


def test_talking() -> None:
    settings = requests.talking(ENGINES, talk(voice="ben", language="de", instructions="x", max_tokens=5))
    assert settings.answers and settings.answering.voice.name == "ben" and settings.answering.voice.language == "de"
    assert settings.transcription is not None and settings.transcription.language == "de"
    assert (settings.answering.instructions, settings.answering.max_tokens) == ("x", 5)


def test_a_speech_to_speech_model_has_voices_of_its_own() -> None:
    settings = requests.talking(FakeEngines(rows=(ASR, row(Kind.S2S))), talk(voice="carl"))
    assert settings.answering.voice.name == "carl"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"model": "x"}, UnknownModel, "llm"),
        ({"voice": "carl"}, UnknownVoice, "carl"),
        ({"language": "fr"}, Unsupported, "fr"),
        ({"speed": 0}, BadRequest, "speed"),
        ({"max_tokens": 0}, BadRequest, "max_tokens must be a whole number from 1 to 4096, not 0"),
        ({"temperature": 3}, BadRequest, "temperature must be a number from 0 to 2, not 3"),
    ],
)
def test_conversations_that_cannot_be(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        requests.talking(ENGINES, talk(**changes))


def test_speakers_and_lists() -> None:
    assert requests.speakers(False) is None and requests.speakers(True) == SpeakerOptions()
    assert requests.speakers(SpeakerOptions(max_speakers=2)) == SpeakerOptions(max_speakers=2)
    assert requests.texts("hotwords", ["a", "b"]) == ("a", "b")
    with pytest.raises(BadRequest, match="hotwords is a list of texts, not the text 'ab'"):
        requests.texts("hotwords", "ab")
