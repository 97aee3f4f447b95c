"""Written words and their phonemes."""

from __future__ import annotations

from speechmlx.engines.kokoro.word_places import PlacedWord, SaidEntry, WordOrder, WordPart, placed, written
from speechmlx.reading import Pause, SpokenWord, Token
from speechmlx.reading.written import WrittenWord

FIVE, DOLLARS, DOT, MORE = (
    SpokenWord("five", 0, 2),
    SpokenWord("dollars", 0, 2),
    Pause(".", 2, 3),
    SpokenWord("x", 4, 5),
)
TOKENS: list[Token] = [FIVE, DOLLARS, DOT, MORE]
WORDS = [WrittenWord("$5.", 0, 3), WrittenWord("x", 4, 5)]


def test_words_that_are_said_for_one() -> None:
    order = WordOrder(TOKENS, WORDS, in_runs=False)
    entries = order.entries([("fv", FIVE), ("dlrs", DOLLARS)])
    assert entries == [
        SaidEntry("fv", FIVE, (WordPart(0, 4, False),)),
        SaidEntry("dlrs", DOLLARS, (WordPart(0, 7, True),)),
    ]
    (entry,) = order.entries([("ks", MORE)])
    assert entry.parts == (WordPart(1, 1, True),)
    said = list(placed([*entries, entry], [(0, 2), (3, 7), (9, 11)]))
    assert written(said, WORDS) == (PlacedWord(WORDS[0], 0, 7), PlacedWord(WORDS[1], 9, 11))
    assert written(said[:1], WORDS) == (PlacedWord(WORDS[0], 0, 2, goes_on=True),)


def test_words_of_a_run_share_its_phonemes() -> None:
    tokens: list[Token] = [SpokenWord("abc", 0, 3), SpokenWord("d", 3, 4), Pause(",", 4, 5), SpokenWord("e", 5, 6)]
    words = [WrittenWord("abc", 0, 3), WrittenWord("d,", 3, 5), WrittenWord("e", 5, 6)]
    said = [("12345678", tokens[0]), ("", tokens[1]), (",", tokens[2]), ("", tokens[3])]
    shared = WordOrder(tokens, words, in_runs=True).entries(said)
    found = written(list(placed(shared, [(0, 8), (8, 9), (10, 10)])), words)
    assert [(one.start, one.end) for one in found] == [(0, 6), (6, 8), (10, 10)]
    alone = WordOrder(tokens, words, in_runs=False).entries(said)
    found = written(list(placed(alone, [(0, 8), (8, 8), (8, 9), (10, 10)])), words)
    assert [(one.start, one.end) for one in found] == [(0, 8), (8, 8), (10, 10)]
