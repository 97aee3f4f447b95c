"""Fields of /v1/audio/speech."""

from __future__ import annotations

import pytest

from speechmlx.errors import BadRequest, TooLarge
from speechmlx.protocols.openai_audio.speech import read_extras, read_input, read_voice


def test_voice_input_and_extras() -> None:
    assert read_voice({"voice": {"id": "v"}}) == read_voice({"voice": "v"}) == "v"
    assert read_voice({"voice": ""}) is None and read_voice({}) is None
    assert read_input({"input": " hi "}, 2) == "hi" and read_input({"input": "long"}, 0) == "long"
    with pytest.raises(TooLarge):
        read_input({"input": "long"}, 3)
    given = '{"instruct": "slow", "speaker": "v", "x": null}'
    assert read_extras({"kwargs": given}) == {"instruct": "slow", "voice": "v"}
    assert read_extras({"kwargs": ""}) == read_extras({}) == {}
    with pytest.raises(BadRequest, match="JSON object"):
        read_extras({"kwargs": "seed=1"})
