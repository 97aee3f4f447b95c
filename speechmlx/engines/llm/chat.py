"""Messages → token ids with the model's own chat template, and generated token ids → text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from speechmlx.engines.llm.control import MARK, Control
from speechmlx.engines.llm.template import Sandbox, TemplateLimit, to_json
from speechmlx.errors import BadRequest, EngineFailed, ModelUnavailable
from speechmlx.types import FunctionCall, Message

REASONING, REASONING_TOKENS = "<think>", 8
"""The beginning of reasoning, and the number of tokens that it and the white space after it may have."""
CALL = ("<tool_call>\n", "\n</tool_call>")
"""Written around the JSON of a function call, for templates that have no form of their own."""
SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")


class CallForm(Enum):
    """How a chat template takes an assistant's function call."""

    OBJECT = "in its field `tool_calls`, with the arguments as an object"
    JSON = "in its field `tool_calls`, with the arguments as JSON"
    TEXT = "as the text of the message"


class Chat:
    """A model's tokenizer and chat template; `stops` are the ids of the tokens that end an answer."""

    def __init__(self, folder: Path) -> None:
        """Reads tokenizer.json, tokenizer_config.json, the ids of end tokens, and chat_template.jinja if there is one.

        Raises ModelUnavailable if the tokenizer or the template is missing.
        """
        path = folder / "tokenizer.json"
        if not path.exists():
            raise ModelUnavailable(f"the model folder {folder.name!r} has no tokenizer.json")
        self._tokenizer: Tokenizer = _read_tokenizer(path)
        settings = _read(folder / "tokenizer_config.json")
        self._special = {name: _text(settings[name]) for name in SPECIAL_TOKENS if settings.get(name)}
        self._control = Control(self._tokenizer)
        self._name = folder.name
        self._template = self._read_template(_template(folder, settings))
        self._call_form = self._find_call_form()
        self.stops = frozenset(self._stops(folder))

    def encode(self, messages: Iterable[Message], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """The prompt for the assistant's next message. Raises BadRequest if the template refuses the messages.

        Only the template writes control tokens: spelled out in a message or a tool, they are encoded as text.
        """
        functions = [self._control.as_text(_function(tool)) for tool in tools]
        try:
            text = self._render(self._rows(messages, self._call_form), functions)
        except TemplateError as error:
            reason = str(error).replace(MARK, "")
            raise BadRequest(f"the model's chat template refuses these messages: {reason}") from error
        except TemplateLimit as error:
            raise EngineFailed(f"the chat template of the model {self._name!r} {error}") from error
        return self._control.encode(self._tokenizer, text)

    def decoder(self, prompt: Sequence[int]) -> Detokenizer:
        """Decodes the answer to `prompt`. If the template has begun reasoning there, so does the text."""
        last, token = list(prompt[-REASONING_TOKENS:]), self._tokenizer.token_to_id(REASONING)
        begun = self._tokenizer.decode(last, skip_special_tokens=False).rstrip().endswith(REASONING)
        return Detokenizer(self._tokenizer, REASONING if begun and (token is None or token in last) else "")

    def _render(self, rows: list[dict[str, Any]], functions: list[dict[str, Any]]) -> str:
        return self._template(
            messages=rows,
            tools=functions or None,
            add_generation_prompt=True,
            enable_thinking=False,  # a listener waits for the answer
            **self._special,
        )

    def _read_template(self, source: str) -> Callable[..., str]:
        """The function that renders the template. Raises ModelUnavailable."""
        try:
            return Sandbox().read(source)
        except (TemplateError, TemplateLimit) as error:
            raise ModelUnavailable(f"the chat template of the model {self._name!r} cannot be used: {error}") from error

    def _rows(self, messages: Iterable[Message], form: CallForm) -> list[dict[str, Any]]:
        """Messages as templates take them.

        Calls get ids of nine letters and digits, numbered in the order of the prompt: Mistral's templates want these.
        """
        rows, ids = list[dict[str, Any]](), dict[str, str]()
        for message in messages:
            row: dict[str, Any] = {"role": message.role, "content": self._control.as_text(message.content)}
            if message.call and form is CallForm.TEXT:
                row["content"] = self._call_text(message.call)
            elif message.call:
                id = ids.setdefault(message.call.id, f"call{len(ids):05}")
                row["tool_calls"] = [{"id": id, "type": "function", "function": self._call_fields(message.call, form)}]
            elif message.role == "tool" and form is not CallForm.TEXT:
                row["tool_call_id"] = ids.setdefault(message.call_id, f"call{len(ids):05}")
            rows.append(row)
        return rows

    def _call_fields(self, call: FunctionCall, form: CallForm) -> dict[str, Any]:
        arguments = _arguments(call) if form is CallForm.OBJECT else call.arguments or "{}"
        return {"name": self._control.as_text(call.name), "arguments": self._control.as_text(arguments)}

    def _call_text(self, call: FunctionCall) -> str:
        """The frame is the model's own markup; the JSON in it is text."""
        text = to_json({"name": call.name, "arguments": _arguments(call)})
        return CALL[0] + str(self._control.as_text(text)) + CALL[1]

    def _find_call_form(self) -> CallForm:
        """The first form in which the template writes out the name and the arguments of a call."""
        call = FunctionCall("probed_name", '{"probed_key": "probed_value"}', "probed")
        probe = [Message("user", "Hi"), Message("assistant", call=call)]
        for form in (CallForm.OBJECT, CallForm.JSON):
            try:
                text = self._render(self._rows(probe, form), [])
            except Exception:  # templates raise anything for what they do not take
                continue
            written = all(part in text for part in (call.name, "probed_key", "probed_value"))
            if written and "'probed_key'" not in text:  # Python's form of an object, which is not JSON
                return form
        return CallForm.TEXT

    def _stops(self, folder: Path) -> Iterable[int]:
        for name in ("config.json", "generation_config.json"):
            ids = _read(folder / name).get("eos_token_id")
            yield from ids if isinstance(ids, list) else [ids] if ids is not None else []
        named = self._tokenizer.token_to_id(self._special.get("eos_token", ""))
        if named is not None:
            yield named


class Detokenizer:
    """Token ids of one answer → text. A character of several tokens comes whole; special tokens give no text."""

    def __init__(self, tokenizer: Tokenizer, prefix: str = "") -> None:
        """`prefix`: text that comes before the first token's."""
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._prefix = prefix

    def decode(self, token: int) -> str:
        """The text that is complete with `token`; often empty."""
        prefix, self._prefix = self._prefix, ""
        return prefix + (self._stream.step(self._tokenizer, token) or "")


def function_names(tools: Iterable[Mapping[str, Any]]) -> set[str]:
    """The names of the functions that a model may call."""
    return {str(_function(tool)["function"].get("name")) for tool in tools}


def _read_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more specific
        raise ModelUnavailable(f"tokenizer.json of {path.parent.name!r} cannot be read: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if there is no file."""
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise ModelUnavailable(f"{path.name} of {path.parent.name!r} is not JSON: {error}") from error
    return fields


def _arguments(call: FunctionCall) -> Any:
    """The value of the JSON, or the text as it is if it is not JSON."""
    try:
        return json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return call.arguments


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool in the form of chat templates."""
    if "function" in tool:
        return dict(tool)
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def _text(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)


def _template(folder: Path, settings: Mapping[str, Any]) -> str:
    file = folder / "chat_template.jinja"
    template = file.read_text(encoding="utf-8") if file.exists() else settings.get("chat_template")
    if isinstance(template, list):
        named = {entry["name"]: entry["template"] for entry in template}
        template = named.get("default")
    if not isinstance(template, str):
        raise ModelUnavailable(f"the model {folder.name!r} has no chat template: it is not made for conversation")
    return template
