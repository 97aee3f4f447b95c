"""A conversation with a model that hears and speaks at once, without a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from support.duplex_engines import DuplexEngines
from support.scripted_duplex import tone

from speechmlx.conversation import commands, events
from speechmlx.conversation.duplex_session import DuplexSession
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.settings import (
    Answering,
    ResponseRequest,
    Settings,
    Transcription,
    TurnTaking,
    VoiceSettings,
)
from speechmlx.errors import BadRequest, Busy
from speechmlx.types import Converse, DetectSpeech, Kind, NamedVoice

E = TypeVar("E")
SETTINGS = Settings(model="echo")
SAID = b"".join([tone(3), tone(30, 0)])
"""Three frames of speech, and enough silence for the answer and its end."""


class Talk:
    """A session and the events so far."""

    def __init__(self, session: DuplexSession, engines: DuplexEngines) -> None:
        self.session, self.engines = session, engines
        self.events: list[events.Event] = []

    async def play(self, *sounds: bytes) -> None:
        for sound in sounds:
            for start in range(0, len(sound), 1000):
                await self.session.send(commands.Append(audio=sound[start : start + 1000]))

    async def until(self, kind: type[E], last: Callable[[E], bool] = lambda event: True) -> E:
        async with asyncio.timeout(30):
            async for event in self.session.events():
                self.events.append(event)
                if isinstance(event, kind) and last(event):
                    return event
        raise AssertionError(f"the events ended without {kind.__name__}")

    async def rest(self) -> None:
        await self.session.send(commands.Finish())
        async with asyncio.timeout(30):
            async for event in self.session.events():
                self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def responses(self) -> list[events.Response]:
        return [event.response for event in self.of(events.ResponseDone)]


async def begun(settings: Settings = SETTINGS) -> AsyncIterator[Talk]:
    engines = DuplexEngines()
    async with DuplexSession(engines, settings, engines.row) as session:
        yield Talk(session, engines)
    await asyncio.sleep(0)
    assert not engines.open_jobs


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async for one in begun():
        yield one


async def test_an_answer_is_a_response_from_its_first_word_to_its_pause(talk: Talk) -> None:
    await talk.play(tone(20, 0), SAID, SAID)
    await talk.rest()
    first, second = talk.responses
    assert (first.status, second.status) == ("completed", "completed")
    assert [item.text for response in (first, second) for item in response.items] == ["word word word "] * 2
    sound = b"".join(event.audio for event in talk.of(events.OutputAudio) if event.response == first.id)
    assert sound == tone(1) * 3 + tone(15, 0)
    assert first.cost is not None and first.cost.audio_out == pytest.approx(18 * 0.08)
    assert first.cost.audio_in == pytest.approx(23 * 0.08)
    kinds = [type(event) for event in talk.events]
    assert kinds[:3] == [events.ResponseStarted, events.OutputStarted, events.OutputText]
    assert kinds[-2:] == [events.OutputDone, events.ResponseDone]
    assert not talk.of(events.SpeechStarted) and not talk.engines.requests(DetectSpeech)


async def test_what_is_heard_meanwhile_interrupts_it_by_its_own_ears(talk: Talk) -> None:
    await talk.play(tone(10), tone(2, 0), tone(4), tone(40, 0))
    await talk.rest()
    (response,) = talk.responses
    # It said two of ten words, heard four frames (the first of which stopped it), and answers the other three.
    assert response.items[0].text == "word " * 5


async def test_a_cancelled_answer_is_not_given_out_any_more(talk: Talk) -> None:
    await talk.play(tone(5), tone(2, 0))
    await talk.until(events.OutputAudio)
    with_other = commands.Cancel(response="resp_other")
    await talk.session.send(with_other)
    assert (await talk.until(events.Failed)).code == "no_active_response"
    await talk.session.send(commands.Cancel())
    await talk.until(events.ResponseDone)
    await talk.play(tone(30, 0))
    await talk.play(SAID)
    await talk.rest()
    assert [(one.status, one.reason) for one in talk.responses] == [
        ("cancelled", "client_cancelled"),
        ("completed", None),
    ]
    ended = talk.events.index(talk.of(events.ResponseDone)[0])
    cancelled = talk.responses[0].id
    assert not [event for event in talk.events[ended + 1 :] if getattr(event, "response", "") == cancelled]


async def test_voice_and_instructions_reach_the_model_and_other_ones_begin_anew(talk: Talk) -> None:
    answering = Answering(instructions="Be kind.", voice=VoiceSettings(name="DIRK"))
    await talk.play(tone(5), tone(2, 0))
    await talk.until(events.OutputAudio)
    await talk.session.send(commands.Configure(settings=replace(SETTINGS, answering=answering), note=1))
    done = await talk.until(events.ResponseDone)
    assert done.response.status == "cancelled"
    await talk.session.send(commands.Configure(settings=replace(SETTINGS, answering=answering), note=2))
    await talk.play(SAID)
    await talk.rest()
    first, second = talk.engines.requests(Converse)
    assert (first.voice, first.instructions) == (None, None)
    assert (second.voice, second.instructions) == (NamedVoice("dirk"), "Be kind.")
    assert [event.note for event in talk.of(events.Configured)] == [1, 2]
    assert [one.status for one in talk.responses] == ["cancelled", "completed"]


REFUSED: list[tuple[commands.Command, str]] = [
    (commands.CreateResponse(plan=ResponseRequest(answering=Answering())), "answers_by_itself"),
    (commands.AddItem(item=Item(id="a", parts=(Part("text", "hi"),))), "answers_by_itself"),
    (commands.Commit(), "answers_by_itself"),
    (commands.Cancel(), "no_active_response"),
    (commands.RetrieveItem(id="nothing"), "no_such_item"),
    (commands.TruncateItem(id="nothing", seconds=1.0), "no_such_item"),
    (commands.Configure(settings=replace(SETTINGS, model="other")), "model_is_chosen"),
    (
        commands.Configure(settings=replace(SETTINGS, answering=Answering(voice=VoiceSettings(name="nobody")))),
        "unknown_voice",
    ),
]


@pytest.mark.parametrize(("command", "code"), REFUSED)
async def test_what_it_refuses(talk: Talk, command: commands.Command, code: str) -> None:
    await talk.session.send(replace(command, ref="mine"))
    failed = await talk.until(events.Failed)
    assert (failed.code, failed.ref) == (code, "mine")
    await talk.play(SAID)
    await talk.rest()
    assert [one.status for one in talk.responses] == ["completed"]


async def test_what_it_does_not_take_is_told_and_the_rest_counts(talk: Talk) -> None:
    answering = Answering(
        instructions="Hi.", voice=VoiceSettings(speed=1.5), max_tokens=5, temperature=0.8, tools=({"name": "f"},)
    )
    await talk.session.send(commands.Configure(settings=replace(SETTINGS, answering=answering, clean=True)))
    failed = await talk.until(events.Failed)
    assert failed.code == "not_taken" and isinstance(talk.events[0], events.Configured)
    without = "goes on without tools, a speed, a limit of tokens, a temperature, noise reduction"
    assert str(failed.error).endswith(without)
    assert talk.engines.requests(Converse)[0].instructions == "Hi."


async def test_text_alone(talk: Talk) -> None:
    await talk.session.send(commands.Configure(settings=replace(SETTINGS, answering=Answering(spoken=False))))
    await talk.play(SAID)
    await talk.rest()
    assert "".join(event.text for event in talk.of(events.OutputText)) == "word word word "
    assert not talk.of(events.OutputAudio)


async def test_a_persons_words_are_recognised_beside_it_where_they_are_asked_for() -> None:
    turns = TurnTaking(silence=0.3)
    async for talk in begun(replace(SETTINGS, transcription=Transcription(), turns=turns)):
        await talk.play(tone(15), tone(40, 0))
        await talk.rest()
        assert [event.transcript.text for event in talk.of(events.TranscriptDone)]
        assert talk.of(events.SpeechStarted) and talk.engines.requests(DetectSpeech)
        assert [one.status for one in talk.responses] == ["completed"]
        roles = {item.role for item in talk.session.items}
        assert roles == {"user", "assistant"}


async def test_other_formats_and_rates_are_heard_whole(talk: Talk) -> None:
    from speechmlx.audio.live_format import AudioFormat

    settings = replace(SETTINGS, input=AudioFormat("pcm16", 16000))
    await talk.session.send(commands.Configure(settings=settings))
    sound = tone(3, rate=16000) + tone(30, 0, rate=16000)
    for start in range(0, len(sound), 333):  # cut within samples
        await talk.session.send(commands.Append(audio=sound[start : start + 333]))
    await talk.session.send(commands.Configure(settings=SETTINGS))
    await talk.play(SAID)
    await talk.rest()
    assert [one.items[0].text.split()[0] for one in talk.responses] == ["word", "word"]
    assert len(talk.engines.requests(Converse)) == 1


async def test_an_error_at_once_is_told_once_and_other_settings_begin_again(talk: Talk) -> None:
    failing = replace(SETTINGS, answering=Answering(instructions="fail"))
    await talk.session.send(commands.Configure(settings=failing))
    await talk.play(SAID)
    assert str((await talk.until(events.Failed)).error) == "this role cannot be played"
    await talk.play(SAID)
    await talk.session.send(commands.Configure(settings=SETTINGS))
    await talk.play(SAID)
    await talk.rest()
    assert len(talk.of(events.Failed)) == 1
    assert [one.status for one in talk.responses] == ["completed"]
    assert len(talk.engines.requests(Converse)) == 2


async def test_an_error_in_an_answer_ends_the_answer_and_the_next_sound_begins_anew(talk: Talk) -> None:
    await talk.play(tone(5), tone(2, 0))
    await talk.until(events.OutputAudio)
    talk.engines.lose(Converse)
    failed = (await talk.until(events.ResponseDone)).response
    assert failed.status == "failed" and failed.error is not None and failed.error.code == "engine_lost"
    await talk.play(SAID)
    await talk.rest()
    assert [one.status for one in talk.responses] == ["failed", "completed"]
    assert not talk.of(events.Failed)


async def test_a_full_server_is_told(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(request: Any) -> Any:
        raise Busy("full")

    monkeypatch.setattr(talk.engines, "submit", full)
    await talk.play(SAID)
    await talk.rest()
    assert [event.code for event in talk.of(events.Failed)] == ["busy"]


async def test_a_heard_answer_is_truncated(talk: Talk) -> None:
    await talk.play(tone(5), tone(3, 0))
    started = await talk.until(events.OutputStarted)
    await talk.until(events.OutputAudio)
    await talk.session.send(commands.TruncateItem(id=started.item.id, seconds=0.08))
    assert (await talk.until(events.ItemTruncated)).at == pytest.approx(0.08)
    await talk.play(tone(30, 0))
    await talk.rest()
    await asyncio.sleep(0)
    assert [item.text for item in talk.session.items] == ["word"]


async def test_a_model_that_is_far_behind_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = DuplexEngines()
    now = 0.0
    monkeypatch.setattr("speechmlx.conversation.input.duplex_ears.CHECK", 0.001)
    monkeypatch.setattr(engines, "_input", lambda job, command: None)  # it waits for a place
    async with DuplexSession(engines, SETTINGS, engines.row, wall=lambda: now) as session:
        talk = Talk(session, engines)
        await session.send(commands.Append(audio=tone(5)))
        await asyncio.sleep(0.02)
        now = 3.0
        failed = await talk.until(events.Failed)
        assert failed.code == "model_behind" and "2.9 s behind" in str(failed.error)
        await asyncio.sleep(0.02)
        now = 9.0
        await asyncio.sleep(0.02)
        assert session.unread == 0


async def test_it_loads_the_model_alone_where_nothing_is_transcribed(talk: Talk) -> None:
    from speechmlx.types import Load

    await asyncio.sleep(0.01)
    assert [request.model for request in talk.engines.requests(Load)] == ["echo"]
    assert Kind.S2S is Converse.kind and not talk.engines.fails


async def test_a_broken_answer_that_says_nothing_yet_is_an_error_of_the_session(talk: Talk) -> None:
    settings = replace(SETTINGS, answering=Answering(instructions="break"))
    await talk.session.send(commands.Configure(settings=settings))
    await talk.play(tone(3), tone(2, 0))
    failed = await talk.until(events.Failed)
    assert isinstance(failed.error, BadRequest) and not talk.of(events.ResponseStarted)
