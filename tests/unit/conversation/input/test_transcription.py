"""The transcript of a turn: live, whole, guessed at a pause, flushed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from support.scripted_input import RATE, ScriptedInput, silence, speech

from speechmlx.conversation.input.transcriber import Transcriber
from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.conversation.input.transcription import TurnTranscription
from speechmlx.conversation.settings import Transcription
from speechmlx.errors import EngineFailed
from speechmlx.types import Audio, Kind, Listen, Transcribe

TURN = Audio(speech(1.5), RATE)


@dataclass
class Bench:
    engines: ScriptedInput = field(default_factory=ScriptedInput)
    updates: list[TranscriptUpdate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.transcriber = Transcriber(self.engines)
        self.turn = TurnTranscription(self.transcriber, self.updates.append, start=2.0)

    @property
    def text(self) -> str:
        return "".join(update.text for update in self.updates)


async def test_live_words_come_while_the_turn_goes_on() -> None:
    bench = Bench()
    for _ in range(3):
        bench.turn.feed(speech(0.5))
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert bench.text == "w1 w2"
    assert [word.text for word in bench.updates[-1].tail] == [" w3"]
    transcript = await bench.turn.finish(TURN)
    assert (bench.text, transcript.text) == ("w1 w2 w3", "w1 w2 w3")
    assert [(word.start, word.end) for word in transcript.words] == [(2.0, 2.5), (2.5, 3.0), (3.0, 3.5)]
    assert not bench.engines.requests(Transcribe)


async def test_a_turn_that_was_not_fed_is_recognised_whole() -> None:
    bench = Bench()
    transcript = await bench.turn.finish(TURN)
    assert (bench.text, transcript.text, transcript.words) == ("w1 w2 w3", "w1 w2 w3", ())
    assert (transcript.language, transcript.language_probability) == ("en", 0.75)


async def test_word_times_of_a_whole_turn_where_they_are_asked_for() -> None:
    bench = Bench()
    bench.transcriber.settings = Transcription(words=True)
    transcript = await bench.turn.finish(TURN)
    assert [word.start for word in transcript.words] == [2.0, 2.5, 3.0]


async def test_a_model_without_streams_is_asked_for_one_once() -> None:
    bench = Bench(ScriptedInput(live=False))
    for _ in range(2):
        turn = TurnTranscription(bench.transcriber, bench.updates.append)
        turn.feed(speech(1.5))
        assert (await turn.finish(TURN)).text == "w1 w2 w3"
    assert (len(bench.engines.requests(Listen)), len(bench.engines.requests(Transcribe))) == (1, 2)


async def test_a_guess_is_used_at_the_end_and_its_rest_reported() -> None:
    bench = Bench()
    bench.turn.feed(speech(1.0))
    await asyncio.sleep(0.01)
    guess = bench.turn.guess(TURN, answers=True)
    assert guess is not None
    assert bench.turn.is_guessing
    assert (await guess).text == "w1 w2 w3"
    assert bench.text == "w1"
    transcript = await bench.turn.finish(TURN)
    assert (transcript.text, bench.text) == ("w1 w2 w3", "w1 w2 w3")


async def test_a_guess_reports_its_words_where_no_word_came_live() -> None:
    bench = Bench(ScriptedInput(live=False))
    bench.transcriber.settings = Transcription(words=True)
    guess = bench.turn.guess(TURN, answers=False)
    assert guess is not None
    await bench.turn.finish(TURN)
    assert [word.start for update in bench.updates for word in update.committed] == [2.0, 2.5, 3.0]


async def test_a_turn_that_resumes_drops_its_guess() -> None:
    bench = Bench()
    bench.turn.guess(TURN, answers=True)
    bench.turn.resume()
    assert not bench.turn.is_guessing
    assert (await bench.turn.finish(Audio(speech(2.0), RATE))).text == "w1 w2 w3 w4"


@pytest.mark.parametrize(("seconds", "answers"), [(1.5, False), (31.0, True)])
async def test_no_guess_where_it_is_not_worth_it(seconds: float, answers: bool) -> None:
    bench = Bench()
    bench.turn.feed(speech(0.5))
    await asyncio.sleep(0.01)
    assert bench.turn.guess(Audio(speech(seconds), RATE), answers) is None
    bench.turn.cancel()


@pytest.mark.parametrize("live", [True, False])
async def test_a_flush_commits_the_words_so_far_and_the_turn_goes_on(live: bool) -> None:
    bench = Bench(ScriptedInput(live=live))
    bench.turn.feed(speech(1.0))
    await bench.turn.flush(Audio(speech(1.0), RATE))
    assert bench.text == "w1 w2"
    assert bench.turn.part_start == 3.0
    bench.turn.feed(speech(0.5))
    transcript = await bench.turn.finish(Audio(speech(1.5), RATE))
    assert (transcript.text, bench.text) == ("w1 w2 w1", "w1 w2 w1")
    if live:
        assert [word.start for word in transcript.words] == [2.0, 2.5, 3.0]


async def test_an_error_of_a_guess_is_tried_again() -> None:
    bench = Bench()
    bench.engines.fails[Kind.ASR] = EngineFailed("broken")
    bench.turn.guess(TURN, answers=True)
    await asyncio.sleep(0.01)
    bench.engines.fails.clear()
    assert (await bench.turn.finish(TURN)).text == "w1 w2 w3"


async def test_an_error_reaches_who_finishes() -> None:
    bench = Bench()
    bench.engines.fails[Kind.ASR] = EngineFailed("broken")
    with pytest.raises(EngineFailed, match="broken"):
        await bench.turn.finish(TURN)


async def test_silence_and_nothing_have_no_words() -> None:
    bench = Bench()
    assert (await bench.turn.finish(Audio(silence(1.0), RATE))).text == ""
    assert (await Bench().turn.finish(Audio(silence(0.05), RATE))).text == ""


async def test_a_turn_that_is_given_up_leaves_no_job() -> None:
    bench = Bench()
    bench.turn.feed(speech(1.0))
    await asyncio.sleep(0)
    bench.turn.cancel()
    await asyncio.sleep(0.01)
    assert bench.engines.open_jobs == 0
