"""Messages → token ids by the model's own chat template, and token ids → text as they come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from speechmlx.engines.llm.control import MARK, Control
from speechmlx.errors import BadRequest, ModelUnavailable
from speechmlx.types import Message

THOUGHT, THOUGHT_TOKENS = "<think>", 8
"""What begins a thought, and the most tokens that it and the white space after it may be."""
CALL = ("<tool_call>\n", "\n</tool_call>")
"""What stands around the JSON of a function call that an assistant's message is."""
SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")


class Chat:
    """A model's tokenizer and chat template; `stops` are the tokens that end its turn."""

    def __init__(self, folder: Path) -> None:
        """Reads tokenizer.json, tokenizer_config.json, chat_template.jinja if there is one, and what ends a turn."""
        path = folder / "tokenizer.json"
        if not path.exists():
            raise ModelUnavailable(f"the model folder {folder.name!r} has no tokenizer.json")
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(path))
        settings = _read(folder / "tokenizer_config.json")
        self._special = {name: _text(settings[name]) for name in SPECIAL_TOKENS if settings.get(name)}
        self._control = Control(self._tokenizer)
        self._template = _environment().from_string(_template(folder, settings))
        self.stops = frozenset(self._stops(folder))

    def encode(self, messages: Iterable[Message], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """The prompt for the assistant's next message. BadRequest when the template refuses the messages.

        Control tokens are the template's alone: spelled out in a message or a tool, they are text.
        """
        rows = [{"role": message.role, "content": self._content(message)} for message in messages]
        try:
            text = self._template.render(
                messages=rows,
                tools=[_function(self._control.as_text(tool)) for tool in tools] or None,
                add_generation_prompt=True,
                enable_thinking=False,  # of a model that can be asked not to: somebody waits for the answer
                **self._special,
            )
        except TemplateError as error:
            told = str(error).replace(MARK, "")
            raise BadRequest(f"the model's chat template refuses these messages: {told}") from error
        return self._control.encode(self._tokenizer, text)

    def _content(self, message: Message) -> str:
        """The words of a message, or a call, whose frame is the template's and whose JSON is text."""
        text, (before, after) = message.content, CALL
        if message.role == "assistant" and message.call and text.startswith(before) and text.endswith(after):
            return before + str(self._control.as_text(text[len(before) : -len(after)])) + after
        return str(self._control.as_text(text))

    def writer(self, prompt: Sequence[int]) -> Writer:
        """Of the message that follows `prompt`, in which a template may have begun a thought already."""
        last, token = list(prompt[-THOUGHT_TOKENS:]), self._tokenizer.token_to_id(THOUGHT)
        begun = self._tokenizer.decode(last, skip_special_tokens=False).rstrip().endswith(THOUGHT)
        return Writer(self._tokenizer, THOUGHT if begun and (token is None or token in last) else "")

    def _stops(self, folder: Path) -> Iterable[int]:
        for name in ("config.json", "generation_config.json"):
            ids = _read(folder / name).get("eos_token_id")
            yield from ids if isinstance(ids, list) else [ids] if ids is not None else []
        named = self._tokenizer.token_to_id(self._special.get("eos_token", ""))
        if named is not None:
            yield named


class Writer:
    """The text of one message, token by token; characters of several tokens come whole, special tokens not at all."""

    def __init__(self, tokenizer: Tokenizer, before: str = "") -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._before = before

    def write(self, token: int) -> str:
        before, self._before = self._before, ""
        return before + (self._stream.step(self._tokenizer, token) or "")


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ModelUnavailable(f"{path.name} of {path.parent.name!r} is not JSON: {error}") from error
    return found


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as chat templates know it."""
    if "function" in tool:
        return dict(tool)
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def _text(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)


def _template(folder: Path, settings: Mapping[str, Any]) -> str:
    alone = folder / "chat_template.jinja"
    found = alone.read_text(encoding="utf-8") if alone.exists() else settings.get("chat_template")
    if isinstance(found, list):
        named = {entry["name"]: entry["template"] for entry in found}
        found = named.get("default")
    if not isinstance(found, str):
        raise ModelUnavailable(f"the model {folder.name!r} has no chat template: it is not made for conversation")
    return found


def _environment() -> ImmutableSandboxedEnvironment:
    """What Hugging Face's templates may count on. They come with weights from anywhere, so the sandbox."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    raise TemplateError(message)
