"""The log of both processes: its lines, where they go, and what is known of the request that a line is about."""

from __future__ import annotations

from speechmlx.log.record import RequestRecord, current, naming, new_id, note_error, recording
from speechmlx.log.setup import LogSettings, start

__all__ = ["LogSettings", "RequestRecord", "current", "naming", "new_id", "note_error", "recording", "start"]
