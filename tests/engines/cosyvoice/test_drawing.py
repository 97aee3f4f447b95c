"""How speech tokens are drawn, and how a text is cut and read for the language model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import mlx.core as mx
import numpy as np
import pytest
from support.tiny_cosyvoice import write_vocabulary

from speechmlx.engines.cosyvoice.drawing import TOP_K, RepetitionAwareSampler
from speechmlx.engines.cosyvoice.generation import SECOND, SPEECH_TOKENS
from speechmlx.engines.cosyvoice.text_pieces import as_said, language_of, pieces
from speechmlx.engines.cosyvoice.text_tokens import QwenTokens
from speechmlx.types import Pronunciation


def logits(shares: dict[int, float]) -> mx.array:
    values = np.full(SECOND.logits, -30.0, np.float32)
    for token, share in shares.items():
        values[token] = np.log(share)
    return mx.array(values)


def drawn(sampler: RepetitionAwareSampler, given: mx.array) -> int:
    """The next token of a sequence."""
    return int(np.array(sampler.sample(given, [])))


def firsts(given: mx.array, count: int = 300, least: int = 0) -> Counter[int]:
    """The first token of each of `count` sequences."""
    return Counter(drawn(RepetitionAwareSampler(seed, least), given) for seed in range(count))


def test_the_likeliest_that_come_to_eight_tenths_are_drawn_by_their_shares() -> None:
    found = firsts(logits({5: 0.5, 6: 0.29, 7: 0.11, 8: 0.1}))
    assert set(found) == {5, 6, 7}  # 5 and 6 come to 0.79, so the third counts as well
    assert found[5] == pytest.approx(300 * 0.5 / 0.9, abs=35)


def test_no_more_than_the_likeliest_are_drawn() -> None:
    found = firsts(logits({token: (100 - token) / 5000 for token in range(60)}))
    assert set(found) <= set(range(TOP_K)) and len(found) > TOP_K / 2


def test_a_token_said_just_before_is_drawn_anew_from_the_rest() -> None:
    sampler, given = RepetitionAwareSampler(0, 0), logits({5: 0.98, 6: 0.01, 7: 0.01})
    said = [drawn(sampler, given) for _ in range(9)]
    assert said[0] == 5 and set(said[1:]) == {6, 7}
    again = [drawn(sampler, given) for _ in range(12)]
    assert 5 in again  # ten tokens later it is like any other


def test_the_speech_does_not_end_too_early() -> None:
    given = logits({SPEECH_TOKENS: 0.9, SPEECH_TOKENS + 2: 0.05, 3: 0.05})
    assert set(firsts(given, 20)) == {SPEECH_TOKENS}
    assert set(firsts(given, 20, least=1)) == {3}


@pytest.mark.parametrize(
    ("text", "code"), [("Hello", "en"), ("你好", "zh"), ("こんにちは世界", "ja"), ("안녕", "ko"), ("123", "en")]
)
def test_language(text: str, code: str) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("Dr. Lee paid $5.", "en", "Doctor Lee paid five dollars."),
        ("Don't stop, McDonald!", "en", "Don't stop, McDonald!"),
        ("今天是3月5日。", "zh", "今天是三月五日。"),
        ("**Bold** words", "en", "Bold words."),
    ],
)
def test_numbers_and_signs_are_said_as_words(text: str, language: str, said: str) -> None:
    assert as_said(text, language).casefold() == said.casefold()


def test_a_lexicon_tells_how_a_word_is_said() -> None:
    assert as_said("Ask Nguyen.", "en", (Pronunciation("nguyen", sounds_like="win"),)) == "Ask win."


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> QwenTokens:
    """A letter is a token."""
    return QwenTokens(write_vocabulary(tmp_path_factory.mktemp("tokens")), SECOND.signs)


@pytest.fixture
def cut(tokens: QwenTokens) -> Callable[[str], list[str]]:
    return lambda text: [piece.text for piece in pieces(text, None, (), tokens)]


def test_short_sentences_are_said_together_and_long_ones_in_parts(cut: Callable[[str], list[str]]) -> None:
    assert cut("One is here. Two is here.") == ["One is here. Two is here."]
    long = "word " * 50 + "end."
    assert all(len(piece) <= 80 for piece in cut(long)) and " ".join(cut(long)) == long
    assert cut("A first sentence that has some words. And a second one that has some, too.") == [
        "A first sentence that has some words.",
        "And a second one that has some, too.",
    ]


def test_a_text_with_marks_stays_as_it_is(cut: Callable[[str], list[str]]) -> None:
    assert cut("He said 5 <laughter>things</laughter>.") == ["He said 5 <laughter>things</laughter>."]


@pytest.mark.parametrize("text", ["", "  ", "…", "!?"])
def test_a_text_without_words_has_no_piece(cut: Callable[[str], list[str]], text: str) -> None:
    assert cut(text) == []
