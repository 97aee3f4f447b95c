"""Hostile inputs against real servers: bytes with two meanings one by one, and a short form of scripts/soak hostile."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.hostile.raw_http import AMBIGUOUS, attack_ambiguous
from support.hostile.run import HostileRun
from support.hostile.target import Target


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_bytes_that_two_readers_understand_differently_are_answered_once(listening: Any, name: str) -> None:
    port = urlsplit(listening.url).port
    assert port is not None
    assert await attack_ambiguous(Target(port, 0, 0, ssl.create_default_context()), name) is None


@pytest.mark.parametrize("path", ["client_secrets", "sessions", "transcription_sessions"])
def test_half_a_character_is_refused_where_a_session_is_made(listening: Any, path: str) -> None:
    """It was an error of the server, as it could not be sent back."""
    with listening.client() as client:
        answer = client.post(f"/v1/realtime/{path}", content=rb'{"session": {"type": "realtime"}, "model": "\ud800"}')
    assert answer.status_code == 400 and "half of a character" in answer.text


@pytest.mark.timeout(300)
async def test_hostile_inputs_of_every_kind() -> None:
    """The same ones each time; many more of them, and whether memory grows: scripts/soak hostile."""
    verdict = await HostileRun(800, seed=7, brief=True).run()
    assert verdict.wrong == []
    assert len(verdict.sent) == 9 and sum(verdict.sent.values()) > 700
