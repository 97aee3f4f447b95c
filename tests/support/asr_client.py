"""The documented client of /asr: applies snapshots and diffs, and checks what every message promises."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
BUFFERS = ("buffer_diarization", "buffer_transcription")
TIMES = (
    "remaining_time_transcription",
    "remaining_time_transcription_processing",
    "remaining_time_transcription_policy",
    "remaining_time_diarization",
)


@dataclass
class AsrClient:
    """`take` the messages in order. `state` is the newest full state, `lines` what a client shows as lines."""

    lines: list[Json] = field(default_factory=list)
    state: Json = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    """`text` after each update."""
    pruned: list[Json] = field(default_factory=list)
    is_ready: bool = False
    config: Json = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    _number: int = 0

    def take(self, raw: str) -> None:
        assert not self.is_ready, f"after ready_to_stop: {raw}"
        message = json.loads(raw)
        match message.get("type"):
            case "config":
                assert not self.state
                self.config = message
            case "ready_to_stop":
                self.is_ready = True
            case "snapshot" | "diff" as kind:
                self._number += 1
                assert message["seq"] == self._number and (kind == "snapshot") == (self._number == 1)
                self._apply(message)
            case None:
                self.lines = message["lines"]
                self._update(message)
            case other:
                raise AssertionError(f"{other}: {raw}")

    def take_all(self, messages: Iterable[object]) -> None:
        for message in messages:
            assert isinstance(message, str)
            self.take(message)

    def _apply(self, message: Json) -> None:
        if message["type"] == "snapshot":
            self.lines = list(message["lines"])
        else:
            count = message.get("lines_pruned", 0)
            self.pruned += self.lines[:count]
            del self.lines[:count]
            self.lines += message.get("new_lines", [])
            assert len(self.lines) == message["n_lines"]
        self._update(message)

    def _update(self, message: Json) -> None:
        assert all(message[name] >= 0 for name in TIMES), message
        assert message["status"] in ("active_transcription", "no_audio_detected", "error")
        assert (message["status"] == "error") == ("error" in message)
        self.errors += [message["error"]] if "error" in message else []
        self.state = message
        self.texts.append(self.text)

    @property
    def spoken(self) -> list[Json]:
        """All lines that are not silence, also those that were pruned."""
        return [line for line in self.pruned + self.lines if line["text"] is not None]

    @property
    def committed(self) -> str:
        """The words of the lines."""
        return " ".join(line["text"] for line in self.spoken)

    @property
    def text(self) -> str:
        """The words of lines and buffers."""
        return " ".join(filter(None, [self.committed, *(self.state[name] for name in BUFFERS)]))

    def check_times(self, seconds: float) -> None:
        """Every line is in the audio and none begins before the one before it ends."""
        end = 0.0
        for line in self.pruned + self.lines:
            assert end <= line["start_s"] + 1e-3 and line["start_s"] <= line["end_s"] <= seconds + 1e-3, line
            assert (line["speaker"] == -2) == (line["text"] is None) and line["text"] != ""
            end = line["end_s"]
