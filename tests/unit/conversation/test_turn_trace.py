"""The spans of a turn: endpointing and recognition, for each turn of a session."""

from __future__ import annotations

import time

import pytest
from support.scripted_input import ScriptedInput, silence, speech
from support.traces import named, parent_of, spans_in_memory

from speechmlx import tracing
from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.commands import Append, Finish
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.conversation.turn_trace import begin_turn


def test_a_turn_begins_with_the_end_of_speech() -> None:
    with spans_in_memory() as exporter:
        begin_turn("item_1", 0.5, 2.0).end()
    spans = named(exporter)
    turn, endpointing = spans["turn"], spans["endpointing"]
    assert parent_of(endpointing) == turn.context.span_id and turn.start_time == pytest.approx(endpointing.start_time)
    assert endpointing.start_time is not None and endpointing.end_time is not None
    assert (endpointing.end_time - endpointing.start_time) / 1e9 == pytest.approx(0.5, abs=0.01)
    assert endpointing.start_time / 1e9 == pytest.approx(time.time() - 0.5, abs=1)
    assert turn.attributes == {"speechmlx.item": "item_1", "speechmlx.audio_s": 2.0}


def test_nothing_is_made_where_nothing_is_traced() -> None:
    assert begin_turn("item_1", 0.5, 2.0) is tracing.NO_SPAN


async def test_each_turn_of_a_session_has_its_stages() -> None:
    format = AudioFormat("float32", 16000)
    settings = Settings(transcribes_only=True, input=format, transcription=Transcription())
    with spans_in_memory() as exporter, tracing.span("session"):
        async with TranscriptionSession(ScriptedInput(), settings) as session:
            for samples in (speech(1.0), silence(1.5), speech(1.0), silence(1.5)):
                for place in range(0, len(samples), 1600):
                    await session.send(Append(audio=format.encode(samples[place : place + 1600])))
            await session.send(Finish())
            async for _ in session.events():
                pass
    spans = exporter.get_finished_spans()
    turns = [span for span in spans if span.name == "turn"]
    assert len(turns) == 2
    for turn in turns:
        inside = [span.name for span in spans if parent_of(span) == turn.context.span_id]
        assert {"endpointing", "recognition"} <= set(inside)
