"""Phonemes that a lexicon or SSML gives: signs of CosyVoice 3, which the others do not have."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_cosyvoice import write_vocabulary

from speechmlx.engines.cosyvoice.generation import PHONES, SECOND_SIGNS, THIRD_SIGNS
from speechmlx.engines.cosyvoice.phones import CONSONANTS, VOWELS
from speechmlx.engines.cosyvoice.text_pieces import TextPiece, as_said, pieces
from speechmlx.engines.cosyvoice.text_tokens import QwenTokens
from speechmlx.types import Pronunciation


@pytest.mark.parametrize(
    ("word", "phonemes", "said"),
    [
        ("hello", "həˈloʊ", "[HH][AH0][L][OW1]"),
        ("nguyen", "ŋˈwɪn", "[NG][W][IH1][N]"),
        ("bird", "bˈɜːɹd", "[B][ER1][D]"),
        ("paper", "pˈeɪpəɹ", "[P][EY1][P][ER0]"),
        ("judge", "dʒˈʌdʒ", "[JH][AH1][JH]"),
    ],
)
def test_phonemes_are_signs_of_the_third(word: str, phonemes: str, said: str) -> None:
    lexicon = (Pronunciation(word, phonemes=phonemes),)
    assert as_said(f"Say {word} now.", "en", lexicon, frozenset(THIRD_SIGNS)) == f"Say {said} now."
    assert as_said(f"Say {word} now.", "en", lexicon, frozenset(SECOND_SIGNS)) == f"Say {word} now."


def test_a_sound_that_english_has_not_leaves_the_word_as_it_is() -> None:
    lexicon = (Pronunciation("bach", phonemes="bˈɑx"),)
    assert as_said("Hear Bach.", "en", lexicon, frozenset(THIRD_SIGNS)) == "Hear Bach."


def test_every_sound_is_one_of_the_dictionary() -> None:
    assert {f"{name}{stress}" for name in VOWELS.values() for stress in "012"} <= set(PHONES.split())
    assert set(CONSONANTS.values()) <= set(PHONES.split())


def test_ssml_gives_phonemes_breaks_and_rates(tmp_path: Path) -> None:
    tokens = QwenTokens(write_vocabulary(tmp_path), THIRD_SIGNS)
    text = (
        '<speak>Ask <phoneme alphabet="ipa" ph="ŋˈwɪn">Nguyen</phoneme>.<break time="1s"/>'
        '<prosody rate="150%">Now go.</prosody> Then stay.</speak>'
    )
    assert list(pieces(text, None, (), tokens)) == [
        TextPiece("Ask [NG][W][IH1][N]."),
        TextPiece(silence=1.0),
        TextPiece("Now go.", 1.5),
        TextPiece("Then stay."),
    ]
