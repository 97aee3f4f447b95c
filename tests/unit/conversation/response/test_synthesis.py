"""A clause's speech: the request, the pause after it, and silence that is cut without losing a sound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.fake_engines import FakeEngines, row

from speechmlx.conversation.response.synthesis import (
    AFTER_CLAUSE,
    AFTER_PHRASE,
    AFTER_SENTENCE,
    LEAD,
    SilenceTrimmer,
    build_speech,
    pause_after,
    speak_clause,
)
from speechmlx.conversation.settings import Answering, VoiceSettings
from speechmlx.errors import UnknownModel, UnknownVoice
from speechmlx.models.voices import VoiceList
from speechmlx.types import Chunk, Kind, NamedVoice, Priority, Pronunciation, Speak, Usage, WordTime, WordTimes

RATE = 1000
SPEAKER = row(Kind.TTS, voices=VoiceList(("anna",), {"alloy": "anna"}))


def chunk(samples: np.ndarray) -> Chunk:
    return Chunk(samples.astype("<i2").tobytes(), RATE)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("It is late. ", AFTER_SENTENCE),
        ('"Is it?" ', AFTER_SENTENCE),
        ("今は遅い。", AFTER_SENTENCE),
        ("A list\n", AFTER_SENTENCE),
        ("It is late, ", AFTER_CLAUSE),
        ("It is late ", AFTER_PHRASE),
        ("", AFTER_PHRASE),
    ],
)
def test_the_pause_is_that_of_the_last_mark(text: str, seconds: float) -> None:
    assert pause_after(text) == seconds


def after(samples: np.ndarray, size: int, pause: float = 0.25) -> np.ndarray:
    """What comes out when it comes in by `size` samples."""
    trimmer = SilenceTrimmer(pause)
    out = [trimmer.push(chunk(samples[start : start + size])) for start in range(0, len(samples), size)]
    given = [one for one in (*out, trimmer.flush()) if one is not None]
    assert all(one.pcm16 and one.rate == RATE for one in given)
    return np.frombuffer(b"".join(one.pcm16 for one in given), "<i2")


@pytest.mark.parametrize("size", [1, 70, 400, 5000])
def test_only_the_edges_are_cut(size: int) -> None:
    sound = np.arange(1000, 1300)
    quiet = np.arange(700) % 100
    inside = np.concatenate([sound, quiet, sound])
    given = np.concatenate([quiet[:300], inside, quiet[:500]])
    lead = round(LEAD * RATE)
    expected = np.concatenate([quiet[300 - lead : 300], inside, quiet[:250]])
    assert np.array_equal(after(given, size), expected)


def test_a_short_edge_stays_and_silence_alone_is_whole() -> None:
    sound = np.full(100, -30000)
    assert np.array_equal(after(sound, 30), sound)
    silence = np.zeros(2000)
    assert np.array_equal(after(silence, 300), silence)
    assert not after(np.zeros(0), 1).size


def test_sound_is_not_held_back() -> None:
    loud = chunk(np.full(50, 9000))
    assert SilenceTrimmer(0.1).push(loud) == loud


@pytest.mark.parametrize(("name", "voice"), [(None, None), ("Alloy", NamedVoice("anna")), ("anna", NamedVoice("anna"))])
def test_how_an_answer_is_spoken(name: str | None, voice: NamedVoice | None) -> None:
    said = (Pronunciation("Nguyen", "win"),)
    answering = Answering(voice=VoiceSettings(name=name, language="en", speed=1.5, pronunciations=said))
    speech = build_speech(FakeEngines(rows=[SPEAKER]), answering)
    how: dict[str, Any] = {"voice": voice, "language": "en", "speed": 1.5, "pronunciations": said}
    assert speech == Speak(text="", **how, priority=Priority.REALTIME)
    assert build_speech(FakeEngines(), replace(answering, spoken=False)) is None


def test_what_it_cannot_be_spoken_with() -> None:
    with pytest.raises(UnknownVoice, match="no voice 'nobody'; the voices are anna"):
        build_speech(FakeEngines(rows=[SPEAKER]), Answering(voice=VoiceSettings(name="nobody")))
    with pytest.raises(UnknownModel):
        build_speech(FakeEngines(), Answering())


async def test_a_clause_is_spoken_with_its_pause() -> None:
    sound, quiet = np.full(300, 9000), np.zeros(900)
    engines = FakeEngines(lambda request: [chunk(quiet), chunk(sound), chunk(quiet), Usage()])
    given = [one async for one in speak_clause(engines, Speak(text="", speed=2.0), "It is late, ")]
    spoken = [one for one in given if isinstance(one, Chunk)]
    assert len(spoken) == len(given)
    assert [len(one.pcm16) // 2 for one in spoken] == [round(LEAD * RATE) + 300, round(AFTER_CLAUSE * RATE)]
    assert list(engines.requests(Speak)) == [Speak(text="It is late,", speed=2.0)]
    assert engines.jobs[0].left


async def test_a_clause_that_is_not_wanted_any_more_leaves_its_job() -> None:
    engines = FakeEngines(lambda request: [chunk(np.full(300, 9000)), 60.0])
    speaking = speak_clause(engines, Speak(text=""), "It is late.")
    await anext(speaking)
    await speaking.aclose()
    assert engines.jobs[0].left


def near(seconds: float) -> Any:
    return pytest.approx(seconds)


async def test_words_come_with_their_sound_and_the_places_of_the_clause() -> None:
    sound, quiet = np.full(300, 9000), np.zeros(400)
    it, late = WordTime("It", 0.81, 1.0, 0, 2), WordTime("late.", 1.0, 1.1, 3, 8)
    silent = WordTime("\u4e16", 1.1, 1.1, 9, 10)
    engines = FakeEngines(
        lambda request: [
            chunk(quiet),
            WordTimes((it,)),
            chunk(quiet),
            chunk(sound),
            WordTimes((late,)),
            chunk(sound),
            WordTimes((silent,)),
        ]
    )
    given = [one async for one in speak_clause(engines, Speak(text=""), "\n It late. \u4e16")]
    cut = 0.8 - LEAD
    assert given == [
        WordTimes((replace(it, start=near(0.81 - cut), end=near(1.0 - cut), first=2, last=4),)),
        chunk(np.concatenate([np.zeros(round(LEAD * RATE)), sound])),
        WordTimes((replace(late, start=near(1.0 - cut), end=near(1.1 - cut), first=5, last=10),)),
        chunk(sound),
        WordTimes((replace(silent, start=near(1.1 - cut), end=near(1.1 - cut), first=11, last=12),)),
    ]


async def test_silence_that_a_clause_asks_for_has_its_length_at_the_edges_too() -> None:
    sound, quiet = np.full(300, 9000), np.zeros(900)
    word = WordTime("late.", 1.0, 1.2, 0, 5)
    engines = FakeEngines(
        lambda request: [chunk(quiet), WordTimes((word,)), chunk(sound), chunk(quiet)],
        [replace(SPEAKER, rate=RATE)],
    )
    given = [one async for one in speak_clause(engines, Speak(text=""), "[pause:1s] late. [pause:2s][pause:500ms]")]
    assert [len(one.pcm16) // 2 for one in given if isinstance(one, Chunk)] == [
        1000,
        round(LEAD * RATE) + 300,
        round(AFTER_SENTENCE * RATE),
        2500,
    ]
    (words,) = (one.words for one in given if isinstance(one, WordTimes))
    cut = 0.9 - LEAD
    assert words == (replace(word, start=near(2.0 - cut), end=near(2.2 - cut), first=11, last=16),)
    assert [request.text for request in engines.requests(Speak)] == ["late."]
    given = [one async for one in speak_clause(engines, Speak(text=""), " [pause:1s] ")]
    assert given == [Chunk(bytes(2000), RATE)] and len(engines.jobs) == 1
