"""A session of several channels: each hears its own, commands reach all or one, events name their channel."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
from support.scripted_input import ScriptedInput, silence, speech

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation import commands, events
from speechmlx.conversation.channels import ChannelSessions
from speechmlx.conversation.settings import Settings, Transcription

FORMAT = AudioFormat("float32", 16000, 2)
SETTINGS = Settings(transcribes_only=True, input=FORMAT, transcription=Transcription())


def stereo(left: np.ndarray, right: np.ndarray) -> bytes:
    return np.stack([left, right], axis=1).astype("<f4").tobytes()


async def heard(*sent: commands.Command) -> list[events.OnChannel]:
    """The events of a session that gets the commands, and then Finish."""
    async with asyncio.timeout(30), ChannelSessions(ScriptedInput(), SETTINGS, 2) as session:
        for command in (*sent, commands.Finish()):
            await session.send(command)
        return [event async for event in session.events() if isinstance(event, events.OnChannel)]


def of(found: list[events.OnChannel], kind: type[events.Event]) -> list[tuple[int, events.Event]]:
    return [(event.channel, event.event) for event in found if isinstance(event.event, kind)]


async def test_each_channel_hears_its_own() -> None:
    audio = stereo(
        np.concatenate([speech(1.0), silence(1.0)]), np.concatenate([silence(1.0), speech(0.2), silence(0.8)])
    )
    found = await heard(*(commands.Append(audio=audio[n : n + 999]) for n in range(0, len(audio), 999)))
    texts = {
        channel: event.transcript.text
        for channel, event in of(found, events.TranscriptDone)
        if isinstance(event, events.TranscriptDone)
    }
    assert texts == {0: "w1 w2", 1: "w1"}


async def test_a_flush_reaches_all_channels_or_one() -> None:
    one = commands.ToChannel(channel=1, command=commands.Flush())
    found = await heard(commands.Flush(), one)
    assert [channel for channel, _ in of(found, events.Flushed)].count(0) == 1
    assert [channel for channel, _ in of(found, events.Flushed)].count(1) == 2


async def test_an_event_of_the_wire_comes_once() -> None:
    found = await heard(commands.Emit(event=events.Cleared()))
    assert of(found, events.Cleared) == [(0, events.Cleared())]


async def test_settings_reach_all_channels_and_their_note_comes_once() -> None:
    changed = replace(SETTINGS, transcription=Transcription(keywords=("Ada",)))
    found = await heard(
        commands.Configure(settings=changed, note="n"), commands.Append(audio=stereo(speech(1.0), speech(1.0)))
    )
    notes = {
        channel: event.note for channel, event in of(found, events.Configured) if isinstance(event, events.Configured)
    }
    assert notes == {0: "n", 1: None}
    assert len(of(found, events.TranscriptDone)) == 2
