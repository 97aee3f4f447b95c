"""Every family that hears live, on tiny random weights: its words come once, whatever the pieces and the company."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.hearing_live import check_words, committed, held, listened, steps, talk
from engines.mlx_audio.test_families import interleaved
from support import heap

from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.live import LIVE, parakeet, voxtral
from speechmlx.errors import BadAudio, SpeechError, Unsupported
from speechmlx.models.bridge import families
from speechmlx.types import DiarizeStream, LanguageDetected, Listen, Usage


def test_the_table_says_which_hear_live() -> None:
    assert {family.name for family in families.FAMILIES if (family.part, family.works) == ("stt", "live")} == set(LIVE)


@pytest.mark.parametrize("name", LIVE)
def test_the_size_of_the_pieces_says_nothing(bridged: Load, name: str) -> None:
    engine, samples = bridged(f"stt/{name}"), talk(3.3)
    whole = listened(engine, samples, len(samples))
    check_words(whole, 3.3)
    assert listened(engine, samples, 777) == whole
    assert listened(engine, samples, 16001) == whole


@pytest.mark.parametrize("name", LIVE)
def test_streams_of_one_model_do_not_meet(bridged: Load, every_layer: None, name: str) -> None:
    engine, sounds = bridged(f"stt/{name}"), [talk(2.1, seed) for seed in (0, 1)]
    lone = [listened(engine, sound, 4000) for sound in sounds]
    assert committed(lone[0]) != committed(lone[1])
    streams = [engine.open(Listen()) for _ in sounds]
    assert interleaved([steps(stream, sound, 4000) for stream, sound in zip(streams, sounds, strict=True)]) == lone
    for stream in streams:
        stream.close()


@pytest.mark.parametrize(("name", "seconds"), [("nemotron_asr", 16), ("parakeet", 9), ("voxtral_realtime", 10)])
def test_a_stream_holds_no_more_with_time(
    bridged: Load, name: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voxtral, "LONGEST", 40)
    for limit, seconds_kept in (("LONGEST", 3.0), ("KEPT", 1.5), ("BEFORE", 0.5)):
        monkeypatch.setattr(parakeet, limit, seconds_kept)
    engine, samples = bridged(f"stt/{name}"), talk(seconds)
    stream = engine.open(Listen())
    sizes = []
    for first in range(0, len(samples), 8000):
        for _ in stream.feed(samples[first : first + 8000]):
            pass
        sizes.append(held(stream))
    stream.close()
    assert max(sizes[len(sizes) // 2 :]) <= 1.1 * max(sizes[: len(sizes) // 2])


@pytest.mark.parametrize("name", LIVE)
def test_a_closed_stream_leaves_nothing(bridged: Load, every_layer: None, name: str) -> None:
    engine, samples = bridged(f"stt/{name}"), talk(2.1)
    whole = listened(engine, samples)

    def begun_and_closed() -> None:
        stream = engine.open(Listen())
        job = stream.feed(samples)
        for _ in zip(range(3), job, strict=False):
            pass
        job.close()
        stream.close()

    begun_and_closed()
    before = heap.settle()
    for _ in range(3):
        begun_and_closed()
    made = heap.made_since()
    assert len(made) + gc.get_freeze_count() <= before + 100
    assert not any(isinstance(found, cooperative._Job) for found in made)
    assert listened(engine, samples) == whole


@pytest.mark.parametrize("name", LIVE)
def test_short_and_empty_streams(bridged: Load, name: str) -> None:
    engine = bridged(f"stt/{name}")
    assert listened(engine, np.zeros(0, np.float32)) == [Usage(audio_in=0.0)]
    assert listened(engine, talk(0.01))[-1] == Usage(audio_in=0.01)


@pytest.mark.parametrize(
    ("name", "fields", "error", "says"),
    [
        *((name, {"task": "translate"}, Unsupported, f"{name} does not translate") for name in LIVE),
        ("nemotron_asr", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: en-US"),
        ("parakeet", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: en"),
        ("voxtral_realtime", {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: en, fr, es"),
        ("sensevoice", {}, Unsupported, r"no words while a person speaks; of mlx-audio's families these do: nemotron"),
    ],
)
def test_bad_requests(bridged: Load, name: str, fields: dict[str, Any], error: type[SpeechError], says: str) -> None:
    with pytest.raises(error, match=says):
        bridged(f"stt/{name}").open(Listen(**fields))


@pytest.mark.parametrize("name", LIVE)
def test_a_language_is_told_first(bridged: Load, name: str) -> None:
    engine, samples = bridged(f"stt/{name}"), talk(2.1)
    plain, named = listened(engine, samples), listened(engine, samples, language="English")
    assert [event for event in named if isinstance(event, LanguageDetected)] == [LanguageDetected("en", 1.0)]
    if name != "nemotron_asr":  # it hears a language as it is told to
        assert named == [LanguageDetected("en", 1.0), *plain]


@pytest.mark.parametrize("name", LIVE)
def test_bad_sound(bridged: Load, name: str) -> None:
    stream = bridged(f"stt/{name}").open(Listen())
    for bad in (np.array([0.0, np.nan], np.float32), np.zeros((2, 2), np.float32)):
        with pytest.raises(BadAudio, match="one channel of finite samples"):
            list(stream.feed(bad))
    stream.close()
    with pytest.raises(Unsupported, match="recognises speech; it cannot diarizestream"):
        bridged(f"stt/{name}").open(DiarizeStream())
