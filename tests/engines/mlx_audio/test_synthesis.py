from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.test_families import alone, noise
from support.engine_runs import pcm

from speechmlx.errors import BadRequest, SpeechError, UnknownVoice, Unsupported
from speechmlx.types import Audio, Chunk, NamedVoice, ReferenceVoice, Speak, SpeakStream, Transcribe, Usage

FREYA = NamedVoice("freya")


def test_text_that_is_still_written_sounds_as_the_whole(bridged: Load) -> None:
    engine = bridged("tts/pocket_tts")
    whole = pcm(engine.run(Speak(text="Hello world. Another test!", voice=FREYA)))
    stream = engine.open(SpeakStream(voice=FREYA))
    parts = [event for piece in ("Hello wor", "ld. Ano", "ther test", "!") for event in stream.feed_text(piece)]
    assert pcm(parts)
    assert pcm([*parts, *stream.finish()]) == whole
    stream.close()


def test_usage_counts_what_came(bridged: Load) -> None:
    events = alone(bridged("tts/pocket_tts").run(Speak(text="Hello.", voice=FREYA)))
    assert events[-1] == Usage(audio_out=len(pcm(events)) / 48000, tokens_out=events[-1].tokens_out)


def test_a_chunk_comes_while_it_works(bridged: Load) -> None:
    request = Speak(text="Hello world test Another Hello world.", options={"streaming_interval": 0.08})
    assert [len(event.pcm16) for event in alone(bridged("tts/pocket_tts").run(request))[:-1]] == [3840] * 3


def test_nothing_to_say_is_a_short_silence(bridged: Load) -> None:
    events = alone(bridged("tts/pocket_tts").run(Speak(text="…")))
    assert events == [Chunk.silence(24000), Usage(audio_out=0.2)]


def test_a_seed_decides(bridged: Load) -> None:
    engine = bridged("tts/qwen3_tts")
    first, again, other = (pcm(engine.run(Speak(text="Hello.", options={"seed": seed}))) for seed in (1, 1, 2))
    assert first == again != other


def test_a_recording_is_imitated(bridged: Load) -> None:
    engine = bridged("tts/pocket_tts")
    reference = ReferenceVoice(noise(0.5, 1, 16000), "Hello.", "1")
    named, imitated = (pcm(engine.run(Speak(text="Hello world.", voice=voice))) for voice in (FREYA, reference))
    assert named != imitated
    assert pcm(engine.run(Speak(text="Hello world.", voice=reference))) == imitated


def test_a_voice_is_encoded_once(bridged: Load) -> None:
    """Its id says which it is: another recording under the same id is not looked at."""
    engine, text = bridged("tts/pocket_tts"), "Hello world. Another test!"
    first, other = noise(0.5, 2, 16000), noise(0.5, 3, 16000)

    def imitated(audio: Audio, id: str) -> bytes:
        return pcm(engine.run(Speak(text=text, voice=ReferenceVoice(audio, "", id))))

    whole = imitated(first, "first")
    assert imitated(other, "first") == whole != imitated(other, "other")
    stream = engine.open(SpeakStream(voice=ReferenceVoice(first, "", "first")))
    assert pcm([*stream.feed_text(text), *stream.finish()]) == whole
    stream.close()
    for number in range(9):
        imitated(first, f"voice {number}")
    assert len(engine.imitated._encodings) == 8
    assert imitated(other, "first") != whole  # it was the one used least lately


def test_pauses_are_silence_of_their_length(bridged: Load) -> None:
    engine, silence = bridged("tts/pocket_tts"), bytes(24000)
    plain = pcm(engine.run(Speak(text="Hello world.", voice=FREYA)))
    text = "[pause:500ms]Hello world.[pause:.25s][pause:250ms]"
    assert pcm(engine.run(Speak(text=text, voice=FREYA))) == silence + plain + silence
    stream = engine.open(SpeakStream(voice=FREYA))
    events = [event for at in range(0, len(text), 3) for event in stream.feed_text(text[at : at + 3])]
    assert pcm([*events, *stream.finish()]) == silence + plain + silence
    stream.close()
    assert alone(engine.run(Speak(text="[pause:500ms]"))) == [Chunk(silence, 24000), Usage(audio_out=0.5)]
    with pytest.raises(BadRequest, match="a pause has 10 s at most"):
        next(engine.run(Speak(text="Hello world. [pause:11s]")))


@pytest.mark.parametrize(
    ("name", "fields", "error", "says"),
    [
        ("pocket_tts", {"voice": NamedVoice("thor")}, UnknownVoice, "no voice 'thor'; the voices are Freya, Odin"),
        ("pocket_tts", {"voice": NamedVoice("/etc/passwd")}, UnknownVoice, "no voice '/etc/passwd'"),
        ("pocket_tts", {"speed": 2.0}, Unsupported, "speaks at its own speed, so speed is 1, not 2"),
        ("pocket_tts", {"speed": 9.0}, BadRequest, "speed 9 is out of range: 0.25 to 4"),
        ("pocket_tts", {"language": "de"}, Unsupported, "takes no language"),
        ("pocket_tts", {"options": {"cfg": 1}}, Unsupported, "no option 'cfg'; its options are frames_after_eos, "),
        ("pocket_tts", {"options": {"seed": -1}}, BadRequest, "seed must be a whole number from 0 to 4294967295"),
        ("pocket_tts", {"options": {"prompt_text": "x"}}, Unsupported, "no option 'prompt_text'; its options are"),
        ("voxcpm", {"voice": ReferenceVoice(noise(1, 0), " ", "x")}, BadRequest, "only with the text that is spoken"),
        ("pocket_tts", {"voice": ReferenceVoice(noise(0, 0), "", "x")}, BadRequest, "recording has no sound"),
        (
            "pocket_tts",
            {"voice": ReferenceVoice(noise(61, 0), "", "x")},
            BadRequest,
            "has 61 s; at most 60 s are heard",
        ),
        ("qwen3_tts", {"voice": NamedVoice("bob")}, UnknownVoice, "no voice 'bob'; the voices are vivian, ryan"),
        ("qwen3_tts", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: "),
        ("qwen3_tts", {"options": {"temperature": 5}}, BadRequest, "temperature 5 is out of range: 0 to 2"),
    ],
)
def test_bad_input(bridged: Load, name: str, fields: dict[str, Any], error: type[SpeechError], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)):
        alone(bridged(f"tts/{name}").run(Speak(text="Hello.", **fields)))


def test_other_requests(bridged: Load) -> None:
    engine = bridged("tts/pocket_tts")
    with pytest.raises(Unsupported, match="pocket_tts speaks; it cannot transcribe"):
        engine.run(Transcribe(audio=noise(1, 0)))
    with pytest.raises(Unsupported, match="it cannot speak"):
        engine.open(Speak(text="x"))
    with pytest.raises(BadRequest, match="no word"):
        alone(engine.run(Speak(text=" ")))


def test_named_voices_and_languages_reach_the_model(bridged: Load) -> None:
    engine = bridged("tts/qwen3_tts")
    found = [
        np.frombuffer(pcm(engine.run(Speak(text="Hello.", voice=NamedVoice(voice), language=language))), "<i2")
        for voice, language in (("Vivian", "en"), ("ryan", "en"), ("ryan", "zh"))
    ]
    assert not np.array_equal(found[0], found[1]) and not np.array_equal(found[1], found[2])
