"""Tags of the language of a consent."""

from __future__ import annotations

from speechmlx.protocols.openai_audio.voice_consents import TAG


def test_tags() -> None:
    assert all(TAG.fullmatch(tag) for tag in ("en", "en-US", "zh-Hant-TW"))
    assert not any(TAG.fullmatch(tag) for tag in ("", "e", "en_US", "en-", "English language", "x" * 9))
