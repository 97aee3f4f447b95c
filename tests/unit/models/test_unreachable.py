"""Whether the hub can be reached: what is known of it grows old."""

from __future__ import annotations

import pytest

from speechmlx.models import hub_source
from speechmlx.models.hub_source import SAME, unreachable


def test_an_answer_counts_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[str | None] = [None, "Connection refused"]
    now = 100.0
    monkeypatch.setattr(hub_source, "_unreachable", lambda endpoint: answers.pop())
    monkeypatch.setattr(hub_source, "_answers", {})
    monkeypatch.setattr("speechmlx.models.hub_source.time.monotonic", lambda: now)
    assert unreachable("a hub") == unreachable("a hub") == "Connection refused"
    now += SAME + 1
    assert unreachable("a hub") is None
    assert not answers
