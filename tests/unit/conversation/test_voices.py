"""Presets of other models find a counterpart; names of our own pass."""

from __future__ import annotations

import pytest

from speechmlx.conversation.voices import candidates


@pytest.mark.parametrize(
    ("voice", "expected"),
    [
        (None, (None,)),
        ("af_bella", ("af_bella",)),
        ("nonsense", ("nonsense",)),
        ("NATM0", ("am_michael", None)),
        ("natf3", ("af_sarah", None)),
        ("NATF 3", ("af_sarah", None)),
        ("VARM4", ("am_onyx", None)),
        ("VARF9", ("af_nova", None)),
        ("en_female_calm", ("af_heart", None)),
        ("EN_MALE", ("am_michael", None)),
        ("zh_male_warm", ("zm_yunxi", None)),
        ("xx_female_x", ("af_heart", None)),
        ("alloy", ("af_alloy", "alloy", None)),
        (" Alloy ", ("af_alloy", "alloy", None)),
        ("EN-Female Calm", ("af_heart", None)),
        (" af_bella ", ("af_bella",)),
        ("", (None,)),
        ("  ", (None,)),
    ],
)
def test_candidates(voice: str | None, expected: tuple[str | None, ...]) -> None:
    assert candidates(voice) == expected
