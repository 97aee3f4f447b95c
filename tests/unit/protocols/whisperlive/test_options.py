"""The first message of a WhisperLive client: what it may say, and what each mistake is called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.settings import TurnTaking
from speechmlx.errors import BadRequest
from speechmlx.protocols.whisperlive.options import ClientOptions, KnownVoice, read_options, read_uid

STOCK: dict[str, Any] = {
    "uid": "u",
    "language": None,
    "task": "transcribe",
    "model": "small",
    "use_vad": True,
    "send_last_n_segments": 10,
    "no_speech_thresh": 0.45,
    "clip_audio": False,
    "same_output_threshold": 10,
    "enable_translation": False,
    "target_language": "fr",
    "hotwords": None,
    "enable_diarization": False,
    "max_speakers": 10,
    "known_speakers": [],
    "word_timestamps": False,
    "initial_prompt": None,
    "vad_parameters": None,
}
"""The message of the clients of whisper-live 0.10.0."""


def test_the_stock_message_and_one_with_a_uid_alone_say_the_same() -> None:
    assert read_options(STOCK) == ClientOptions(uid="u", model="small")
    older = {"uid": "u", "max_clients": 4, "max_connection_time": 600, "anything": [1]}
    assert read_options(older) == ClientOptions(uid="u")


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"language": "German"}, "language", "de"),
        ({"task": "translate"}, "task", "translate"),
        ({"send_last_n_segments": 3}, "last_segments", 3),
        ({"same_output_threshold": 0}, "repeats", 0),
        ({"target_language": "bg"}, "target_language", None),
        ({"enable_translation": True}, "target_language", "fr"),
        ({"enable_translation": True, "target_language": "bg-BG"}, "target_language", "bg"),
        ({"hotwords": "Ljubljana, Soniqo"}, "hotwords", ("Ljubljana", "Soniqo")),
        ({"hotwords": ["MLX"]}, "hotwords", ("MLX",)),
        ({"initial_prompt": "Names."}, "prompt", "Names."),
        ({"word_timestamps": True}, "word_times", True),
        ({"enable_diarization": True}, "max_speakers", 10),
        ({"enable_diarization": True, "max_speakers": 2}, "max_speakers", 2),
        ({"known_speakers": [{"name": "Ann", "audio_base64": "AA=="}]}, "known", (KnownVoice("Ann", "AA=="),)),
        ({"audio_format": "int16"}, "format", AudioFormat("pcm16", 16000)),
        ({"audio_format": "uint8"}, "format", AudioFormat("uint8", 16000)),
        ({"use_vad": False}, "turns", TurnTaking(threshold=0.2, answers=False)),
        (
            {"vad_parameters": {"threshold": 0.6, "min_silence_duration_ms": 800, "speech_pad_ms": 100, "more": 1}},
            "turns",
            TurnTaking(threshold=0.6, silence=0.8, prefix=0.1, answers=False),
        ),
        ({"vad_parameters": {"onset": 0.4}}, "turns", TurnTaking(threshold=0.4, answers=False)),
    ],
)
def test_each_option(fields: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(read_options({"uid": "u", **fields}), name) == value


def test_who_names_speakers_wants_them_told_apart() -> None:
    known = [{"name": str(number), "audio_base64": "AA=="} for number in range(3)]
    assert read_options({"uid": "u", "known_speakers": known, "max_speakers": 1}).max_speakers == 3


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"uid": None}, "'uid' must be a string"),
        ({"uid": ""}, "'uid' must be a string"),
        ({"uid": "u" * 257}, "'uid' must be a string of 1 to 256"),
        ({"uid": {}}, "'uid' must be a string"),
        ({"language": 1}, "'language' must be a string"),
        ({"task": "sing"}, "'task' must be one of transcribe, translate"),
        ({"model": []}, "'model' must be a string"),
        ({"use_vad": "maybe"}, "'use_vad' must be true or false"),
        ({"send_last_n_segments": 0}, "'send_last_n_segments' must be a number from 1"),
        ({"no_speech_thresh": 2}, "'no_speech_thresh' must be a number from 0 to 1"),
        ({"clip_audio": 3}, "'clip_audio' must be true or false"),
        ({"same_output_threshold": "x"}, "'same_output_threshold' must be a number"),
        ({"enable_translation": True, "target_language": "klingon"}, "'target_language' must be a language code"),
        ({"hotwords": [1]}, "'hotwords' must be a string"),
        ({"max_speakers": 0}, "'max_speakers' must be a number from 1"),
        ({"known_speakers": {}}, "'known_speakers' must be a list"),
        ({"known_speakers": [{"name": "Ann"}]}, "'known_speakers[0]' must have"),
        ({"known_speakers": [{}] * 17}, "at most 16"),
        ({"word_timestamps": "x"}, "'word_timestamps' must be true or false"),
        ({"initial_prompt": 1}, "'initial_prompt' must be a string"),
        ({"vad_parameters": [1]}, "'vad_parameters' must be an object"),
        ({"vad_parameters": {"threshold": 7}}, "'vad_parameters': 'threshold' must be a number from 0 to 1"),
        ({"audio_format": "mp3"}, "'audio_format' must be one of float32, int16, uint8"),
    ],
)
def test_a_mistake_is_called_by_its_name(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest) as raised:
        read_options({"uid": "u", **fields})
    assert words in str(raised.value)


@pytest.mark.parametrize("message", ["", "{", "[1]", b"\xff\xfe", "7", "[" * 100_000])
def test_a_first_message_that_is_no_object(message: str | bytes) -> None:
    with pytest.raises(BadRequest, match=r"the first message is not|more than 100 lists"):
        read_uid(message)


def test_the_uid_is_known_for_errors() -> None:
    sent: tuple[Any, ...] = ("a", 7, None, True, [])
    assert [read_uid(json.dumps({"uid": uid}))[0] for uid in sent] == ["a", 7, None, None, None]
