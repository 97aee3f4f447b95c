"""KittenTTS reads English by the server's own rules, in the IPA as espeak-ng writes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engines.mlx_audio.conftest import Load
from support.engine_runs import pcm

from speechmlx.engines.mlx_audio import package
from speechmlx.engines.mlx_audio.phonemizers import EnglishIpa
from speechmlx.types import NamedVoice, Speak


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Hello world.", "həlˈoʊ wˈɜːld."),
        ("See the bird, judge!", "sˈiː ðə bˈɜːd, ʤˈʌʤ!"),
        ("My boy found water around here.", "mˌI bˈY fˈWnd wˈɔːTɚ ɐɹˈWnd hˈɪɹ."),
        ("A memory of church", "ɐ mˈɛmɚɹi ʌv ʧˈɜːʧ."),
    ],
)
def test_english_as_espeak_writes_it(text: str, says: str) -> None:
    spelt = says
    for letter, letters in (("I", "aɪ"), ("Y", "ɔɪ"), ("W", "aʊ"), ("T", "ɾ"), ("ʧ", "tʃ"), ("ʤ", "dʒ")):
        spelt = spelt.replace(letter, letters)
    assert EnglishIpa().phonemize([text]) == [spelt]


def test_the_family_knows_each_of_its_letters() -> None:
    package.family("tts", "kitten_tts")
    text = package.inside("tts", "kitten_tts", "kitten_tts").TextCleaner()
    said = EnglishIpa().phonemize(
        ["The quick brown fox jumps over a lazy dog; she measures Joy's church, thinking: why?"]
    )
    assert len(text(said[0])) == len(said[0])


def test_numbers_are_read_and_voices_have_two_names(bridged: Load) -> None:
    engine = bridged("tts/kitten_tts")
    request = Speak(text="It is $5.", voice=NamedVoice("bella"))
    plain = pcm(engine.run(request))
    assert EnglishIpa().phonemize(["It is $5."]) == EnglishIpa().phonemize(["It is five dollars."])
    assert plain == pcm(engine.run(replace(request, voice=NamedVoice("expr-voice-2-f"))))
    assert plain != pcm(engine.run(replace(request, voice=NamedVoice("expr-voice-5-m"))))
    assert len(pcm(engine.run(replace(request, speed=0.5)))) > len(plain)
