"""What is worth decoding, from loudness alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.audio.loudness_vad import (
    FRAME,
    PAD,
    inside,
    is_sound,
    levels,
    loud,
    speech_levels,
    speech_spans,
    windows,
)

RATE = 16_000


def talk(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades four times a second, as syllables do."""
    time = np.arange(round(seconds * RATE)) / RATE
    swell = np.maximum(0.02, np.sin(2 * np.pi * 4 * time)) ** 2
    return (0.2 * swell * np.random.default_rng(seed).standard_normal(len(time))).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def tone(frequency: float, seconds: float = 1, level: float = 1) -> np.ndarray:
    return (level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_levels_are_decibels_of_full_scale() -> None:
    assert levels(tone(1000), RATE) == pytest.approx(np.full(50, -3.01), abs=0.2)
    assert levels(tone(1000, level=0.1), RATE) == pytest.approx(np.full(50, -23.01), abs=0.2)
    assert len(levels(np.zeros(1, np.float32), RATE)) == 1
    assert not is_sound(levels(np.zeros(RATE, np.float32), RATE)) and is_sound(levels(tone(1000, level=1e-5), RATE))


@pytest.mark.parametrize("frequency", [0, 3, 15, 30, 50, 60, 100, 120, 150, 180])
def test_levels_leave_out_what_lies_under_speech(frequency: float) -> None:
    low = np.ones(RATE, np.float32) if frequency == 0 else tone(frequency)
    assert speech_levels(low, RATE).max() < -40
    assert frequency > 60 or levels(low, RATE).max() < -40


@pytest.mark.parametrize("low", [np.ones(10 * RATE), tone(15, 10), tone(50, 10), tone(60, 10), tone(120, 10)])
@pytest.mark.parametrize("loudness", [1.0, 0.05])
def test_speech_is_found_over_offset_rumble_and_hum(low: np.ndarray, loudness: float) -> None:
    found = speech_spans(speech_levels((loudness * talk(10) + 0.2 * low).astype(np.float32), RATE))
    assert sum(end - start for start, end in found) > 9


@pytest.mark.parametrize("decibels", [-30, -50, -70, -90])
def test_quiet_speech_is_found(decibels: float) -> None:
    quiet = np.concatenate([silence(3), talk(4), silence(3)]) * np.float32(10 ** (decibels / 20))
    (span,) = speech_spans(levels(quiet, RATE))
    assert span == pytest.approx((3 - PAD, 7 + PAD), abs=0.3)


@pytest.mark.parametrize("under", [10, 20, 30, 40])
def test_a_second_quieter_speaker_is_found(under: float) -> None:
    both = np.concatenate([talk(5), silence(2), talk(4, 1) * np.float32(10 ** (-under / 20)), silence(2)])
    found = speech_spans(levels(both + np.float32(0.03), RATE))
    assert sum(end - start for start, end in found if start > 5.5) == pytest.approx(4 + 2 * PAD, abs=0.4)


def test_speech_between_silences_is_found() -> None:
    found = speech_spans(levels(np.concatenate([silence(5), talk(3), silence(4), talk(2, 1), silence(6)]), RATE))
    assert len(found) == 2
    assert found[0] == pytest.approx((5 - PAD, 8 + PAD), abs=0.15)
    assert found[1] == pytest.approx((12 - PAD, 14 + PAD), abs=0.15)


def test_short_silence_at_the_ends_is_kept() -> None:
    level = levels(np.concatenate([silence(0.5), talk(3), silence(0.8)]), RATE)
    assert speech_spans(level) == [(0.0, len(level) * FRAME)]


@pytest.mark.parametrize("loudness", [1e-5, 0.001, 0.05, 0.5])
def test_steady_noise_is_not_speech(loudness: float) -> None:
    noise = loudness * np.random.default_rng(1).standard_normal(20 * RATE).astype(np.float32)
    assert speech_spans(levels(noise, RATE)) == []


def test_speech_in_noise_is_found() -> None:
    noise = 0.01 * np.random.default_rng(2).standard_normal(10 * RATE).astype(np.float32)
    found = speech_spans(levels(talk(10) + noise, RATE))
    assert sum(end - start for start, end in found) > 9


@pytest.mark.parametrize("under", [10, 25])
def test_a_few_seconds_of_speech_in_a_long_noise_are_found(under: int) -> None:
    """Noise `under` dB under the speech, close enough to be loud itself."""
    speech = np.concatenate([silence(40), talk(3.5), silence(46.5)])
    power = np.mean(talk(3.5) ** 2) * 10 ** (-under / 10)
    noise = np.sqrt(power) * np.random.default_rng(2).standard_normal(len(speech)).astype(np.float32)
    found = speech_spans(levels(speech + noise, RATE))
    assert sum(end - start for start, end in found) < 8
    assert any(start <= 40.3 and end >= 43.2 for start, end in found)


def test_a_hum_between_two_talks_is_left_out() -> None:
    hum = (0.2 * np.sin(2 * np.pi * 600 * np.arange(20 * RATE) / RATE)).astype(np.float32)
    found = speech_spans(levels(np.concatenate([talk(5), hum, talk(5, 1)]), RATE))
    assert len(found) == 2
    assert found[0][1] == pytest.approx(5.5, abs=1.0) and found[1][0] == pytest.approx(24.5, abs=1.0)


def test_silence_around_loud_speech_is_not_loud_for_its_noise() -> None:
    noise = 0.02 * np.random.default_rng(3).standard_normal(20 * RATE).astype(np.float32)
    level = levels(noise + np.concatenate([talk(5), silence(15)]), RATE)
    assert loud(level)[: round(5 / FRAME)].mean() > 0.3
    assert not loud(level)[round(5.1 / FRAME) :].any()


def test_clips_cut_spans_once_and_in_order() -> None:
    assert inside([(0.0, 10.0), (20.0, 30.0)], ()) == [(0.0, 10.0), (20.0, 30.0)]
    assert inside([(0.0, 10.0), (20.0, 30.0)], ((25.0, 40.0), (8.0, 9.0), (5.0, 8.5))) == [(5.0, 9.0), (25.0, 30.0)]
    assert inside([(0.0, 10.0)], ((11.0, 12.0),)) == []


def test_no_audio_has_no_speech() -> None:
    assert speech_spans(levels(np.zeros(0, np.float32), RATE)) == []


@given(
    st.lists(st.tuples(st.floats(0.1, 50), st.floats(0.5, 20)), min_size=1, max_size=12),
    st.floats(5, 30),
)
def test_windows_cover_all_speech_in_order_and_fit(parts: list[tuple[float, float]], longest: float) -> None:
    spans, time = [], 0.0
    for length, gap in parts:
        spans.append((time, time + length))
        time += length + gap
    found = windows(spans, np.zeros(round(time / FRAME) + 1, np.float32), longest)
    assert all(0 < end - start <= longest + 1e-6 for start, end in found)
    edges = [edge for window in found for edge in window]
    assert edges == sorted(edges)
    for start, end in spans:
        for moment in np.linspace(start, end, 7):
            assert any(first - 1e-6 <= moment <= last + 1e-6 for first, last in found)


def test_a_long_span_is_cut_where_it_is_quiet() -> None:
    level = np.zeros(round(40 / FRAME), np.float32)
    level[round(26 / FRAME) : round(26.4 / FRAME)] = -40
    first, second = windows([(0.0, 40.0)], level, 30)
    assert first[1] == second[0] == pytest.approx(26.2, abs=0.15)
