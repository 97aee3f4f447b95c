"""The JSON of /asr: the fields of each message, times, and what of old lines is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.asr_client import AsrClient

from speechmlx.protocols.whisperlivekit import messages
from speechmlx.protocols.whisperlivekit.lines import SILENCE, CaptionLine
from speechmlx.protocols.whisperlivekit.messages import CaptionState, DiffUpdates, FullUpdates, clock_text

LINE = CaptionLine(1, " Hello world.", 0.0, 3.21)
OPEN = CaptionLine(2, " And", 4.0, 4.5, language="en")
REST = {
    "buffer_translation": "",
    "remaining_time_transcription": 0.0,
    "remaining_time_transcription_processing": 0.0,
    "remaining_time_transcription_policy": 0.0,
    "remaining_time_diarization": 0.0,
}


def full(*lines: CaptionLine, **state: Any) -> dict[str, Any]:
    update: dict[str, Any] = json.loads(FullUpdates(False).update(lines, CaptionState(**state), 10.0))
    return update


def test_a_full_update_has_every_line_and_the_open_one() -> None:
    assert full(LINE, open=OPEN, heard=True, unattributed="you", tail="too") == {
        "status": "active_transcription",
        "lines": [
            {"speaker": 1, "text": "Hello world.", "start": "0:00:00", "end": "0:00:03", "start_s": 0.0, "end_s": 3.21},
            {
                "speaker": 2,
                "text": "And",
                "start": "0:00:04",
                "end": "0:00:04",
                "start_s": 4.0,
                "end_s": 4.5,
                "detected_language": "en",
            },
        ],
        "buffer_transcription": "too",
        "buffer_diarization": "you",
        **REST,
    }


def test_silence_has_no_text() -> None:
    (line,) = full(CaptionLine(SILENCE, None, 10.0, 16.0), heard=True)["lines"]
    assert (line["speaker"], line["text"], line["start"], line["end"]) == (-2, None, "0:00:10", "0:00:16")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({}, "no_audio_detected"),
        ({"tail": "so"}, "active_transcription"),
        ({"unattributed": "so"}, "active_transcription"),
        ({"open": OPEN}, "active_transcription"),
        ({"heard": True}, "active_transcription"),
        ({"heard": True, "error": "FFmpeg error: no"}, "error"),
    ],
)
def test_the_status(state: dict[str, Any], status: str) -> None:
    update = full(**state)
    assert update["status"] == status and update.get("error", "") == state.get("error", "")


def test_a_diff_has_closed_lines_and_the_open_one_in_the_buffer() -> None:
    writer = DiffUpdates(False)
    first = json.loads(writer.update([], CaptionState(open=OPEN, tail="so"), 1.0))
    assert first == {
        "type": "snapshot",
        "seq": 1,
        "status": "active_transcription",
        "lines": [],
        "buffer_transcription": "And so",
        "buffer_diarization": "",
        **REST,
    }
    second = json.loads(writer.update([LINE], CaptionState(open=OPEN, unattributed="you", tail="so"), 1.0))
    assert (second["type"], second["seq"], second["n_lines"], len(second["new_lines"])) == ("diff", 2, 1, 1)
    assert (second["buffer_diarization"], second["buffer_transcription"]) == ("And you", "so")
    third = json.loads(writer.update([], CaptionState(heard=True), 1.0))
    assert third["n_lines"] == 1 and third.keys().isdisjoint({"new_lines", "lines_pruned", "lines", "error"})


def test_a_diff_drops_lines_of_more_than_five_minutes_ago() -> None:
    writer, client = DiffUpdates(False), AsrClient()
    for n in range(100):
        client.take(writer.update([CaptionLine(1, f" {n}.", n * 10.0, n * 10 + 5.0)], CaptionState(), n * 10 + 5.0))
    assert len(client.lines) == 31 and client.lines[0]["start_s"] == 690.0
    assert client.committed == " ".join(f"{n}." for n in range(100))


def test_a_full_update_keeps_a_day_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_LINES", 3)
    writer = FullUpdates(False)
    lines = [CaptionLine(1, f" {n}.", float(n), n + 1.0) for n in range(5)]
    update = json.loads(writer.update(lines, CaptionState(open=OPEN), 5.0))
    assert [line["text"] for line in update["lines"]] == ["2.", "3.", "4.", "And"]


@pytest.mark.parametrize(
    ("seconds", "whole", "exact"),
    [
        (0.0, "0:00:00", "0:00:00.00"),
        (59.999, "0:00:59", "0:01:00.00"),
        (61.256, "0:01:01", "0:01:01.26"),
        (3599.99, "0:59:59", "0:59:59.99"),
        (90061.5, "25:01:01", "25:01:01.50"),
    ],
)
def test_times(seconds: float, whole: str, exact: str) -> None:
    assert (clock_text(seconds, False), clock_text(seconds, True)) == (whole, exact)


def test_the_other_messages() -> None:
    config = {"type": "config", "useAudioWorklet": True, "mode": "other"}
    assert json.loads(messages.config("other")) == config
    assert json.loads(messages.error("no")) == {"type": "error", "error": "no"}
    assert json.loads(messages.ready_to_stop()) == {"type": "ready_to_stop"}
