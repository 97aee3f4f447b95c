"""Texts in parts, also while they are written, with the tokens of the whole text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from speechmlx.engines.qwen3_tts.text import (
    LONGEST_WORD,
    MOST,
    PART,
    TextBreak,
    TextPart,
    TextSource,
    TextTokenizer,
    WholeText,
    WordText,
    whole_parts,
    word_ends,
)
from speechmlx.errors import ModelUnavailable

WRITTEN = (
    "Hello there, it's 12:30. “Who's that?” she said… Nobody!\n\nA new line; and ünïcode, straße (yes).",
    "你好，世界。今天天气很好！我们去公园吧？",
    "  leading space and trailing  ",
    "semi;colon,comma.dot/slash-dash_under 3.14 $5-$10 C++ a@b.c",
)


def parts_of(source: TextSource) -> list[TextPart]:
    return [part for part in source.parts if isinstance(part, TextPart)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary of bytes and of what is merged of them, so that a cut in the wrong place shows."""
    folder = tmp_path_factory.mktemp("vocabulary")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [
        ("l", "l"),
        ("e", "r"),
        ("h", "e"),
        ("Ġ", "t"),
        ("Ġt", "he"),
        ("o", "m"),
        ("å", "¥"),
        ("½", "å"),
        ("ä", "½"),
    ]
    merges += [("'", "s"), ("Ġ", "s"), (".", "d"), ("t", "r"), ("Ã", "¼"), (",", "c"), ("ï¼", "Į")][:6]
    vocabulary = {letter: place for place, letter in enumerate(letters)}
    for pair in merges:
        vocabulary.setdefault("".join(pair), len(vocabulary))
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    lines = "\n".join(" ".join(pair) for pair in merges)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{lines}\n")
    return folder


@pytest.fixture(scope="module")
def encode(folder: Path) -> TextTokenizer:
    return TextTokenizer(folder)


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_text_in_pieces_has_the_tokens_of_the_whole(encode: TextTokenizer, text: str, size: int) -> None:
    source = WordText(encode)
    for start in range(0, len(text), size):
        source.feed(text[start : start + size])
    source.end()
    (part,) = parts_of(source)
    assert part.ended
    assert part.tokens == encode(text.strip())
    assert source.tokens == len(part.tokens)


def test_a_word_waits_for_its_end(encode: TextTokenizer) -> None:
    source = WordText(encode)
    source.feed("Hello the")
    (part,) = parts_of(source)
    assert part.tokens == encode("Hello")
    source.feed("re, you")
    assert part.tokens == encode("Hello there,")
    source.parts.popleft()  # it is being spoken
    source.feed(" two")
    assert part.tokens == encode("Hello there, you")
    assert not part.ended


def test_places_between_words() -> None:
    assert list(word_ends("one two, three")) == [3, 7, 8]
    assert list(word_ends("a" * (2 * LONGEST_WORD + 1))) == [LONGEST_WORD, 2 * LONGEST_WORD]
    assert list(word_ends("e\u0301t")) == []


@pytest.mark.parametrize("text", ["…", " - ", "", "\n\n"])
def test_text_without_words_has_no_part(encode: TextTokenizer, text: str) -> None:
    for source in (WordText(encode), WordText(encode, least=9)):
        source.feed(text)
        source.end()
        assert not source.parts
        assert not source.spoken
    assert not WholeText(encode, text).parts


def test_signs_before_the_first_word_wait_for_it(encode: TextTokenizer) -> None:
    source = WordText(encode)
    source.feed("… “")
    assert not source.parts
    source.feed("Yes” ")
    assert parts_of(source)[0].tokens == encode("… “Yes”")


def test_the_end_of_a_sentence_ends_a_part_that_is_too_short(encode: TextTokenizer) -> None:
    texts = ["Dr. Lee came.", "Really so.", "He sat, and sat for a while. Then he left. Really."]
    for size in (1, 4, 1000):
        source, text = WordText(encode, least=20), " ".join(texts)
        for start in range(0, len(text), size):
            source.feed(text[start : start + size])
        source.end()
        parts = parts_of(source)
        assert [part.tokens for part in parts] == list(map(encode, texts))
        assert all(part.ended for part in parts)
        assert source.tokens == sum(len(part.tokens) for part in parts)


def test_a_part_begins_before_its_sentence_is_complete(encode: TextTokenizer) -> None:
    source = WordText(encode, least=20)
    source.feed("Dr. Lee came. He sa")
    first, second = parts_of(source)
    assert (first.tokens, first.ended) == (encode("Dr. Lee came."), True)
    assert (second.tokens, second.ended) == (encode("He"), False)


def test_breaks_are_between_parts(encode: TextTokenizer) -> None:
    for source in (WordText(encode), WordText(encode, least=9)):
        source.feed("One two[pause:1")
        source.feed("s] three")
        source.flush()
        source.feed(" [pause:2s]")
        source.end()
        one, three = TextPart(encode("One two"), True), TextPart(encode("three"), True)
        assert list(source.parts) == [one, TextBreak(1.0), three, TextBreak(flushed=True), TextBreak(2.0)]
    whole = WholeText(encode, "[pause:1s]One two. Three.[pause:500ms]")
    assert list(whole.parts) == [TextBreak(1.0), TextPart(encode("One two. Three."), True), TextBreak(0.5)]


def test_long_texts_become_parts_of_whole_sentences(encode: TextTokenizer) -> None:
    text = "He went on and on. " * 40 + "word " * PART + "no stop"
    parts = list(whole_parts(text, lambda one: len(encode(one))))
    assert "".join(parts) == text
    assert all(len(encode(part)) <= PART for part in parts)
    assert parts[0].rstrip().endswith(".")
    assert [part.tokens for part in parts_of(WholeText(encode, text))] == [encode(part.strip()) for part in parts]


def test_text_that_never_stops_becomes_parts(encode: TextTokenizer) -> None:
    source = WordText(encode)
    for _ in range(MOST):
        source.feed("words and ")
    assert len(source.parts) > 1
    assert all(len(part.tokens) < MOST + LONGEST_WORD for part in parts_of(source))


def test_a_sentence_ends_a_long_part(encode: TextTokenizer) -> None:
    source = WordText(encode)
    source.feed("word " * (PART // 4) + "end. More")
    source.end()
    assert len(source.parts) == 2
    assert parts_of(source)[1].tokens == encode("More")


def test_control_tokens_in_a_text_are_text(tmp_path: Path, encode: TextTokenizer, folder: Path) -> None:
    tokenizer = Tokenizer.from_file(_json(tmp_path, folder))
    assert tokenizer.encode("<|im_end|>").ids == [tokenizer.token_to_id("<|im_end|>")]
    ours = TextTokenizer(tmp_path)
    assert len(ours("<|im_end|>")) == len("<|im_end|>")
    assert ours("Hello <|im_end|>") == encode("Hello <|im_end|>")


def _json(to: Path, folder: Path) -> str:
    """The same vocabulary as a tokenizer.json, with a control token."""
    made = TextTokenizer(folder)._tokenizer
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken("<|im_end|>", special=True)])
    made.save(str(to / "tokenizer.json"))
    return str(to / "tokenizer.json")


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no readable tokenizer"):
        TextTokenizer(tmp_path)
    Tokenizer(models.BPE()).save(str(tmp_path / "tokenizer.json"))
    assert TextTokenizer(tmp_path)("abc") == []
