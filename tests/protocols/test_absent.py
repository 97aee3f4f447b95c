"""What OpenAI's clients try and is not here: an error that they show, with the sentence, and no second try."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

MESSAGES: Any = [{"role": "user", "content": "Hello!"}]


@pytest.fixture
def talk(server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=5, timeout=30) as client:
        yield client


def test_calls_name_the_websocket(talk: openai.OpenAI) -> None:
    began = time.monotonic()
    for call in (
        lambda: talk.realtime.calls.create(sdp="v=0\r\n", session={"type": "realtime"}),
        lambda: talk.realtime.calls.accept("call_1", type="realtime"),
        lambda: talk.realtime.calls.hangup("call_1"),
        lambda: talk.realtime.calls.refer("call_1", target_uri="tel:+15550100"),
        lambda: talk.realtime.calls.reject("call_1"),
    ):
        with pytest.raises(openai.APIStatusError, match="open a WebSocket to /v1/realtime") as error:
            call()
        assert (error.value.status_code, error.value.code) == (501, "not_supported")
    assert time.monotonic() - began < 5, "not tried again: five more tries would take ten seconds each"


def test_chat_says_where_the_language_model_answers(talk: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="no chat by text") as error:
        talk.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert error.value.status_code == 501 and "--llm-url" in str(error.value)
