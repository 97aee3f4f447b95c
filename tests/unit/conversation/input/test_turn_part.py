"""A live part of a turn goes on when the engine process ends, from the audio that it holds."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from support.scripted_input import LISTENER, RATE, ScriptedInput, speech

from speechmlx.conversation.input.transcriber import Transcriber
from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.conversation.input.turn_part import MAX_REPLAYED, MAX_REPLAYS, Replay, TurnPart
from speechmlx.conversation.settings import Transcription
from speechmlx.errors import EngineLost
from speechmlx.runtime.channel import Channel
from speechmlx.types import Audio, Listen, Priority, Transcribe


class Bench:
    def __init__(self, listener: bool = False, settings: Transcription | None = None) -> None:
        self.engines = ScriptedInput(listener=listener)
        self.updates: list[TranscriptUpdate] = []
        transcriber = Transcriber(self.engines)
        transcriber.settings = settings or Transcription()
        self.part = TurnPart(transcriber, self.updates.append, 2.0, Priority.REALTIME)

    @property
    def live_words(self) -> str:
        return "".join(update.text for update in self.updates)

    async def hear(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.part.feed(speech(0.1))
        await asyncio.sleep(0.01)

    async def lose(self) -> None:
        self.engines.lose(Listen)
        await asyncio.sleep(0.01)


async def test_words_go_on_after_the_last_committed_one() -> None:
    bench = Bench()
    await bench.hear(1.7)  # w1 and w2 are committed, w3 is the tail
    await bench.lose()
    await bench.hear(0.8)
    transcript = await bench.part.finish(Audio(speech(2.5), RATE))
    assert [(word.start, word.end) for word in transcript.words] == [(2 + n / 2, 2.5 + n / 2) for n in range(5)]
    assert len(bench.engines.requests(Listen)) == 2
    assert "".join(update.text for update in bench.updates) == transcript.text
    assert bench.part.transcribed == pytest.approx(4.5)


async def test_live_words_are_the_transcript_where_nothing_asks_for_more() -> None:
    bench = Bench(listener=True)
    await bench.hear(1.0)
    assert (await bench.part.finish(Audio(speech(1.0), RATE))).text == bench.live_words == "l1 l2"
    assert not bench.engines.requests(Transcribe)


@pytest.mark.parametrize("paused", [False, True])
async def test_the_transcript_of_a_whole_turn_comes_from_its_own_model(paused: bool) -> None:
    bench = Bench(listener=True, settings=Transcription(whole=True))
    await bench.hear(1.5)
    audio = Audio(speech(1.5), RATE)
    if paused:
        assert bench.part.guess(audio, answers=True) is not None
    assert (await bench.part.finish(audio)).text == "w1 w2 w3"
    assert bench.live_words == "l1 l2"  # the words that were live are not said again
    assert [request.model for request in bench.engines.requests(Transcribe)] == ["fake-asr"]
    bench.part.cancel()
    await asyncio.sleep(0.01)
    assert not bench.engines.open_jobs


@pytest.mark.parametrize("model", ["fake-asr", LISTENER])
async def test_a_model_that_the_client_names_is_that_of_both(model: str) -> None:
    bench = Bench(listener=True, settings=Transcription(whole=True, model=model))
    await bench.hear(1.0)
    text = "w1 w2" if model == "fake-asr" else "l1 l2"
    assert (await bench.part.finish(Audio(speech(1.0), RATE))).text == bench.live_words == text
    assert [request.model for request in bench.engines.requests(Listen)] == [model]
    assert not bench.engines.requests(Transcribe)


async def test_a_name_of_another_server_means_both_defaults() -> None:
    bench = Bench(listener=True, settings=Transcription(whole=True, model="whisper-1"))
    await bench.hear(1.5)
    assert (await bench.part.finish(Audio(speech(1.5), RATE))).text == "w1 w2 w3"
    assert [request.model for request in bench.engines.requests(Listen)] == [LISTENER]


async def test_the_language_that_was_found_stays() -> None:
    bench = Bench()
    bench.part._heard = bench.part._heard.__class__("", language="fr", language_probability=0.9)
    await bench.hear(0.1)
    assert bench.engines.requests(Listen)[0].language == "fr"
    bench.part.cancel()


async def test_an_engine_that_keeps_failing_is_an_error() -> None:
    bench = Bench()
    await bench.hear(0.5)
    for _ in range(MAX_REPLAYS + 1):
        await bench.lose()
    with pytest.raises(EngineLost):
        await bench.part.finish(Audio(speech(0.5), RATE))


async def test_an_engine_that_does_not_come_up_is_an_error_at_once() -> None:
    bench = Bench()
    await bench.hear(0.5)
    bench.engines.lose(Listen, retry_after=5.0)
    with pytest.raises(EngineLost):
        await asyncio.wait_for(bench.part.finish(Audio(speech(0.5), RATE)), 5)
    assert len(bench.engines.requests(Listen)) == 1


async def test_settings_reach_the_stream() -> None:
    bench = Bench()
    bench.part._transcriber.settings = Transcription(
        language="de", task="translate", prompt="said before", keywords=("Xanthippe",)
    )
    await bench.hear(0.1)
    (request,) = bench.engines.requests(Listen)
    assert (request.language, request.task, request.prompt) == ("de", "translate", "said before")
    assert request.hotwords == ("Xanthippe",)
    bench.part.cancel()


async def test_a_replay_keeps_what_no_word_covers() -> None:
    audio: Channel[np.ndarray] = Channel()
    replay = Replay(audio)
    for value in range(4):
        audio.put(np.full(RATE, value, np.float32))
    for _ in range(3):
        await anext(replay)
    assert (replay.fed(), replay.fed(2)) == (3.0, 1.0)
    replay.forget_before(1.5)
    replay.rewind()
    assert replay.begin == 1.5
    audio.end()
    pieces = [piece async for piece in replay]
    assert [(len(piece) / RATE, float(piece[0])) for piece in pieces] == [(0.5, 1.0), (1.0, 2.0), (1.0, 3.0)]


async def test_a_replay_is_bounded() -> None:
    audio: Channel[np.ndarray] = Channel()
    replay = Replay(audio)
    for _ in range(round(MAX_REPLAYED) + 10):
        audio.put(np.zeros(RATE, np.float32))
        await anext(replay)
        replay.forget_before(0.0)
    assert sum(map(len, replay._kept)) == MAX_REPLAYED * RATE
