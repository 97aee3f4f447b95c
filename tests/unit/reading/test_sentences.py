"""Sentences and clauses: by tables, and no text loses a character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile_text import LONGEST, PARTS, seconds

from speechmlx.reading.sentences import clauses, finished, phrase, sentences

SENTENCES = {
    "plain": ["He left. ", "She stayed! ", "Why?"],
    "titles": ["Dr. Lee and Mrs. Ng met Prof. J. R. Smith. ", "They talked."],
    "decimals": ["It cost 3.50 on average. ", "Version 2.0.1 is out."],
    "address": ["See example.com for more. ", "Bye."],
    "short forms": ["We sell apples, pears, etc. in the U.S. and the U.K. today. ", "Come at 5 p.m. sharp."],
    "short form at the end": ["I moved to the U.S. ", "Then I came back."],
    "year at the end": ["It ended in 1998. ", "The next began."],
    "quoted": ["“Really?” he asked. ", "“Yes.” ", "She nodded."],
    "brackets": ["It rained (a lot!). ", "We stayed in."],
    "marks together": ["What?! ", "No... ", "Well…"],
    "goes on": ["Wait... what are you doing? ", "Nothing."],
    "list": ["Shopping:\n", "1. Milk and eggs\n", "2. Bread\n", "- More"],
    "paragraphs": ["A heading\n\n", "And a line that\ngoes on."],
    "Chinese": ["你好。", "今天天气很好！", "你呢？", "我很好"],
    "Japanese": ["「行きますか？」", "はい。", "また明日。"],
    "Hindi": ["नमस्ते। ", "आप कैसे हैं? ", "ठीक।"],
    "Spanish": ["¿Cómo está el Sr. García? ", "¡Muy bien!"],
    "French": ["M. Dupont est arrivé à 15 h. ", "Il était en retard !"],
    "German": ["Das ist z.B. Herr Dr. Müller. ", "Guten Tag."],
    "ordinals": ["Am 3. Mai im 19. Jahrhundert. ", "Es waren 5. ", "Gut so."],
    "Arabic": ["كيف حالك؟ ", "بخير."],
    "initial": ["It was I. ", "The end."],
    "dates": ["Meet me on Jan. 5 or Sept. 11, 2001. ", "Bye."],
    "numbered": ["See p. 45, pp. 5-7, Fig. 3, No. 7 and Hwy. 1. ", "It is in Apt. 4B, max. 10 people."],
    "no, said alone": ["I said no. ", "Then he left."],
    "street": ["The shop is on Main St. ", "The old one is at St. John's."],
    "doctor": ["He saw Dr. Who. ", "He left."],
    "drive": ["He lives on Elm Dr. ", "She lives on Oak St. ", "They are happy."],
    "countries": ["The U.S. Army left the U.S. ", "It was the U.K. Government."],
    "hours": ["Come at 5 p.m. Monday or 6 p.m. EST. ", "It ends at 7 p.m. ", "We go home. ", "8 a.m. - 4 p.m. daily"],
    "days": ["It is on Sun. Mar. 3, or on Sat. ", "We go."],
    "labels": ["Take vitamin C. ", "It helps. ", "This is plan B. ", "J. R. R. Tolkien wrote it."],
    "spaced points": ["Wait . . . what is it? ", "I see . . . ", "Then go."],
    "closers": ["“Fine,” he said. ", "'No.' ", "(Yes.) ", "“Go!” she said."],
    "notes": ["It is so.¹ ", "It was so.[12] ", "It will be."],
    "links": ["See [the docs. They help](https://a.b/c?d=e. F) first. ", "Then go."],
    "lines": ["# Title\n", "Text here\n", "| a | b |\n", "|---|---|\n", "| 1. A | 2 |\n", "Done."],
    "colon": ["We need:\n", "milk and\nbread."],
}


@pytest.mark.parametrize("pieces", SENTENCES.values(), ids=SENTENCES.keys())
def test_sentences(pieces: list[str]) -> None:
    assert sentences("".join(pieces)) == pieces


@pytest.mark.parametrize("blank", ["", " ", "\n\n", " \t\n"])
def test_nothing_is_no_sentence(blank: str) -> None:
    assert sentences(blank) == []


MIXED = st.text(st.sampled_from("aB é1.,;!?…。、，\n \t\"'()—-¿你") | st.characters(), max_size=60)


@given(MIXED)
def test_joined_sentences_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == (text if text.strip() else "")


@given(MIXED)
def test_no_sentence_is_blank(text: str) -> None:
    assert all(piece.strip() for piece in sentences(text))


@given(MIXED, st.integers(1, 30))
def test_joined_clauses_are_the_text_and_fit(text: str, limit: int) -> None:
    pieces = clauses(text, limit)
    assert "".join(pieces) == (text if text.strip() else "")
    assert all(len(piece.strip()) <= limit for piece in pieces)


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("short enough", 20, ["short enough"]),
        ("one two, three four; five six", 20, ["one two, ", "three four; five six"]),
        ("one two three four five", 10, ["one two ", "three ", "four five"]),
        ("first of all. Then, at last", 16, ["first of all. ", "Then, at last"]),
        ("一二三，四五六、七八九", 5, ["一二三，", "四五六、", "七八九"]),
        ("abcdefgh", 3, ["ab", "cd", "ef", "gh"]),
    ],
)
def test_clauses(text: str, limit: int, pieces: list[str]) -> None:
    assert clauses(text, limit) == pieces


def test_clauses_measured_otherwise() -> None:
    assert clauses("a b c d", 2, measure=lambda piece: len(piece.split())) == ["a b ", "c d"]


@pytest.mark.parametrize(
    ("text", "pieces", "rest"),
    [
        ("Hello there. How are", ["Hello there. "], "How are"),
        ("It is 3.", [], "It is 3."),
        ("I met Dr. ", [], "I met Dr. "),
        ("你好。", ["你好。"], ""),
        ("First line\n\n", ["First line\n\n"], ""),
        ("Well, I think", [], "Well, I think"),
    ],
)
def test_finished(text: str, pieces: list[str], rest: str) -> None:
    assert finished(text) == (pieces, rest)


def test_finished_clauses() -> None:
    assert finished("Well, I think so, but", by_clause=True) == (["Well, ", "I think so, "], "but")
    assert finished("It is 10 - 3 – 5 or 4 - a - b c", by_clause=True) == (["It is 10 - 3 – 5 or 4 - ", "a - "], "b c")
    assert finished("Well, I think so, but", least=10, by_clause=True) == (["Well, I think so, "], "but")


@given(MIXED, st.booleans(), st.integers(0, 10))
def test_arriving_text_loses_nothing(text: str, by_clause: bool, least: int) -> None:
    pieces, rest = finished(text, least, by_clause)
    assert "".join(pieces) + rest == text


@given(st.lists(st.sampled_from(["He left. ", "Dr. Lee came! ", "It is 3.5. ", "你好。", "Why? "]), min_size=1))
def test_text_arriving_letter_by_letter_gives_the_same_sentences(parts: list[str]) -> None:
    text, said, rest = "".join(parts), [], ""
    for letter in text:
        pieces, rest = finished(rest + letter)
        said += pieces
    assert [s.strip() for s in [*said, *sentences(rest)]] == [s.strip() for s in sentences(text)]


def test_a_link_that_arrives_is_not_cut() -> None:
    assert finished("Hi. See [the docs. They", by_clause=True) == (["Hi. "], "See [the docs. They")
    assert finished("See [the docs](https://a.b/c. D", by_clause=True) == ([], "See [the docs](https://a.b/c. D")
    assert finished("It is [1]. Then", by_clause=True) == (["It is [1]. "], "Then")


def read(text: str) -> None:
    sentences(text)
    finished(text, 24, by_clause=True)
    clauses(text, 400)
    phrase(text, 24)


@pytest.mark.parametrize("part", [*PARTS, "(", ", ", ":\n"])
def test_time_is_linear(part: str) -> None:
    assert seconds(read, part) < LONGEST


class Sliced(str):
    """Text that counts the characters copied out of it."""

    copied = 0

    def __getitem__(self, key: object) -> str:
        found = super().__getitem__(key)  # type: ignore[index]
        Sliced.copied += len(found)
        return found


@pytest.mark.parametrize("part", ["Hi. ", "e.g. ", "1. ", "No... "])
def test_the_work_grows_with_the_text_and_not_faster(part: str) -> None:
    Sliced.copied = 0
    sentences(Sliced(part * 2000))
    assert Sliced.copied <= 20 * len(part) * 2000
