from __future__ import annotations

import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.hearing_live import check_words, committed, listened, talk

from speechmlx.engines.mlx_audio.live import voxtral
from speechmlx.engines.mlx_audio.live.voxtral import delay_frames


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
