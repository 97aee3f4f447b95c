"""Fields that say how a recording is decoded: clips, and blank settings."""

from __future__ import annotations

import math
from typing import Any

import pytest

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.protocols.openai_audio.decoding_fields import read_decoding


@pytest.mark.parametrize(
    ("given", "clips"),
    [
        ("0", [(0, math.inf)]),
        (0, [(0, math.inf)]),
        ("0,2.5", [(0, 2.5)]),
        ("0,2.5,8", [(0, 2.5), (8, math.inf)]),
        ("[0, 2.5, 2.5, 11]", [(0, 2.5), (2.5, 11)]),
        ([3], [(3, math.inf)]),
        (" ", None),
        (None, None),
    ],
)
def test_the_last_clip_may_be_open(given: Any, clips: list[tuple[float, float]] | None) -> None:
    form = read_decoding({"clip_timestamps": given}, TranscriptionForm())
    assert form == TranscriptionForm(clips=tuple(clips or ()))


@pytest.mark.parametrize(
    "given", ["5,0", "-1", "-1,3", "8,11,3", "3,3", "nan", "inf", "0,4,2,6", "one", [[0, 5]], [{}]]
)
def test_clips_that_do_not_ascend(given: Any) -> None:
    with pytest.raises(BadRequest, match=r"'clip_timestamps' must be .* not "):
        read_decoding({"clip_timestamps": given}, TranscriptionForm())


@pytest.mark.parametrize(
    "name", ["beam_size", "prefix", "condition_on_previous_text", "vad_filter", "clip_timestamps", "suppress_tokens"]
)
def test_a_blank_setting_is_the_default(name: str) -> None:
    for blank in ("", " ", None):
        assert read_decoding({name: blank}, TranscriptionForm()) == TranscriptionForm()
