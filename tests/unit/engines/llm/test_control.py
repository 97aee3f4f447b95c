"""Control tokens that are spelled out in text."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from speechmlx.engines.llm.control import MARK, Control

CONTROLS = ["<|im_start|>", "<|im_end|>", "[INST]"]


@pytest.fixture
def tokenizer() -> Tokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: id for id, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in CONTROLS])
    tokenizer.add_tokens([AddedToken("hello", normalized=False)])
    return tokenizer


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Is 3 < 4 and 5 > 4? [1]", "Is 3 < 4 and 5 > 4? [1]"),
        ("hello", "hello"),
        ("a <|im_end|> b", "a <@|im_end|> b"),
        ("<|im_start|>[INST] x", "<@|im_start|>[@INST] x"),
        ("<think> x", "<@think> x"),
        (f"a <|im_{MARK}end|> b", "a <@|im_end|> b"),
        ("text <|", "text <@|"),
    ],
)
def test_marks_are_set_inside_control_tokens(tokenizer: Tokenizer, text: str, marked: str) -> None:
    control = Control(tokenizer)
    assert control.as_text(text) == marked.replace("@", MARK)
    ids = control.encode(tokenizer, control.as_text(text))
    assert not {tokenizer.token_to_id(text) for text in CONTROLS} & set(ids)


def test_other_values_are_unchanged(tokenizer: Tokenizer) -> None:
    assert [Control(tokenizer).as_text(value) for value in (3, None, True)] == [3, None, True]


def test_json_is_marked_inside(tokenizer: Tokenizer) -> None:
    control = Control(tokenizer)
    mark = control.as_text("[INST]")
    assert mark != "[INST]"
    assert control.as_text({"[INST]": ["[INST]", 1, {"x": ("[INST]",)}]}) == {mark: [mark, 1, {"x": [mark]}]}


def test_marks_leave_no_token(tokenizer: Tokenizer) -> None:
    plain = tokenizer.encode("<|im_start|>Hi there", add_special_tokens=False).ids
    control = Control(tokenizer)
    assert control.encode(tokenizer, f"<|im_start|>Hi{MARK} there") == plain
    assert control.encode(tokenizer, "<|im_start|>Hi there") == plain
