"""Any session in full and in diff mode, replayed by the documented client: same words, in order, in sync."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.websockets import WebSocketState
from support.asr_client import AsrClient
from support.scripted_input import ScriptedInput, silence, speech

from speechmlx.audio.pcm import to_pcm16
from speechmlx.conversation.events import (
    Advanced,
    Committed,
    Event,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
)
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.errors import EngineFailed
from speechmlx.protocols.whisperlivekit.query import AsrQuery, session_settings
from speechmlx.protocols.whisperlivekit.wire import WhisperLiveKitWire
from speechmlx.protocols.ws import Answer, pump
from speechmlx.types import Word

MODES = ("full", "diff")


class Script:
    """A random session: `events` in an order that a session may have, `words` that are committed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._waiting: list[list[Event]] = []
        """Of each turn, events of its transcript that have not come."""
        self._committed: set[int] = set()
        self.words: list[str] = []
        self.at = 0.0
        self.events = list(self._session())

    def _session(self) -> Iterator[Event]:
        for number in range(self._random.randrange(6)):
            for event in self._turn(number):
                yield event
                yield from self._transcripts()
        while any(self._waiting):
            yield from self._transcripts()

    def _turn(self, number: int) -> Iterator[Event]:
        chance, item = self._random, f"item{number}"
        self.at += chance.choice([0.0, 0.4, 2.0, 6.0, 200.0])
        yield Advanced(self.at, self.at, self.at + chance.random(), False)
        start, count = self.at, chance.choice([0, 1, 3, 30, 100])
        self.at += 0.4 * count + 0.3
        self._waiting.append(list(self._transcript(item, start, count)))
        yield SpeechStarted(item, max(0.0, start - 0.3))
        if chance.random() < 0.5:
            yield SpeechPaused(item, start + 0.1, start + 0.3)
            yield SpeechResumed(item)
        yield Advanced(self.at, start, self.at, True)
        if chance.random() < 0.8:
            yield SpeechPaused(item, self.at, self.at + 0.2)
        self.at += 0.5
        yield SpeechStopped(item, self.at)
        self._committed.add(number)
        yield Committed(item, None)

    def _transcript(self, item: str, start: float, count: int) -> Iterator[Event]:
        chance, words = self._random, list[Word]()
        for n in range(count):
            text = f" w{len(self.words)}" + chance.choice(["", "", "", "", ".", ","])
            self.words.append(text.strip())
            at = start + n * 0.4
            words.append(Word(text, at, at + 0.4, 0.9, chance.choice([None, "x", "y"]) if n % 7 == 0 else None))
        while words:
            size = chance.randint(0, 5)
            step, words = words[:size], words[size:]
            held = tuple(words[: chance.choice([0, 0, 2])])
            tail = tuple(words[len(held) : len(held) + chance.randrange(4)])
            text = "".join(word.text for word in step)
            whole = bool(step) and chance.random() < 0.05  # recognised by a model without word times
            yield TranscriptDelta(item, TranscriptUpdate(text, () if whole else tuple(step), tail, None, None, held))
        if chance.random() < 0.8:
            yield TranscriptDone(item, Transcript(""), 1.0)
        else:
            yield TranscriptFailed(item, EngineFailed(f"{item} failed"))

    def _transcripts(self) -> Iterator[Event]:
        """Some of what waits; a transcript is done after its turn was committed."""
        for number, events in enumerate(self._waiting):
            for _ in range(self._random.randrange(4)):
                if events and (isinstance(events[0], TranscriptDelta) or number in self._committed):
                    yield events.pop(0)


