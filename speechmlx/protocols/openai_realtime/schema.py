"""Fields of a session and of a response: the check of each field, and how an update changes a session.

A Check takes a value and the path of its field. It returns the normalized value or raises Refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from speechmlx.errors import BadRequest

Dialect = Literal["ga", "beta"]
Json = dict[str, Any]
Check = Callable[[Any, str], Any]

CODECS = {"audio/pcm": "pcm16", "audio/pcmu": "ulaw", "audio/pcma": "alaw"}
BETA_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
BETA_TEMPERATURE = 0.8
"""Temperature that beta clients are shown if none is set. The model then decodes greedily."""
LOGPROBS = "item.input_audio_transcription.logprobs"
SPEEDS = (0.25, 1.5)
MAX_TOKENS = 4096
PCM_RATES = (8000, 48000)
"""Lowest and highest sample rate of PCM16, in Hz."""
MAX_NUMBER = 1e12


class Refused(Exception):
    """The error of a message that breaks the protocol. `code` and `param` are those of OpenAI's error object."""

    def __init__(self, message: str, code: str = "invalid_value", param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


def required(message: Mapping[str, Any], name: str, kind: type, prefix: str = "") -> Any:
    """`message[name]`. Raises Refused if it is missing or null, or not of type `kind`."""
    if message.get(name) is None:
        raise Refused(f"Missing required parameter: '{prefix}{name}'.", "missing_required_parameter", prefix + name)
    return of(kind)(message[name], prefix + name)


def of(kind: type) -> Check:
    """Check for a value of one JSON type."""
    names = {str: "a string", dict: "an object", list: "an array", bool: "a boolean", int: "an integer"}

    def check(value: Any, param: str) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Refused(f"Invalid type for '{param}': expected {names[kind]}, got {value!r:.80}.", param=param)
        return value

    return check


def number(low: float, high: float, whole: bool = False) -> Check:
    """Check for a number from `low` to `high`. `whole`: only integers."""

    def check(value: Any, param: str) -> Any:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not low <= value <= high or (whole and value != int(value)):
            kind = "an integer" if whole else "a number"
            raise Refused(
                f"Invalid '{param}': expected {kind} from {low:g} to {high:g}, got {value!r:.80}.", param=param
            )
        return int(value) if whole else float(value)

    return check


def finite(value: Any, param: str) -> float:
    """A number, clamped to ±MAX_NUMBER. Raises Refused if it is missing or not a number."""
    if value is None:
        raise Refused(f"Missing required parameter: '{param}'.", "missing_required_parameter", param)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Refused(f"Invalid '{param}': expected a number, got {value!r:.80}.", param=param)
    return float(min(max(value, -MAX_NUMBER), MAX_NUMBER))


def one_of(*allowed: str) -> Check:
    """Check for one of the strings `allowed`."""

    def check(value: Any, param: str) -> Any:
        if value not in allowed:
            quoted = ", ".join(f"'{name}'" for name in allowed)
            raise Refused(f"Invalid value: {value!r:.80}. Supported values for '{param}' are: {quoted}.", param=param)
        return value

    return check


def object_of(checks: Mapping[str, Check], *needed: str) -> Check:
    """Check for an object with the fields of `checks`, of which `needed` must be present.

    Unknown fields are dropped: clients send fields of newer servers. Null fields are dropped, too.
    """

    def check(value: Any, param: str) -> Any:
        of(dict)(value, param)
        for name in needed:
            if value.get(name) is None:
                raise Refused(
                    f"Missing required parameter: '{param}.{name}'.", "missing_required_parameter", f"{param}.{name}"
                )
        known = {name: field for name, field in value.items() if name in checks and field is not None}
        return {name: checks[name](field, f"{param}.{name}") for name, field in known.items()}

    return check


def audio_format(value: Any, param: str) -> Json:
    """An audio format: GA's object, or beta's name. Returns GA's object."""
    if isinstance(value, str):
        value = {"type": BETA_FORMATS[one_of(*BETA_FORMATS)(value, param)]}
    rate = number(*PCM_RATES, whole=True)
    format: Json = object_of({"type": one_of(*CODECS), "rate": rate}, "type")(value, param)
    if format["type"] == "audio/pcm":
        return {"type": "audio/pcm", "rate": format.get("rate", 24000)}
    return {"type": format["type"]}


def modalities(value: Any, param: str) -> list[str]:
    """Output modalities: ["audio"], which includes its transcript, or ["text"]."""
    of(list)(value, param)
    for modality in value:
        one_of("audio", "text")(modality, param)
    if not value:
        raise Refused(f"Invalid '{param}': expected ['audio'] or ['text'], got an empty array.", param=param)
    return ["audio"] if "audio" in value else ["text"]


def voice(value: Any, param: str) -> str:
    """The name of a voice. A custom voice is an object; its id is the name."""
    if isinstance(value, dict):
        return str(required(value, "id", str, f"{param}."))
    return str(of(str)(value, param))


def max_tokens(value: Any, param: str) -> int | str:
    """A limit of output tokens, or "inf"."""
    if value == "inf":
        return "inf"
    return int(number(1, MAX_TOKENS, whole=True)(value, param))


TOOL: Mapping[str, Check] = {"type": of(str), "name": of(str), "description": of(str), "parameters": of(dict)}


def tools(value: Any, param: str) -> list[Json]:
    """The functions that the model may call. MCP servers are refused: this server calls none."""
    functions = []
    for place, tool in enumerate(of(list)(value, param)):
        where = f"{param}[{place}]"
        one_of("function")(required(of(dict)(tool, where), "type", str, f"{where}."), f"{where}.type")
        required(tool, "name", str, f"{where}.")
        functions.append(object_of(TOOL)(tool, where))
    return functions


def tool_choice(value: Any, param: str) -> Any:
    """The choice "auto", "none" or "required", or a function by name."""
    if isinstance(value, dict):
        return {"type": "function", "name": required(value, "name", str, f"{param}.")}
    return one_of("auto", "none", "required")(value, param)


def texts(value: Any, param: str) -> list[str]:
    """An array of strings."""
    return [of(str)(text, f"{param}[{place}]") for place, text in enumerate(of(list)(value, param))]


def includes(value: Any, param: str) -> list[str]:
    """The supported ones of the extra fields in `include`. Others are dropped: newer servers have more."""
    return [name for name in texts(value, param) if name == LOGPROBS]


def tracing(value: Any, param: str) -> Any:
    """The setting "auto" or an object. It is only shown in the session: this server does no tracing."""
    return one_of("auto")(value, param) if isinstance(value, str) else of(dict)(value, param)


def truncation(value: Any, param: str) -> Any:
    """What happens to a conversation longer than the model's context: "auto", "disabled" or a retention ratio."""
    if isinstance(value, dict):
        one_of("retention_ratio")(required(value, "type", str, f"{param}."), f"{param}.type")
        return value
    return one_of("auto", "disabled")(value, param)


def pronunciations(value: Any, param: str) -> Any:
    """How words are said, as in requests for speech: an object or a list."""
    from speechmlx.reading.entries import read_entries  # here: the server starts without what reading needs

    try:
        read_entries(value)
    except BadRequest as error:
        raise Refused(f"Invalid '{param}': {error}.", param=param) from None
    return value


COMMON = {"create_response": of(bool), "interrupt_response": of(bool)}
VAD: Mapping[str, Mapping[str, Check]] = {
    "server_vad": {
        **COMMON,
        "threshold": number(0, 1),
        "prefix_padding_ms": number(0, 60_000, whole=True),
        "silence_duration_ms": number(0, 60_000, whole=True),
        "idle_timeout_ms": number(1, 3_600_000, whole=True),
    },
    "semantic_vad": {**COMMON, "eagerness": one_of("low", "medium", "high", "auto")},
}
VAD_DEFAULTS: Mapping[str, Json] = {
    "server_vad": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}


def turn_detection(value: Any, param: str, current: Json | None) -> Json:
    """`current` changed by `value`. If `value` has another type, it starts from the defaults of that type."""
    kind = of(dict)(value, param).get("type") or (current or VAD_DEFAULTS["server_vad"])["type"]
    one_of(*VAD)(kind, f"{param}.type")
    base = current if current is not None and current["type"] == kind else VAD_DEFAULTS[kind]
    changed: Json = object_of(VAD[kind])(value, param)
    if "idle_timeout_ms" in value and value["idle_timeout_ms"] is None and kind == "server_vad":
        changed["idle_timeout_ms"] = None
    return {**base, **changed}


transcription = object_of(
    {
        "model": of(str),
        "language": of(str),
        "prompt": of(str),
        "languages": texts,
        "keywords": texts,
        "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
    }
)
noise_reduction = object_of({"type": one_of("near_field", "far_field"), "strength": number(0, 1)}, "type")

TOP: Mapping[str, Check] = {
    "output_modalities": modalities,
    "instructions": of(str),
    "tools": tools,
    "tool_choice": tool_choice,
    "max_output_tokens": max_tokens,
    "temperature": number(0, 2),
    "tracing": tracing,
    "truncation": truncation,
    "prompt": object_of({"id": of(str), "version": of(str), "variables": of(dict)}, "id"),
    "include": includes,
    "reasoning": of(dict),
    "parallel_tool_calls": of(bool),
    "pronunciations": pronunciations,
}
ANSWERING = ("temperature", "reasoning", "parallel_tool_calls", "pronunciations")
"""Fields that a realtime session shows only after a client set them."""
NULLABLE = ("tracing", "prompt", "include", "reasoning", "temperature", "pronunciations")
"""Fields of TOP that null resets. In other fields of TOP null changes nothing."""
INPUT: Mapping[str, Check] = {
    "format": audio_format,
    "transcription": transcription,
    "noise_reduction": noise_reduction,
}
OUTPUT: Mapping[str, Check] = {"format": audio_format, "voice": voice, "speed": number(*SPEEDS)}


def _object(fields: Mapping[str, Any], name: str, prefix: str) -> Json:
    """The object `fields[name]`; {} if it is missing or null. Raises Refused."""
    value = fields.get(name)
    return {} if value is None else of(dict)(value, f"{prefix}.{name}")


def _overlay(current: Any, update: Any) -> Any:
    """The fields of `update` over those of `current` if both are objects, else `update`. Null removes a field."""
    return {**current, **update} if isinstance(current, dict) and isinstance(update, dict) else update


def merged(session: Json, update: Mapping[str, Any], prefix: str = "session") -> Json:
    """A copy of `session` changed by `update`, both in GA's shape. Missing keys change nothing. Raises Refused."""
    new = {**session, "audio": {side: dict(config) for side, config in session["audio"].items()}}
    for name, check in TOP.items():
        if name in update and (name in session or (name in ANSWERING and session["type"] == "realtime")):
            value = update[name]
            if value is not None:
                new[name] = check(value, f"{prefix}.{name}")
            elif name in NULLABLE:
                new[name] = None
    audio = _object(update, "audio", prefix)
    for side, checks in (("input", INPUT), ("output", OUTPUT)):
        changes = _object(audio, side, f"{prefix}.audio")
        if side not in new["audio"]:
            continue
        config, where = new["audio"][side], f"{prefix}.audio.{side}"
        for name, check in checks.items():
            if changes.get(name) is not None:
                config[name] = check(_overlay(config[name], changes[name]), f"{where}.{name}")
            elif name in changes and name in ("transcription", "noise_reduction"):
                config[name] = None
        if side == "input" and "turn_detection" in changes:
            detection = changes["turn_detection"]
            current = config["turn_detection"]
            config["turn_detection"] = (
                None if detection is None else turn_detection(detection, f"{where}.turn_detection", current)
            )
    return new
