"""Capitals: spelled, said, shouted, single letters and camel case."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmlx.reading.english.capitals import Capitals, classify, parts

# Words after "*" are spelled (each letter by its name), after "^" shouted or stressed, after "=" one letter, after "@"
# an acronym said as a word. Others are as they are written, or camel case.
MARKED = [
    "I told you I ^AM happy . ^THIS ^IS ^IT ! ^LET ^US ^GO",
    "^THE *FBI ^AND *CIA ^MET ^TODAY .",
    "the *US and the *UK",
    "he told ^US about it",
    "^THE *US ^ARMY ^HELPED ^US",
    "^IN ^THE *USA",
    "Vitamin =A is good . Plan =A worked .",
    "@NASA and @IKEA and @NATO saw a laser",
    "he got an =A in maths , from =A to =B",
    "A cat sat on A Tale of A City",
    "^GIVE ^ME A ^BREAK",
    "Portland , *OR is nice",
    "the *ER called the *IT department",
    "this or that",
    "*LAX and *ETA and *EST",
    "^STOP ! ^HELP ^ME",
    "*ID *OS *LED lights are bright",
    "*IBM ^LED ^THE ^WAY",
    "*HTML *HTTPS *LGBTQ *UNHCR @ZORPEL @GIF",
    "the letter =a and a =B",
    "straight =As , =Bs and =A's",
    "^WHO ^IS ^IT ?",
    "*WHO officials said so",
    "*DVDs *CEOs *PDFs *FBI's",
    "*AI and *DJs",
    "^PLEASE ^DO ^NOT ^SMOKE",
    "my *CV is @OK",
    "^HOW ^TO ^MAKE ^BREAD ^AT ^HOME",
    "*CEO ^SAYS *AI ^WILL ^CHANGE ^THE ^WORLD",
    "^DON'T ^PANIC",
    "^BREAKING @NASA ^LAUNCHES *SLS",
    "@UNESCO @OPEC *OECD *IMF *WTO",
    "she said ^NO and I said ^YES",
    "Type =O , =D minor , =x equals =n",
]
KINDS = {
    "*": {Capitals.LETTERS},
    "^": {Capitals.SHOUT, Capitals.STRESSED},
    "=": {Capitals.LETTER},
    "@": {Capitals.ACRONYM},
}


@pytest.mark.parametrize("marked", MARKED)
def test_classify(marked: str) -> None:
    expected = [KINDS.get(word[0], {Capitals.PLAIN}) for word in marked.split()]
    kinds = classify([word.lstrip("*^=@") for word in marked.split()])
    wrong = [w for w, want, got in zip(marked.split(), expected, kinds, strict=True) if got not in want]
    assert not wrong, kinds


PARTS = {
    "OpenAI's": "Open A* I's*",
    "iPhone's": "i* Phone's",
    "YouTube": "YouTube",
    "McDonald's": "McDonald's",
    "McFlurry": "McFlurry",
    "eBay": "eBay",
    "WiFi": "Wi-Fi",
    "DVDs": "D* V* Ds*",
    "PhD": "P* h* D*",
    "CEOs": "C* E* Os*",
    "macOS": "mac O* S*",
    "PhDs": "P* h* Ds*",
    "MacBook": "Mac Book",
    "y'all": "y'all",
    "e-mail": "e-mail",
    "ChatGPT": "Chat G* P* T*",
    "GitHub": "Git Hub",
    "NASA": "NASA",
    "TCP-IP": "T* C* P* I* P*",
    "A-level": "A* level",
    "AI-powered": "A* I* powered",
    "X-ray": "X-ray",
    "should've": "should've",
    "a": "a",
    "B": "B*",
}


@pytest.mark.parametrize(("word", "said"), PARTS.items())
def test_parts(word: str, said: str) -> None:
    assert " ".join(text + "*" * is_letter for text, is_letter in parts(word)) == said


def test_a_word_that_its_neighbours_make_an_acronym_is_spelled() -> None:
    assert parts("IT's", spelled=True) == [("I", True), ("T's", True)]


@settings(deadline=None)  # the first call reads the dictionaries
@given(st.lists(st.text(max_size=12) | st.from_regex(r"[A-Za-z'-]{1,9}", fullmatch=True), max_size=20))
def test_any_words_have_kinds_and_parts_that_keep_their_letters(words: list[str]) -> None:
    assert len(classify(words)) == len(words)
    for word in words:
        said = "".join(text for text, _ in parts(word))
        assert re.sub("-", "", said) == re.sub("-", "", word) or not word


def test_time_grows_with_the_number_of_words() -> None:
    def spent(count: int) -> float:
        started = time.process_time()
        classify(["IT", "A", "AaAa-Ba", "OpenAI", ",", "A" * 99] * count)
        return time.process_time() - started

    classify(["IT"])
    assert spent(2000) < 10 * spent(500) + 0.5
