"""The messages of /asr as JSON: config, update (full mode), snapshot and diff, error, ready_to_stop."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from speechmlx.protocols.whisperlivekit.lines import CaptionLine, joined

KEPT = 300.0
"""Seconds of audio after which the client of a diff is told to drop a line."""
MOST_LINES = 20000
"""Lines of a full update, some 400 bytes each at most. Older ones, after a day of speech or so, are left out."""


HANDED_OVER = 256 * 1024
"""Characters of the lines of a full update that another server gets, some 700 lines."""


@dataclass(frozen=True, kw_only=True)
class CaptionState:
    """What an update shows beside the closed lines. Times in seconds."""

    open: CaptionLine | None = None
    unattributed: str = ""
    tail: str = ""
    error: str = ""
    heard: bool = False
    """Whether there was a line, ever."""
    untranscribed: float = 0.0
    """Audio that waits for recognition."""
    uncommitted: float = 0.0
    """Recognised audio whose words may change."""
    undiarized: float = 0.0
    """Audio that waits for its speaker."""

    @property
    def content(self) -> tuple[object, ...]:
        """All but the times."""
        return self.open, self.unattributed, self.tail, self.error, self.heard

    def fields(self, unattributed: str, tail: str) -> dict[str, Any]:
        """The fields of every update after its lines, with the texts that are not final."""
        result: dict[str, Any] = {
            "buffer_transcription": tail,
            "buffer_diarization": unattributed,
            "buffer_translation": "",
            "remaining_time_transcription": self.untranscribed,
            "remaining_time_transcription_processing": self.untranscribed,
            "remaining_time_transcription_policy": self.uncommitted,
            "remaining_time_diarization": self.undiarized,
        }
        return {**result, "error": self.error} if self.error else result

    @property
    def status(self) -> str:
        if self.error:
            return "error"
        is_empty = not (self.heard or self.open or self.unattributed or self.tail)
        return "no_audio_detected" if is_empty else "active_transcription"


class Updates(Protocol):
    """Writes the updates of one client."""

    def update(self, fresh: Sequence[CaptionLine], state: CaptionState, position: float) -> str:
        """The next one. `fresh`: lines closed since the last. `position`: seconds of audio so far."""

    def change(self, lines: Mapping[int, CaptionLine]) -> None:
        """Lines that are other lines now, by their number since the first one. The next update has them."""

    def state(self) -> dict[str, Any]:
        """What another one needs to go on where this one is: the newest lines alone, where there are many."""

    def restore(self, state: dict[str, Any], updates: int) -> None:
        """Go on where another was, after so many updates."""


class FullUpdates:
    """Every update has all lines, the open one last. Keeps the newest MOST_LINES."""

    def __init__(self, centiseconds: bool) -> None:
        self._centiseconds = centiseconds
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        """The closed lines as JSON."""
        self._count = 0
        """Lines so far, also those that are not kept."""

    def change(self, lines: Mapping[int, CaptionLine]) -> None:
        for number, line in lines.items():
            if (place := number - (self._count - len(self._lines))) >= 0:
                self._lines[place] = _dumped(as_json(line, self._centiseconds))

    def state(self) -> dict[str, Any]:
        kept, size = deque[str](), 0
        for line in reversed(self._lines):
            size += len(line)
            if size > HANDED_OVER:
                break
            kept.appendleft(line)
        return {"count": self._count, "lines": list(kept)}

    def restore(self, state: dict[str, Any], updates: int) -> None:
        self._count = state["count"]
        self._lines.extend(state["lines"])

    def update(self, fresh: Sequence[CaptionLine], state: CaptionState, position: float) -> str:
        self._count += len(fresh)
        self._lines.extend(_dumped(as_json(line, self._centiseconds)) for line in fresh)
        lines = list(self._lines)
        if state.open is not None:
            lines.append(_dumped(as_json(state.open, self._centiseconds)))
        rest = _dumped(state.fields(state.unattributed, state.tail))
        return f'{{"status": "{state.status}", "lines": [{", ".join(lines)}], {rest[1:]}'


class DiffUpdates:
    """A snapshot, then differences. Only closed lines are lines, and they change with their translation alone.

    Then the client drops all lines and gets them again. The open line's text is the beginning of the buffers. Keeps the
    lines that the client has, which are those of the last KEPT seconds.
    """

    def __init__(self, centiseconds: bool) -> None:
        self._centiseconds = centiseconds
        self._number = 0
        self._lines: deque[CaptionLine] = deque()
        """The lines that the client has."""
        self._dropped = 0
        """Lines before them."""
        self._has_changed = False

    def change(self, lines: Mapping[int, CaptionLine]) -> None:
        for number, line in lines.items():
            if number >= self._dropped:
                self._lines[number - self._dropped] = line
                self._has_changed = True

    def state(self) -> dict[str, Any]:
        return {"dropped": self._dropped, "lines": [asdict(line) for line in self._lines]}

    def restore(self, state: dict[str, Any], updates: int) -> None:
        self._number, self._dropped = updates, state["dropped"]
        self._lines.extend(CaptionLine(**fields) for fields in state["lines"])

    def update(self, fresh: Sequence[CaptionLine], state: CaptionState, position: float) -> str:
        self._number += 1
        pruned, shown = self._prune(position - KEPT), fresh
        if self._has_changed:
            pruned, shown, self._has_changed = pruned + len(self._lines), [*self._lines, *fresh], False
        self._lines.extend(fresh)
        lines = [as_json(line, self._centiseconds) for line in shown]
        unattributed, tail = state.unattributed, state.tail
        begun = "" if state.open is None else state.open.text or ""
        if unattributed:
            unattributed = joined(begun, unattributed)
        else:
            tail = joined(begun, tail)
        head: dict[str, Any] = {"seq": self._number, "status": state.status}
        if self._number == 1:
            return _dumped({"type": "snapshot", **head, "lines": lines, **state.fields(unattributed, tail)})
        head["n_lines"] = len(self._lines)
        if pruned:
            head["lines_pruned"] = pruned
        if lines:
            head["new_lines"] = lines
        return _dumped({"type": "diff", **head, **state.fields(unattributed, tail)})

    def _prune(self, before: float) -> int:
        """Forget the lines that ended `before`: how many."""
        count = 0
        while self._lines and self._lines[0].end < before:
            self._lines.popleft()
            count += 1
        self._dropped += count
        return count


def config(mode: str, **more: Any) -> str:
    """The first message of a connection. Containers are taken as well as PCM."""
    return _dumped({"type": "config", "useAudioWorklet": True, "mode": mode, **more})


def error(text: str) -> str:
    """Why the server closes the socket."""
    return _dumped({"type": "error", "error": text})


def ready_to_stop() -> str:
    """The last message."""
    return _dumped({"type": "ready_to_stop"})


def as_json(line: CaptionLine, centiseconds: bool) -> dict[str, Any]:
    """A line with its times as texts and in seconds."""
    result: dict[str, Any] = {
        "speaker": line.speaker,
        "text": None if line.text is None else line.text.strip(),
        "start": clock_text(line.start, centiseconds),
        "end": clock_text(line.end, centiseconds),
        "start_s": round(line.start, 3),
        "end_s": round(line.end, 3),
    }
    if line.translation is not None:
        result["translation"] = line.translation
    return result if line.language is None else {**result, "detected_language": line.language}


def clock_text(seconds: float, centiseconds: bool) -> str:
    """H:MM:SS, of whole seconds that have passed; or H:MM:SS.cc, rounded."""
    hundredths = round(seconds * 100) if centiseconds else int(seconds) * 100
    minutes, rest = divmod(hundredths, 6000)
    text = f"{minutes // 60}:{minutes % 60:02}:{rest // 100:02}"
    return f"{text}.{rest % 100:02}" if centiseconds else text


def _dumped(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False)
