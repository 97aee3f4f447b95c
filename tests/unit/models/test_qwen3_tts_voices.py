"""Names of other services, and the voices of Qwen3-TTS that they mean."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.errors import UnknownVoice
from speechmlx.models.catalog import CATALOG
from speechmlx.models.qwen3_tts_voices import NAMES, QWEN3_TTS
from speechmlx.types import Audio, NamedVoice, ReferenceVoice

RATE = 24000


@pytest.mark.parametrize(
    ("name", "voice"),
    [
        ("Ono Anna", "ono_anna"),
        ("uncle-fu", "uncle_fu"),
        ("alloy", "vivian"),
        ("Onyx", "aiden"),
        ("NATM0", "ryan"),
        ("natf2", "vivian"),
        ("ja_female_calm", "ono_anna"),
        ("ko_female", "sohee"),
        ("zh_male", "uncle_fu"),
        ("fr_male", "ryan"),
        ("aura-2-thalia-en", "vivian"),
        ("aura-orion-en", "ryan"),
        ("aura-2-unheard-es", "vivian"),
    ],
)
def test_who_is_meant(name: str, voice: str) -> None:
    assert QWEN3_TTS.resolve(name) == NamedVoice(voice)


def test_an_unknown_voice_is_told_with_all_there_are() -> None:
    with pytest.raises(UnknownVoice, match=f"no voice 'bob'; the voices are {', '.join(NAMES)}"):
        QWEN3_TTS.resolve("bob")


def test_which_rows_have_them() -> None:
    for name in ("qwen3-tts-0.6b-customvoice", "qwen3-tts-0.6b-customvoice-8bit"):
        assert CATALOG.resolve(name).voices is QWEN3_TTS
    designs = CATALOG.resolve("Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign").voices
    assert not designs.names and not designs.imitates
    assert CATALOG.resolve("qwen3-tts-1.7b-base").voices.imitates
    recording = ReferenceVoice(Audio(np.zeros(RATE, np.float32), RATE), "", "")
    with pytest.raises(UnknownVoice, match=r"imitates none: choose another model$"):
        designs.imitation(recording, "'prompt_speech'")
    assert CATALOG.resolve("mlx-community/Qwen3-TTS-12Hz-0.6B-CustomVoice-8bit").name.endswith("-8bit")
    assert CATALOG.resolve("Qwen3-TTS-12Hz-0.6B-Base-bf16").name == "qwen3-tts-0.6b-base"
