"""A session and its wire without a server: clients have the words of the core exactly once, however the audio comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scripted_input import ScriptedInput, silence, speech
from support.whisperlive_reader import WhisperLiveReader, text_of

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation import commands, events
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.protocols.whisperlive.options import TURNS, ClientOptions
from speechmlx.protocols.whisperlive.series import WhisperLiveSeries
from speechmlx.protocols.whisperlive.wire import PROGRESS, WhisperLiveWire
from speechmlx.protocols.ws import Answer, Close
from speechmlx.runtime.front.metrics import Metrics
from speechmlx.types import SpeakerOptions


@dataclass
class Heard:
    """What the core found, and what a client has of it."""

    reader: WhisperLiveReader = field(default_factory=lambda: WhisperLiveReader("u"))
    turns: dict[str, list[str]] = field(default_factory=dict)
    """The words of each item, in the order of the turns: a short turn may be transcribed before the one before it."""
    closed: list[Close] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        return [word for turn in self.turns.values() for word in turn]

    def take(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if isinstance(answer, str):
                self.reader.read(answer)
            else:
                assert isinstance(answer, Close)
                self.closed.append(answer)


async def talk(
    audio: np.ndarray,
    sizes: list[int],
    format: AudioFormat,
    lapses: set[int],
    live: bool,
    speakers: SpeakerOptions | None = None,
) -> Heard:
    """Send `audio` in messages of `sizes` bytes, over and over, with a Lapse after those in `lapses`; then its end."""
    heard = Heard()
    wire = WhisperLiveWire(ClientOptions(uid="u", format=format), WhisperLiveSeries(Metrics()))
    transcription = Transcription(words=True, speakers=speakers)
    made = Settings(transcribes_only=True, input=format, turns=TURNS, transcription=transcription, progress=PROGRESS)
    async with asyncio.timeout(20), TranscriptionSession(ScriptedInput(live=live), made) as session:

        async def collect() -> None:
            async for event in session.events():
                if isinstance(event, events.Committed):
                    heard.turns.setdefault(event.item, [])
                if isinstance(event, events.TranscriptDelta):
                    turn = heard.turns.setdefault(event.item, [])
                    turn += [word.text.strip() for word in event.update.committed]
                heard.take(wire.send(event))
            heard.take(wire.end())

        collecting = asyncio.create_task(collect())
        data, number = format.encode(audio), 0
        while data:
            size = sizes[number % len(sizes)]
            for command in wire.receive(data[:size]):
                await session.send(command)
            if number in lapses:
                await session.send(commands.Lapse())
            data, number = data[size:], number + 1
        for command in wire.receive(b"END_OF_AUDIO"):
            await session.send(command)
        await collecting
    return heard


PIECE = st.tuples(st.booleans(), st.integers(1, 30)).map(
    lambda it: speech(it[1] / 10) if it[0] else silence(it[1] / 10)
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(PIECE, min_size=1, max_size=6),
    st.lists(st.integers(1, 40_000), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) > 4000),
    st.sampled_from([AudioFormat("float32", 16000), AudioFormat("pcm16", 16000), AudioFormat("uint8", 16000)]),
    st.sets(st.integers(0, 20), max_size=3),
    st.booleans(),
)
def test_however_the_audio_comes(
    pieces: list[np.ndarray], sizes: list[int], format: AudioFormat, lapses: set[int], live: bool
) -> None:
    audio = np.concatenate(pieces)
    heard = asyncio.run(talk(audio, sizes, format, lapses, live))
    reader = heard.reader
    for segments in (reader.committed, reader.transcript, reader.subtitles()):
        assert text_of(segments).split() == heard.words
    assert all(0 <= float(one["start"]) < float(one["end"]) for one in reader.committed)
    assert all(float(one["end"]) <= len(audio) / 16000 + 0.5 for one in reader.committed)
    assert heard.closed == [Close(1000)]


@pytest.mark.parametrize("live", [True, False])
async def test_every_word_of_the_speech_is_there(live: bool) -> None:
    audio = np.concatenate([speech(1.0), silence(1.0), speech(0.5)])
    heard = await talk(audio, [16384], AudioFormat("float32", 16000), set(), live)
    assert text_of(heard.reader.committed) == "w1 w2 w1"


async def test_another_speaker_begins_another_segment() -> None:
    audio = np.concatenate([speech(1.0, 0.5), speech(1.0, 0.9)])
    heard = await talk(audio, [16384], AudioFormat("float32", 16000), set(), True, SpeakerOptions())
    told = [(segment["speaker"], segment["text"]) for segment in heard.reader.committed]
    assert told == [("SPEAKER_00", " w1 w2"), ("SPEAKER_01", " w3 w4")]
