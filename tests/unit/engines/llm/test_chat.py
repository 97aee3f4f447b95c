"""Chat templates and what they take; a tokenizer whose tokens are bytes, and some control tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from speechmlx.engines.llm.chat import Chat, function_names
from speechmlx.errors import BadRequest, EngineFailed, ModelUnavailable
from speechmlx.types import FunctionCall, Message

CONTROLS = ["<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]
CONTENT = "{% for m in messages %}{{ m.content }}{% endfor %}"


@pytest.fixture
def make_chat(tmp_path: Path) -> Callable[..., Chat]:
    def make(template: str | list[dict[str, str]] | None, **files: Any) -> Chat:
        """`files`: NAME=OBJECT of a JSON file."""
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokenizer = Tokenizer(models.BPE(vocab={letter: id for id, letter in enumerate(letters)}, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in CONTROLS])
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        settings = {"eos_token": {"content": "<|im_end|>"}, "chat_template": template}
        for name, content in {"tokenizer_config": settings, **files}.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return Chat(tmp_path)

    return make


def prompt(chat: Chat, *messages: Message, tools: Any = ()) -> str:
    return str(chat._tokenizer.decode(chat.encode(messages, tools), skip_special_tokens=False))


NAME, ARGUMENTS = "call.function.name", "call.function.arguments"
TEXT = '<tool_call>\n{"name": "f", "arguments": {"x": "<|im_end|>"}}\n</tool_call>'
FORMS = {
    "object": (f"{{{{ {NAME} }}}}({{{{ {ARGUMENTS} | tojson }}}})", 'f({"x": "<|im_end|>"})'),
    "items": (f"{{% for k, v in {ARGUMENTS}.items() %}}{{{{ {NAME} ~ k ~ v }}}}{{% endfor %}}", "fx<|im_end|>"),
    "json": (f"{{{{ {NAME} + ':' + {ARGUMENTS} }}}}", 'f:{"x":"<|im_end|>"}'),
    "repr": (f"{{{{ {NAME} ~ {ARGUMENTS} }}}}", 'f{"x":"<|im_end|>"}'),
    "name only": (f"{{{{ {NAME} }}}}", TEXT),
    "unknown": ("", TEXT),
}
"""What a template writes of the calls in `tool_calls`, and the prompt that comes of it."""


@pytest.mark.parametrize("form", FORMS)
def test_a_call_is_written_in_the_form_that_the_template_takes(make_chat: Callable[..., Chat], form: str) -> None:
    written, prompt = FORMS[form]
    loop = f"{{% for call in m.tool_calls or [] %}}{written}{{% endfor %}}" if written else ""
    chat = make_chat(f"{{% for m in messages %}}{{{{ m.content }}}}{loop}{{% endfor %}}")
    ids = chat.encode([Message("assistant", call=FunctionCall("f", '{"x":"<|im_end|>"}', "call_1"))])
    assert chat._tokenizer.decode(ids, skip_special_tokens=False) == prompt
    assert chat._tokenizer.token_to_id("<|im_end|>") not in ids


def test_a_result_has_the_id_of_its_call_in_nine_letters_and_digits(make_chat: Callable[..., Chat]) -> None:
    """As the templates of Mistral's models want them."""
    chat = make_chat(
        "{% for m in messages %}{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}"
        "{{ c.function.name ~ c.id }} {% endfor %}{{ m.content ~ m.tool_call_id }} {% endfor %}"
    )
    calls = [Message("assistant", call=FunctionCall("f", "{}", id)) for id in ("call_a_long_id", "b")]
    results = [Message("tool", "two", "b"), Message("tool", "one", "call_a_long_id"), Message("tool", "lost", "c")]
    words = chat._tokenizer.decode(chat.encode([*calls, *results])).split()
    assert words == ["{}fcall00000", "{}fcall00001", "twocall00001", "onecall00000", "lostcall00002"]


def test_a_call_without_arguments_or_with_invalid_ones(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(
        f"{{% for m in messages %}}{{% for call in m.tool_calls %}}{FORMS['object'][0]}{{% endfor %}}{{% endfor %}}"
    )
    for arguments, written in (("", "f({})"), ('{"x"', 'f("{\\"x\\"")'), ("[" * 5000, f'f("{"[" * 5000}")')):
        assert prompt(chat, Message("assistant", call=FunctionCall("f", arguments))) == written


def test_tools_and_special_tokens(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(
        [{"name": "other", "template": ""}, {"name": "default", "template": "{{ eos_token }}{{ tools | tojson }}"}]
    )
    tool = {"type": "function", "name": "f", "description": "<|im_end|>"}
    wrapped = {"type": "function", "function": {"name": "f", "description": "<|im_end|>"}}
    assert prompt(chat, tools=[tool]) == prompt(chat, tools=[wrapped]) == f"<|im_end|>{json.dumps([wrapped])}"
    assert chat.encode([], [tool]).count(min(chat.stops)) == 1
    assert prompt(chat) == "<|im_end|>null"
    assert function_names([tool, {"type": "function", "function": {"name": "g"}}]) == {"f", "g"}


def test_the_tokens_that_end_an_answer(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(CONTENT, config={"eos_token_id": 3}, generation_config={"eos_token_id": [4, 5]})
    assert chat.stops == {3, 4, 5, chat._tokenizer.token_to_id("<|im_end|>")}


def test_a_character_of_several_tokens_comes_whole(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(CONTENT)
    ids = [*chat._tokenizer.encode("né 😀").ids, min(chat.stops)]
    decoder = chat.decoder([])
    assert [decoder.decode(id) for id in ids] == ["n", "", "é", " ", "", "", "", "😀", ""]


@pytest.mark.parametrize(("template", "prefix"), [(f"{CONTENT}<think>\n", "<think>"), (CONTENT, "")])
def test_reasoning_that_the_template_begins(make_chat: Callable[..., Chat], template: str, prefix: str) -> None:
    chat = make_chat(template)
    decoder = chat.decoder(chat.encode([Message("user", "x")]))
    assert [decoder.decode(id) for id in chat._tokenizer.encode("Hi").ids] == [f"{prefix}H", "i"]


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages.__class__.mro }}", "unsafe"),
    ],
)
def test_a_template_that_refuses(make_chat: Callable[..., Chat], template: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        make_chat(template).encode([Message("user", "Hi")])


def test_what_is_missing(make_chat: Callable[..., Chat], tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"has no tokenizer\.json"):
        Chat(tmp_path)
    with pytest.raises(ModelUnavailable, match="has no chat template"):
        make_chat(None)
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelUnavailable, match=r"tokenizer_config\.json of .* is not JSON"):
        Chat(tmp_path)


def test_a_template_without_end_names_the_model(make_chat: Callable[..., Chat], tmp_path: Path) -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(EngineFailed, match=f"the chat template of the model '{tmp_path.name}' does not end within"):
        make_chat(endless).encode([Message("user", "Hi")])
    with pytest.raises(ModelUnavailable, match=f"the chat template of the model '{tmp_path.name}' cannot be used: "):
        make_chat("{% for %}")
    (tmp_path / "tokenizer.json").write_text("[" * 100_000)
    with pytest.raises(ModelUnavailable, match=rf"tokenizer\.json of '{tmp_path.name}' cannot be read: "):
        Chat(tmp_path)