@given(st.integers(0, 2**32), st.sampled_from([0.001, 0.03, 0.2, 3.0]))
@settings(deadline=None, max_examples=60)
def test_full_and_diff_say_the_same_at_every_update(seed: int, pace: float) -> None:
    script, now = Script(seed), 0.0
    wires, clients = [], {mode: AsrClient() for mode in MODES}
    for mode in MODES:
        query = AsrQuery(mode=mode)
        wires.append((clients[mode], WhisperLiveKitWire(session_settings(query), query, lambda: now)))
    for n, event in enumerate(script.events):
        now += pace
        for client, wire in wires:
            client.take_all(wire.send(event))
            client.take_all(wire.tick(now) if n % 10 == 0 else ())
    for client, wire in wires:
        client.take_all(wire.end())
        assert client.is_ready and client.committed == client.text == " ".join(script.words)
        client.check_times(script.at + 0.5)
    full, diff = clients["full"], clients["diff"]
    assert [text.split() for text in full.texts] == [text.split() for text in diff.texts]
    assert diff.pruned + diff.lines == full.lines


class Socket:
    """A client that sends `pieces`, then an empty message, and leaves at ready_to_stop."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.application_state = WebSocketState.CONNECTED
        self.client = AsrClient()
        self._pieces = [*pieces, b""]
        self._ready = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self._pieces:
            return {"type": "websocket.receive", "bytes": self._pieces.pop(0)}
        await self._ready.wait()
        return {"type": "websocket.disconnect"}

    async def connected(self) -> float:
        return 0.0

    async def send_text(self, text: str) -> None:
        self.client.take(text)
        if self.client.is_ready:
            self._ready.set()


def cut(audio: bytes, chance: random.Random) -> list[bytes]:
    """`audio` in pieces of random sizes, odd ones as well."""
    pieces = []
    while audio:
        size = chance.choice([1, 511, 3200, 16000, 16001, 100_000])
        pieces.append(audio[:size])
        audio = audio[size:]
    return pieces


class Listening(WhisperLiveKitWire):
    """Keeps the words that the session commits."""

    def __init__(self, query: AsrQuery) -> None:
        super().__init__(session_settings(query), query)
        self.words: list[str] = []

    def send(self, event: Event) -> Sequence[Answer]:
        if isinstance(event, TranscriptDelta):
            self.words += [word.text.strip() for word in event.update.committed]
        return super().send(event)


async def transcribed(samples: np.ndarray, query: AsrQuery, chance: random.Random) -> AsrClient:
    """The client at the end of a session. It has the session's words."""
    socket, wire = Socket(cut(to_pcm16(samples), chance)), Listening(query)
    session = TranscriptionSession(ScriptedInput(), session_settings(query))
    async with asyncio.timeout(30):
        await pump(socket, wire, session, asyncio.Event())  # type: ignore[arg-type]
    client = socket.client
    assert client.is_ready and client.committed == client.text == " ".join(wire.words)
    client.check_times(len(samples) / 16000)
    return client


@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 5), st.integers(1, 13)), max_size=4))
@settings(deadline=None, max_examples=15)
def test_real_sessions_however_their_audio_is_cut(seed: int, parts: list[tuple[int, int]]) -> None:
    """`parts`: words of speech and half seconds of silence."""
    chance = random.Random(seed)
    samples = np.concatenate([silence(0.0), *(piece for words, quiet in parts for piece in _audio(words, quiet))])
    full, diff = [asyncio.run(transcribed(samples, AsrQuery(mode=mode), chance)) for mode in MODES]
    assert bool(full.spoken) == any(words for words, _ in parts)
    assert diff.pruned + diff.lines == full.lines


def _audio(words: int, quiet: int) -> tuple[np.ndarray, np.ndarray]:
    return speech(words / 2), silence(quiet / 2)


@pytest.mark.parametrize("mode", MODES)
async def test_speakers_of_a_real_session(mode: str) -> None:
    samples = np.concatenate([speech(1.5, 0.9), speech(1.0, 0.5), silence(1.0), speech(1.5, 0.9), silence(7.0)])
    client = await transcribed(samples, AsrQuery(mode=mode, diarization=True), random.Random(1))
    assert [line["speaker"] for line in client.lines] == [1, 2, 1, -2]


async def test_a_session_that_has_no_speech_ends_with_no_words() -> None:
    client = await transcribed(silence(3.0), AsrQuery(mode="diff"), random.Random(2))
    assert client.is_ready and client.lines == [] and client.state["status"] == "no_audio_detected"
