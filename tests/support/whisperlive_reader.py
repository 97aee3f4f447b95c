"""What WhisperLive's two client classes make of a server's messages: their documented rules, for property tests."""

from __future__ import annotations

import json
from typing import Any


class WhisperLiveReader:
    """Reads the messages of one connection."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.messages: list[dict[str, Any]] = []
        self.committed: list[dict[str, Any]] = []
        """The streaming client: each completed segment once, by its start, end and text."""
        self.transcript: list[dict[str, Any]] = []
        """The recording client: completed segments that begin after the end of the one before."""
        self.last_open: dict[str, Any] | None = None
        self._keys: set[tuple[str, str, str]] = set()

    def read(self, message: str) -> None:
        told = json.loads(message)
        assert told["uid"] == self.uid
        self.messages.append(told)
        segments = told.get("segments", ())
        for segment in segments:
            if not segment["completed"]:
                continue
            key = (segment["start"], segment["end"], segment["text"])
            if key not in self._keys:
                self._keys.add(key)
                self.committed.append(segment)
            if not self.transcript or float(segment["start"]) >= float(self.transcript[-1]["end"]):
                self.transcript.append(segment)
        if segments and not segments[-1]["completed"]:
            self.last_open = segments[-1]

    def subtitles(self) -> list[dict[str, Any]]:
        """What the recording client writes: its transcript, and the open segment if that says something else."""
        last = self.last_open
        if last is not None and (not self.transcript or self.transcript[-1]["text"] != last["text"]):
            return [*self.transcript, last]
        return self.transcript


def text_of(segments: list[dict[str, Any]]) -> str:
    return " ".join(segment["text"].strip() for segment in segments if segment["text"].strip())
