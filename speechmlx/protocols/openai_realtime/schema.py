"""Fields of a session and of a response: what may stand in each, and how an update changes what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

Dialect = Literal["ga", "beta"]
Json = dict[str, Any]
Check = Callable[[Any, str], Any]

CODECS = {"audio/pcm": "pcm16", "audio/pcmu": "ulaw", "audio/pcma": "alaw"}
BETA_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
BETA_TEMPERATURE = 0.8
"""What beta clients are told where nobody set one; the model then writes the likeliest word."""
LOGPROBS = "item.input_audio_transcription.logprobs"
SPEEDS = (0.25, 1.5)
MAX_TOKENS = 4096
PCM_RATES = (8000, 48000)
MOST_NUMBER = 1e12


class Refused(Exception):
    """A message that breaks the protocol: OpenAI's `code` and `param`, and a sentence."""

    def __init__(self, message: str, code: str = "invalid_value", param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


def required(message: Mapping[str, Any], name: str, kind: type, prefix: str = "") -> Any:
    """`message[name]`, which must be there and of `kind`."""
    if message.get(name) is None:
        raise Refused(f"Missing required parameter: '{prefix}{name}'.", "missing_required_parameter", prefix + name)
    return of(kind)(message[name], prefix + name)


def of(kind: type) -> Check:
    """A value of one JSON type."""
    names = {str: "a string", dict: "an object", list: "an array", bool: "a boolean", int: "an integer"}

    def check(value: Any, param: str) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Refused(f"Invalid type for '{param}': expected {names[kind]}, got {value!r:.80}.", param=param)
        return value

    return check


def number(low: float, high: float, whole: bool = False) -> Check:
    """A number from `low` to `high`."""

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
    """Any number."""
    if value is None:
        raise Refused(f"Missing required parameter: '{param}'.", "missing_required_parameter", param)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Refused(f"Invalid '{param}': expected a number, got {value!r:.80}.", param=param)
    return float(min(max(value, -MOST_NUMBER), MOST_NUMBER))


def one_of(*allowed: str) -> Check:
    def check(value: Any, param: str) -> Any:
        if value not in allowed:
            quoted = ", ".join(f"'{one}'" for one in allowed)
            raise Refused(f"Invalid value: {value!r:.80}. Supported values for '{param}' are: {quoted}.", param=param)
        return value

    return check


def fields(table: Mapping[str, Check], *needed: str) -> Check:
    """An object with the fields of `table`; others are taken out, as clients send what newer servers know."""

    def check(value: Any, param: str) -> Any:
        of(dict)(value, param)
        for name in needed:
            if value.get(name) is None:
                raise Refused(
                    f"Missing required parameter: '{param}.{name}'.", "missing_required_parameter", f"{param}.{name}"
                )
        known = {name: given for name, given in value.items() if name in table and given is not None}
        return {name: table[name](given, f"{param}.{name}") for name, given in known.items()}

    return check


def audio_format(value: Any, param: str) -> Json:
    """GA's object, or beta's word."""
    if isinstance(value, str):
        value = {"type": BETA_FORMATS[one_of(*BETA_FORMATS)(value, param)]}
    rate = number(*PCM_RATES, whole=True)
    found: Json = fields({"type": one_of(*CODECS), "rate": rate}, "type")(value, param)
    if found["type"] == "audio/pcm":
        return {"type": "audio/pcm", "rate": found.get("rate", 24000)}
    return {"type": found["type"]}


def modalities(value: Any, param: str) -> list[str]:
    """["audio"] (its transcript included) or ["text"]."""
    of(list)(value, param)
    for one in value:
        one_of("audio", "text")(one, param)
    if not value:
        raise Refused(f"Invalid '{param}': expected ['audio'] or ['text'], got an empty array.", param=param)
    return ["audio"] if "audio" in value else ["text"]


def voice(value: Any, param: str) -> str:
    """A name, or the object of a custom voice."""
    if isinstance(value, dict):
        return str(required(value, "id", str, f"{param}."))
    return str(of(str)(value, param))


def max_tokens(value: Any, param: str) -> int | str:
    if value == "inf":
        return "inf"
    return int(number(1, MAX_TOKENS, whole=True)(value, param))


TOOL: Mapping[str, Check] = {"type": of(str), "name": of(str), "description": of(str), "parameters": of(dict)}


def tools(value: Any, param: str) -> list[Json]:
    """Functions; an MCP server is nothing that this server could call."""
    found = []
    for place, tool in enumerate(of(list)(value, param)):
        where = f"{param}[{place}]"
        one_of("function")(required(of(dict)(tool, where), "type", str, f"{where}."), f"{where}.type")
        required(tool, "name", str, f"{where}.")
        found.append(fields(TOOL)(tool, where))
    return found


def tool_choice(value: Any, param: str) -> Any:
    if isinstance(value, dict):
        return {"type": "function", "name": required(value, "name", str, f"{param}.")}
    return one_of("auto", "none", "required")(value, param)


def texts(value: Any, param: str) -> list[str]:
    """An array of strings."""
    return [of(str)(one, f"{param}[{place}]") for place, one in enumerate(of(list)(value, param))]


def includes(value: Any, param: str) -> list[str]:
    """What there is of the things asked for; newer servers have more."""
    return [one for one in texts(value, param) if one == LOGPROBS]


def tracing(value: Any, param: str) -> Any:
    """ "auto", or its settings; nothing is traced here."""
    return one_of("auto")(value, param) if isinstance(value, str) else of(dict)(value, param)


def truncation(value: Any, param: str) -> Any:
    """What becomes of a conversation that is longer than the model takes."""
    if isinstance(value, dict):
        one_of("retention_ratio")(required(value, "type", str, f"{param}."), f"{param}.type")
        return value
    return one_of("auto", "disabled")(value, param)


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


def turn_detection(value: Any, param: str, now: Json | None) -> Json:
    """`now` with the fields given; another type begins from its own defaults."""
    kind = of(dict)(value, param).get("type") or (now or VAD_DEFAULTS["server_vad"])["type"]
    one_of(*VAD)(kind, f"{param}.type")
    base = now if now is not None and now["type"] == kind else VAD_DEFAULTS[kind]
    changed: Json = fields(VAD[kind])(value, param)
    if "idle_timeout_ms" in value and value["idle_timeout_ms"] is None and kind == "server_vad":
        changed["idle_timeout_ms"] = None
    return {**base, **changed}


transcription = fields(
    {
        "model": of(str),
        "language": of(str),
        "prompt": of(str),
        "languages": texts,
        "keywords": texts,
        "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
    }
)
noise_reduction = fields({"type": one_of("near_field", "far_field"), "strength": number(0, 1)}, "type")

TOP: Mapping[str, Check] = {
    "output_modalities": modalities,
    "instructions": of(str),
    "tools": tools,
    "tool_choice": tool_choice,
    "max_output_tokens": max_tokens,
    "temperature": number(0, 2),
    "tracing": tracing,
    "truncation": truncation,
    "prompt": fields({"id": of(str), "version": of(str), "variables": of(dict)}, "id"),
    "include": includes,
    "reasoning": of(dict),
    "parallel_tool_calls": of(bool),
}
ANSWERING = ("temperature", "reasoning", "parallel_tool_calls")
"""What a session that answers shows only where it was given."""
NULLABLE = ("tracing", "prompt", "include", "reasoning", "temperature")
INPUT: Mapping[str, Check] = {
    "format": audio_format,
    "transcription": transcription,
    "noise_reduction": noise_reduction,
}
OUTPUT: Mapping[str, Check] = {"format": audio_format, "voice": voice, "speed": number(*SPEEDS)}


def _object(given: Mapping[str, Any], name: str, prefix: str) -> Json:
    value = given.get(name)
    return {} if value is None else of(dict)(value, f"{prefix}.{name}")


def _over(now: Any, given: Any) -> Any:
    """An object's fields over those that are there; null takes one out."""
    return {**now, **given} if isinstance(now, dict) and isinstance(given, dict) else given


def merged(session: Json, update: Mapping[str, Any], prefix: str = "session") -> Json:
    """`session` with what `update` changes; both in GA's shape. Keys that are absent change nothing."""
    new = {**session, "audio": {side: dict(config) for side, config in session["audio"].items()}}
    for name, check in TOP.items():
        if name in update and (name in session or (name in ANSWERING and session["type"] == "realtime")):
            given = update[name]
            if given is not None:
                new[name] = check(given, f"{prefix}.{name}")
            elif name in NULLABLE:
                new[name] = None
    audio = _object(update, "audio", prefix)
    for side, table in (("input", INPUT), ("output", OUTPUT)):
        given = _object(audio, side, f"{prefix}.audio")
        if side not in new["audio"]:
            continue
        config, where = new["audio"][side], f"{prefix}.audio.{side}"
        for name, check in table.items():
            if given.get(name) is not None:
                config[name] = check(_over(config[name], given[name]), f"{where}.{name}")
            elif name in given and name in ("transcription", "noise_reduction"):
                config[name] = None
        if side == "input" and "turn_detection" in given:
            wanted = given["turn_detection"]
            now = config["turn_detection"]
            config["turn_detection"] = (
                None if wanted is None else turn_detection(wanted, f"{where}.turn_detection", now)
            )
    return new
