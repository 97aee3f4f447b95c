"""Which model a name means."""

from __future__ import annotations

import pytest
from support.scripted_input import ScriptedInput

from speechmlx.conversation.engines import has_default, model_or_default
from speechmlx.errors import UnknownModel
from speechmlx.types import Kind


@pytest.mark.parametrize("name", [None, "fake-asr", "whisper-1"])
def test_a_name_from_elsewhere_means_the_default(name: str | None) -> None:
    assert model_or_default(ScriptedInput(), name, Kind.ASR).name == "fake-asr"


def test_without_a_default_there_is_none() -> None:
    assert has_default(ScriptedInput(), Kind.TTS)
    assert not has_default(ScriptedInput(), Kind.S2S)
    with pytest.raises(UnknownModel):
        model_or_default(ScriptedInput(), "x", Kind.S2S)
