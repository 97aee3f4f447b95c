"""Translations of lines: which line gets what, and that clients of both modes stay in sync when a line changes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.asr_client import AsrClient
from unit.protocols.whisperlivekit.test_sync import MODES, Script

from speechmlx.conversation.events import (
    Committed,
    Event,
    SpeechStarted,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
    TranslationDone,
    TranslationFailed,
)
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.errors import EngineFailed
from speechmlx.protocols.whisperlivekit.lines import CaptionLine
from speechmlx.protocols.whisperlivekit.query import AsrQuery, session_settings
from speechmlx.protocols.whisperlivekit.translations import MOST_TURNS, LineTranslations
from speechmlx.protocols.whisperlivekit.wire import WhisperLiveKitWire
from speechmlx.types import Word


def line(text: str | None, item: str) -> CaptionLine:
    return CaptionLine(1, text, 0.0, 1.0, item=item)


@pytest.mark.parametrize(
    ("translation", "lines"),
    [
        ("Ja. Nein.", {1: "Ja.", 3: "Nein."}),
        ("Ja und nein.", {3: "Ja und nein."}),
        (" Ja. Nein. Doch.", {3: "Ja. Nein. Doch."}),
    ],
)
def test_a_sentence_for_each_line_or_all_for_the_last(translation: str, lines: dict[int, str]) -> None:
    waiting = LineTranslations()
    for one in (line("Hello.", "a"), line("Yes.", "b"), line(None, ""), line("No.", "b")):
        waiting.add(one)
    changed = waiting.translated("b", translation)
    assert {number: one.translation for number, one in changed.items()} == lines
    assert waiting.translated("b", translation) == {}


def test_what_waits_is_bounded() -> None:
    waiting = LineTranslations()
    for number in range(MOST_TURNS + 5):
        waiting.add(line("Yes.", f"{number}"))
    waiting.failed("50")
    assert waiting.translated("0", "Ja.") == waiting.translated("50", "Ja.") == {}
    assert list(waiting.translated("51", "Ja.")) == [51]


def translated(script: Script, chance: random.Random) -> list[Event]:
    """The events of a session whose turns are translated: some late, some never."""
    events: list[Event] = []
    waiting: list[str] = []
    for event in script.events:
        events.append(event)
        if isinstance(event, TranscriptDone | TranscriptFailed):
            waiting.append(event.item)
        while waiting and chance.random() < 0.5:
            item = waiting.pop(0)
            done = TranslationDone(item, f"{item} translated.", "de")
            events.append(done if chance.random() < 0.8 else TranslationFailed(item, EngineFailed("no")))
    return events


@given(st.integers(0, 2**32), st.sampled_from([0.001, 0.2, 3.0]))
def test_both_modes_have_the_same_lines_at_the_end(seed: int, pace: float) -> None:
    events, now = translated(Script(seed), random.Random(seed)), 0.0
    clients = {mode: AsrClient() for mode in MODES}
    wires = {}
    for mode in MODES:
        query = AsrQuery(mode=mode, target_language="de")
        wires[mode] = WhisperLiveKitWire(session_settings(query), query, lambda: now)
    for event in events:
        now += pace
        for mode in MODES:
            clients[mode].take_all(wires[mode].send(event))
    for mode in MODES:
        clients[mode].take_all(wires[mode].end())
    full, diff = clients["full"].lines, clients["diff"].lines
    assert full[len(full) - len(diff) :] == diff
    known = {event.text for event in events if isinstance(event, TranslationDone)}
    assert {one["translation"] for one in full if "translation" in one} <= known


@pytest.mark.parametrize("mode", MODES)
def test_a_line_changes_once_its_translation_is_there(mode: str) -> None:
    client = AsrClient()
    query = AsrQuery(mode=mode, target_language="de")
    wire = WhisperLiveKitWire(session_settings(query), query, lambda: 0.0)
    for n, item in enumerate(("a", "b")):
        words = (Word(" Hello", n, n + 0.4, 0.9), Word(" there.", n + 0.4, n + 0.8, 0.9))
        for event in (
            SpeechStarted(item, n),
            TranscriptDelta(item, TranscriptUpdate(" Hello there.", words)),
            Committed(item, None),
            TranscriptDone(item, Transcript("Hello there."), 1.0),
        ):
            client.take_all(wire.send(event))
    client.take_all(wire.tick(1.0))
    assert [one.get("translation") for one in client.lines] == [None, None]
    client.take_all(wire.send(TranslationDone("b", "Hallo.", "de")))
    client.take_all(wire.tick(2.0))
    assert [(one["text"], one.get("translation")) for one in client.lines] == [
        ("Hello there.", None),
        ("Hello there.", "Hallo."),
    ]
    client.take_all(wire.send(TranslationFailed("a", EngineFailed("the model is gone"))))
    client.take_all(wire.tick(3.0))
    assert client.errors == ["the model is gone"]
