"""What of `scripts/bench wires` can be wrong in silence: the delays of words, and the clients' transcripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))
import wire_clients
import wire_measures
from wire_clients import Shown, SocketClient, Streamed
from wire_measures import Timed

PIECE = 1600
"""100 ms: the piece number n is sent at (n + 1) / 10 here."""
REFERENCE = [Timed("one", 0.15), Timed("two", 0.55), Timed("three", 0.95)]


def streamed(*shown: tuple[float, str, str]) -> Streamed:
    sent = [(number + 1) / 10 for number in range(10)]
    return Streamed(sent, 1.0, 2.0, [Shown(when, final, tail) for when, final, tail in shown])


def test_a_word_is_late_from_the_piece_with_its_end() -> None:
    found = wire_measures.delays(
        streamed((0.5, "", "One"), (0.8, "One.", "too"), (0.9, "One.", "two"), (1.5, "One. Two three", "")),
        PIECE,
        REFERENCE,
    )
    assert found.shown == pytest.approx({0: 0.3, 1: 0.3, 2: 0.5})
    assert found.final == pytest.approx({0: 0.6, 1: 0.9, 2: 0.5})
    assert (found.never_final, found.taken_back) == (0, 0)


def test_words_that_never_are_final_and_final_words_that_change() -> None:
    found = wire_measures.delays(
        streamed((0.4, "won", ""), (0.8, "one", "two"), (0.9, "one", "two four")), PIECE, REFERENCE
    )
    assert found.final == pytest.approx({0: 0.6})
    assert found.shown == pytest.approx({0: 0.6, 1: 0.2})
    assert (found.never_final, found.taken_back) == (2, 1)


def test_a_word_before_it_that_comes_late_moves_no_shown_time() -> None:
    found = wire_measures.delays(
        streamed((0.8, "", "two"), (0.9, "", "one two"), (1.2, "one two", "")), PIECE, REFERENCE
    )
    assert found.shown == pytest.approx({0: 0.7, 1: 0.2})


@pytest.mark.parametrize(
    ("crowd", "lag"),
    [
        ([{0: 0.5, 1: 0.5}], 0.0),
        ([{0: 0.5, 1: 0.5}, {0: 1.5, 1: 1.5}], 1.0),
        ([{0: 0.5}], None),
        ([{}], None),
    ],
)
def test_the_lag_of_a_crowd(crowd: list[dict[int, float]], lag: float | None) -> None:
    assert wire_measures.lag({0: 0.5, 1: 0.5}, crowd) == lag


def test_who_falls_behind_alone() -> None:
    assert wire_measures.keeps_up(dict(enumerate([0.5] * 8)), 9)
    assert not wire_measures.keeps_up(dict(enumerate([0.5] * 8)), 16)
    assert not wire_measures.keeps_up(dict(enumerate(range(8))), 8)
    assert not wire_measures.keeps_up({}, 0)


def test_added_time_is_from_the_newest_message() -> None:
    found = wire_measures.added(streamed((0.21, "a", ""), (0.25, "a", ""), (0.42, "a", "b"), (1.1, "a b c", "")))
    assert found == pytest.approx([0.01, 0.02])


def segment(start: float, end: float, text: str, completed: bool = True) -> dict[str, Any]:
    return {"start": f"{start:.3f}", "end": f"{end:.3f}", "text": text, "completed": completed}


CASES: list[tuple[type[SocketClient], list[dict[str, Any]], str, str, bool]] = [
    (
        wire_clients.Asr,
        [
            {
                "lines": [{"text": " One"}, {"text": None}, {"text": " two"}],
                "buffer_transcription": " three",
                "buffer_diarization": "",
            }
        ],
        "One two",
        "three",
        True,
    ),
    (wire_clients.Asr, [{"type": "ready_to_stop"}], "", "", False),
    (
        wire_clients.Deepgram,
        [
            {"type": "Results", "is_final": final, "channel": {"alternatives": [{"transcript": text}]}}
            for final, text in ((False, "won"), (True, "one"), (False, "two"))
        ],
        "one",
        "two",
        True,
    ),
    (
        wire_clients.WhisperLive,
        [
            {"segments": [segment(0, 1, "one"), segment(1, 2, "to", completed=False)]},
            {"segments": [segment(0, 1, "one"), segment(1, 2, "two")]},
            {"segments": [segment(1, 2, "two"), segment(2, 3, "three", completed=False)]},
        ],
        "one two",
        "three",
        True,
    ),
    (
        wire_clients.RealtimeTranscription,
        [
            {"type": "conversation.item.input_audio_transcription.delta", "item_id": "a", "delta": "one "},
            {"type": "conversation.item.input_audio_transcription.delta", "item_id": "a", "delta": "too"},
            {"type": "conversation.item.input_audio_transcription.delta", "item_id": "b", "delta": "three"},
            {"type": "conversation.item.input_audio_transcription.completed", "item_id": "a", "transcript": "one two"},
        ],
        "one two three",
        "",
        True,
    ),
]


@pytest.mark.parametrize(("wire", "messages", "final", "tail", "goes_on"), CASES)
def test_what_a_client_has(
    wire: type[SocketClient], messages: list[dict[str, Any]], final: str, tail: str, goes_on: bool
) -> None:
    client = wire(0)
    went_on = [client.take(message) for message in messages]
    assert (client.final.split(), client.tail.split(), went_on[-1]) == (final.split(), tail.split(), goes_on)


def test_a_realtime_session_is_over_when_its_last_turn_is_complete() -> None:
    client = wire_clients.RealtimeTranscription(0)
    client.told_end = True
    kind = "conversation.item.input_audio_transcription.completed"
    assert client.take({"type": "input_audio_buffer.committed", "item_id": "a"})
    assert not client.take({"type": kind, "item_id": "a", "transcript": "one"})
