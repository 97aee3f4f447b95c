"""Language detection among candidates."""

from __future__ import annotations

import pytest
from support.small_whisper import MULTILINGUAL, audio, network

from speechmlx.engines.whisper.decoding.language import detect_language


def test_the_likeliest_of_all_stays_it_among_fewer_and_is_likelier_there() -> None:
    net = network(51865)
    best, chance = detect_language(net, MULTILINGUAL, audio(net, 1), ())
    assert best in MULTILINGUAL.languages and 0 < chance < 1
    other = next(language for language in MULTILINGUAL.languages if language != best)
    again, among_two = detect_language(net, MULTILINGUAL, audio(net, 1), (other, best))
    assert again == best and among_two > chance
    assert detect_language(net, MULTILINGUAL, audio(net, 1), (other,)) == (other, pytest.approx(1.0))
