"""The wires on a session without a process: however the audio is cut and the stream ends, each word comes once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from support.scripted_input import ScriptedInput, silence, speech

from speechmlx.conversation import events
from speechmlx.conversation.channels import ChannelSessions
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.errors import EngineFailed
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.deepgram.flux import FluxWire, flux_settings
from speechmlx.protocols.deepgram.flux_options import flux_options
from speechmlx.protocols.deepgram.listen_options import listen_options
from speechmlx.protocols.deepgram.live import ListenWire, live_settings
from speechmlx.protocols.deepgram.results import ListenRequest
from speechmlx.protocols.ws import Close, LiveSession, Wire
from speechmlx.types import Kind

REQUEST = ListenRequest(id="r", model=CATALOG.resolve(CATALOG.of_profile("starter")[Kind.ASR]))
FLOATS = "encoding=linear32&sample_rate=16000"
CONTROLS = {
    "/v1": [json.dumps({"type": name}) for name in ("KeepAlive", "Finalize", "Configure")],
    "/v2": [json.dumps({"type": name}) for name in ("ForceEndTurn", "Configure")],
}
CLOSE = json.dumps({"type": "CloseStream"})


@dataclass
class Run:
    """What a client got, and the words that the session committed, by channel."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    words: dict[int, list[str]] = field(default_factory=dict)
    close: Close | None = None


async def converse(wire: Wire, session: LiveSession, sent: list[str | bytes]) -> Run:
    """Send everything, and read to the end, as the pump does."""
    run = Run()

    async def send() -> None:
        for message in sent:
            for command in wire.receive(message):
                await session.send(command)

    def take(answers: Any) -> None:
        for answer in answers:
            if isinstance(answer, Close):
                run.close = answer
            else:
                run.messages.append(json.loads(answer))

    async with asyncio.timeout(10), session:
        take(wire.tick(0.0))
        sending = asyncio.create_task(send())
        async for event in session.events():
            number, inner = (event.channel, event.event) if isinstance(event, events.OnChannel) else (0, event)
            if isinstance(inner, events.TranscriptDelta):
                run.words.setdefault(number, []).extend(word.text.strip() for word in inner.update.committed)
            take(wire.send(event))
        take(wire.end())
        await sending
    return run


AUDIO = st.lists(
    st.tuples(st.sampled_from((speech, silence)), st.sampled_from((0.1, 0.3, 0.6, 1.3, 2.1))), min_size=1, max_size=6
)
CUTS = st.lists(st.sampled_from((3, 641, 6400, 40_000)), min_size=1, max_size=8)


def cut(audio: bytes, sizes: list[int], controls: list[str], where: list[int]) -> list[str | bytes]:
    """Audio in pieces of the sizes in turn, with control messages between some of them, and the end."""
    sent: list[str | bytes] = []
    at = number = 0
    while at < len(audio):
        size = sizes[number % len(sizes)] * (5000 if set(sizes) == {3} else 1)
        sent.append(audio[at : at + size])
        at, number = at + size, number + 1
        if number in where:
            sent.append(controls[number % len(controls)])
    return [*sent, CLOSE]


