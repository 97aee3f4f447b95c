"""Speakers of live words: held back until they are known, guessed when that takes too long, left out on an error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from support.scripted_input import RATE, ScriptedInput, silence, speech

from speechmlx.conversation.input import speakers
from speechmlx.conversation.input.speakers import REMEMBERED, SpeakerAttribution, SpeakerTracker
from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.types import Kind, SpeakerOptions, SpeakerTurn, Word


class Bench:
    def __init__(self) -> None:
        self.engines = ScriptedInput()
        self.errors: list[SpeechError] = []
        self.updates: list[TranscriptUpdate] = []
        self.tracker = SpeakerTracker(self.engines, SpeakerOptions(), self.errors.append, start=1.0)
        self.attribution = SpeakerAttribution(self.tracker, self.updates.append)

    def say(self, *words: Word, tail: tuple[Word, ...] = ()) -> None:
        self.attribution.update(TranscriptUpdate("".join(word.text for word in words), words, tail))

    @property
    def told(self) -> Iterator[tuple[str, str | None]]:
        return ((word.text, word.speaker) for update in self.updates for word in update.committed)


def word(text: str, start: float, end: float) -> Word:
    return Word(f" {text}", start, end, 0.9)


async def test_words_wait_for_their_speaker() -> None:
    bench = Bench()
    bench.say(word("one", 1.0, 1.5), word("two", 2.0, 2.5), tail=(word("three", 2.5, 3.0),))
    assert not list(bench.told)
    assert [w.text for w in bench.updates[-1].unattributed] == [" one", " two"]
    assert [w.text for w in bench.updates[-1].tail] == [" three"]
    bench.tracker.feed(speech(0.96))
    await asyncio.sleep(0.01)
    assert list(bench.told) == [(" one", "0")]
    bench.tracker.feed(speech(0.96, level=0.9))
    await asyncio.sleep(0.01)
    assert list(bench.told) == [(" one", "0"), (" two", "1")]
    assert "".join(update.text for update in bench.updates) == "one two"
    words = bench.attribution.attributed((word("one", 1.0, 1.5), word("two", 2.0, 2.5)))
    assert [w.speaker for w in words] == ["0", "1"]


async def test_a_turn_waits_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speakers, "PATIENCE", 0.01)
    bench = Bench()
    bench.tracker.feed(speech(1.0))
    await asyncio.sleep(0.01)
    bench.say(word("near", 2.2, 2.4), word("far", 5.0, 5.5))
    assert not list(bench.told)
    await bench.attribution.settle()
    assert list(bench.told) == [(" near", "0"), (" far", None)]


async def test_the_end_of_the_audio_decides_the_rest() -> None:
    bench = Bench()
    bench.tracker.feed(speech(0.5))
    bench.say(word("last", 1.2, 1.6))
    bench.tracker.end()
    await bench.attribution.settle()
    assert list(bench.told) == [(" last", "0")]


async def test_without_diarization_words_have_no_speaker() -> None:
    bench = Bench()
    bench.engines.fails[Kind.DIARIZE] = EngineFailed("broken")
    bench.tracker.feed(speech(0.5))
    bench.say(word("one", 1.0, 1.5))
    await bench.attribution.settle()
    assert list(bench.told) == [(" one", None)]
    bench.say(word("two", 1.5, 2.0))
    assert list(bench.told)[1:] == [(" two", None)]
    assert [str(error) for error in bench.errors] == ["broken"]


async def test_text_without_times_is_not_held_back() -> None:
    bench = Bench()
    bench.say(word("one", 1.0, 1.5))
    bench.attribution.update(TranscriptUpdate(" and more"))
    assert "".join(update.text for update in bench.updates) == "one and more"


async def test_silence_between_turns_and_old_turns() -> None:
    bench = Bench()
    for _ in range(round(REMEMBERED) // 10 + 5):
        bench.tracker.feed(silence(9.0))
        bench.tracker.feed(speech(1.0))
        await asyncio.sleep(0.01)
    assert bench.tracker.speaker(6.0, 6.5) is None
    assert bench.tracker.speaker(1.0 + 49.2, 1.0 + 49.8) == "0"
    assert len(bench.tracker._turns) < (REMEMBERED + 1) * RATE / 512 + 2
    await bench.tracker.close()


def test_most_of_a_word_decides() -> None:
    tracker = Bench().tracker
    for turn in (SpeakerTurn(0.0, 1.0, "0"), SpeakerTurn(1.0, 3.0, "1"), SpeakerTurn(3.0, 9.0, "")):
        tracker._add(turn)
    assert tracker.speaker(0.8, 1.1) == "0"
    assert tracker.speaker(0.8, 1.4) == "1"
    assert tracker.speaker(3.1, 3.4) == "1"
    assert tracker.speaker(5.0, 6.0) is None
