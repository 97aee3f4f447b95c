from __future__ import annotations

from typing import Any
from weakref import WeakSet

import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.hearing_live import check_words, committed, listened, steps, talk
from support.claimed_memory import check_job_refused, check_no_claim, check_refused

from speechmlx.engines import Claiming
from speechmlx.engines.mlx_audio import package
from speechmlx.engines.mlx_audio.live import voxtral
from speechmlx.engines.mlx_audio.live.voxtral import delay_frames
from speechmlx.engines.mlx_audio.recognition import Recognizer
from speechmlx.types import Audio, Listen, Transcribe, Usage


def said(engine: object, samples: np.ndarray, **fields: object) -> str:
    return "".join(word.text for word in committed(listened(engine, samples, 3000, **fields)))


@pytest.mark.parametrize("delay", [0.48, 0.16])
def test_live_words_are_those_of_the_packages_session(bridged: Load, delay: float) -> None:
    """Also with a delay of its own, beside streams with another."""
    engine, samples = bridged("stt/voxtral_realtime"), talk(2.4)
    session = engine.checkpoint.model.create_streaming_session(transcription_delay_ms=round(1000 * delay))
    session.feed(samples)
    session.close()
    expected = ""
    while not session.done:
        expected += "".join(session.step(max_decode_tokens=8))
    assert len(session.generated) > 30 and expected.strip()
    assert said(engine, samples, delay=delay).strip() == expected.strip()


def test_a_session_ends_and_the_next_goes_on(bridged: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame of sound has one token, whatever the sessions: none is heard twice, and none is left out."""
    engine, samples = bridged("stt/voxtral_realtime"), talk(4.0)
    counts: list[int] = []
    real = voxtral.VoxtralStream._restart

    def restart(self: voxtral.VoxtralStream, last: bool) -> None:
        counts.append(self._session.count)
        real(self, last)
        assert self._begin == sum(counts)

    monkeypatch.setattr(voxtral.VoxtralStream, "_restart", restart)
    monkeypatch.setattr(voxtral, "LONGEST", 12)
    events = listened(engine, samples)
    check_words(events, 4.0)
    assert len(counts) >= 3 and max(counts) <= 12 and sum(counts) + 12 >= 50


@pytest.mark.parametrize(
    ("delay", "frames"), [(0.0, 1), (0.08, 1), (0.48, 6), (1.2, 15), (1.3, 15), (2.4, 30), (2.0, 30), (60.0, 30)]
)
def test_delays_that_the_models_know(delay: float, frames: int) -> None:
    assert delay_frames(delay) == frames


def cached(stream: object) -> int:
    """Bytes of the keys and values of a stream now."""
    session = stream._session  # type: ignore[attr-defined]
    caches = [*(session._cache or ()), *(cache for stage in session._stages for cache in getattr(stage, "_caches", ()))]
    return sum(cache.nbytes for cache in caches)


@pytest.mark.parametrize(("longest", "delay"), [(40, 0.48), (12, 2.4), (3000, 0.08)])
def test_keys_and_values_are_counted_before_they_are_there(
    bridged: Load, monkeypatch: pytest.MonkeyPatch, longest: int, delay: float
) -> None:
    monkeypatch.setattr(voxtral, "LONGEST", longest)
    engine, samples = bridged("stt/voxtral_realtime"), talk(5.0)
    assert isinstance(engine, Claiming)
    assert isinstance(engine, Recognizer) and engine.held == 0
    streams = [engine.open(Listen(delay=delay)) for _ in range(2)]
    assert engine.held == 2 * streams[0].held > 0
    most = 0
    for _ in steps(streams[0], samples, 4000):
        most = max(most, cached(streams[0]))
    assert 0.1 * streams[0].held < most <= streams[0].held
    for stream in streams:
        stream.close()
    assert engine.held == 0


def test_a_stream_without_room_is_refused_with_the_numbers(bridged: Load) -> None:
    engine = bridged("stt/voxtral_realtime")
    stream = engine.open(Listen())
    says = r"a live stream takes \d+ MB with voxtral_realtime, .* \(--memory-limit\)"
    check_refused(engine, lambda: engine.open(Listen()), says)
    stream.close()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of all keys and values of the package, after each time that they grew."""
    family = package.inside("stt", "voxtral_realtime", "decoder")
    alive, sizes, real = WeakSet[Any](), list[int](), family.RotatingKVCache.update_and_fetch

    def update(self: Any, *new: Any) -> Any:
        alive.add(self)
        given = real(self, *new)
        sizes.append(sum(cache.nbytes for cache in alive))
        return given

    monkeypatch.setattr(family.RotatingKVCache, "update_and_fetch", update)
    return sizes


@pytest.mark.parametrize("seconds", [0.05, 2.0, 9.0, 40.0])
def test_a_recording_claims_its_keys_and_values(bridged: Load, seen: list[int], seconds: float) -> None:
    engine = bridged("stt/voxtral_realtime")
    job = engine.run(Transcribe(audio=Audio(talk(seconds), 16000), vad=False))
    claimed = engine.held
    assert claimed == voxtral.recording_bytes(engine.checkpoint.model, max(0.1, min(30.0, seconds)))
    other = engine.run(Transcribe(audio=Audio(talk(1.0), 16000), vad=False))
    assert engine.held > claimed, "before the first step"
    other.close()
    del other
    assert engine.held == claimed
    next(job)
    assert engine.held == claimed
    assert isinstance(list(job)[-1], Usage)
    assert engine.held == 0
    assert 0.4 * claimed < max(seen) <= claimed


def test_a_recording_without_room_is_refused_with_the_numbers(bridged: Load) -> None:
    engine = bridged("stt/voxtral_realtime")
    says = r"a recording of 2 s takes \d+ MB with voxtral_realtime, and .* 0 MB"
    check_job_refused(engine, Transcribe(audio=Audio(talk(2.0), 16000), vad=False), says)


def test_other_families_claim_nothing(bridged: Load) -> None:
    engine = bridged("stt/parakeet")
    request = Transcribe(audio=Audio(talk(1.0), 16000), vad=False)
    check_no_claim(engine, lambda: engine.run(request))