@settings(max_examples=25)
@given(AUDIO, CUTS, st.lists(st.integers(1, 30), max_size=3), st.sampled_from((10, 300, 3000, "false")), st.booleans())
def test_results_have_the_words_of_the_session(
    parts: list[Any], sizes: list[int], where: list[int], endpointing: int | str, two_channels: bool
) -> None:
    samples = np.concatenate([make(seconds) for make, seconds in parts])
    query = f"{FLOATS}&endpointing={endpointing}&interim_results=true&utterance_end_ms=1000&vad_events=true"
    if two_channels:
        samples = np.stack([samples, np.roll(samples, 8000)], axis=1)
        query += "&channels=2&multichannel=true"
    options = listen_options(QueryParams(query))
    own = live_settings(options, "fake-asr")
    wire = ListenWire(options, REQUEST, own)
    sent = cut(samples.astype("<f4").tobytes(), sizes, CONTROLS["/v1"], where)

    async def run() -> Run:
        engines = ScriptedInput()
        session = ChannelSessions(engines, own, 2) if two_channels else TranscriptionSession(engines, own)
        return await converse(wire, session, sent)

    found = asyncio.run(run())
    assert found.close == Close(1000)
    assert [found.messages[0]["type"], found.messages[-1]["type"]] == ["Metadata", "Metadata"]
    seconds = len(samples) / 16000
    for channel in range(wire.count):
        finals = [each for each in found.messages if each.get("is_final") and each["channel_index"][0] == channel]
        words = [word["word"] for each in finals for word in each["channel"]["alternatives"][0]["words"]]
        assert words == found.words.get(channel, [])
        assert sum(each["duration"] for each in finals) < seconds + 1e-3
        assert finals[-1]["start"] + finals[-1]["duration"] > seconds - 1e-3
        answered = sum(each["from_finalize"] for each in finals)
        assert answered == sum(message == CONTROLS["/v1"][1] for message in sent)


@settings(max_examples=25)
@given(AUDIO, CUTS, st.lists(st.integers(1, 30), max_size=3), st.sampled_from((0.3, 0.7)))
def test_turns_have_the_words_of_the_session(
    parts: list[Any], sizes: list[int], where: list[int], eager: float
) -> None:
    samples = np.concatenate([make(seconds) for make, seconds in parts])
    options = flux_options(QueryParams(f"{FLOATS}&eager_eot_threshold={eager}"))
    own = flux_settings(options, "fake-asr")
    wire = FluxWire(options, REQUEST, own)
    sent = cut(samples.astype("<f4").tobytes(), sizes, CONTROLS["/v2"], where)

    async def run() -> Run:
        return await converse(wire, TranscriptionSession(ScriptedInput(), own), sent)

    found = asyncio.run(run())
    assert found.close == Close(1000)
    assert [each["sequence_id"] for each in found.messages] == list(range(len(found.messages)))
    ends = [each for each in found.messages if each.get("event") == "EndOfTurn"]
    assert [word["word"] for each in ends for word in each["words"]] == found.words.get(0, [])
    assert [each["turn_index"] for each in ends] == list(range(len(ends)))


async def test_speakers_are_numbered_in_the_order_in_which_they_speak() -> None:
    options = listen_options(QueryParams(f"{FLOATS}&diarize=true&endpointing=300"))
    own = live_settings(options, "fake-asr")
    samples = np.concatenate([speech(1.0), silence(1.0), speech(1.0, 0.9), silence(1.0)])
    sent = cut(samples.astype("<f4").tobytes(), [6400], [], [])
    found = await converse(ListenWire(options, REQUEST, own), TranscriptionSession(ScriptedInput(), own), sent)
    words = [
        word for each in found.messages if each.get("is_final") for word in each["channel"]["alternatives"][0]["words"]
    ]
    assert [word["word"] for word in words] == found.words[0]
    assert [word["speaker"] for word in words] == [0] * (len(words) // 2) + [1] * (len(words) - len(words) // 2)


async def test_an_engine_that_fails_is_told_and_the_stream_goes_on() -> None:
    options = listen_options(QueryParams(f"{FLOATS}&endpointing=300"))
    own = live_settings(options, "fake-asr")
    engines = ScriptedInput()
    engines.fails[Kind.ASR] = EngineFailed("broken")
    samples = np.concatenate([speech(1.0), silence(1.0)])
    sent = cut(samples.astype("<f4").tobytes(), [6400], [], [])
    found = await converse(ListenWire(options, REQUEST, own), TranscriptionSession(engines, own), sent)
    assert [each["description"] for each in found.messages if each["type"] == "Error"] == ["broken"]
    assert found.messages[-1]["type"] == "Metadata"
    assert found.close == Close(1000)
