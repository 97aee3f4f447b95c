"""Who answers, by the models that there are."""

from __future__ import annotations

import pytest
from support.fake_engines import FakeEngines, row

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.response.cascade import Cascade
from speechmlx.conversation.response.responder import choose_responder
from speechmlx.conversation.response.speech_to_speech import SpeechToSpeech
from speechmlx.types import Kind


@pytest.mark.parametrize(
    ("rows", "remote", "found", "kinds"),
    [
        ((Kind.LLM, Kind.TTS), False, Cascade, (Kind.LLM, Kind.TTS)),
        ((Kind.TTS,), True, Cascade, (Kind.TTS,)),
        ((Kind.LLM, Kind.TTS, Kind.S2S), False, SpeechToSpeech, (Kind.S2S,)),
    ],
)
def test_choice(rows: tuple[Kind, ...], remote: bool, found: type, kinds: tuple[Kind, ...]) -> None:
    engines = FakeEngines(rows=map(row, rows))
    responder = choose_responder(engines, engines.submit if remote else None, Clock(lambda: 0.0))
    assert isinstance(responder, found) and responder.kinds == kinds
