"""The values of settings: what each type takes, and the forms of sizes, addresses, origins and networks."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any

from speechmlx import languages
from speechmlx.errors import BadRequest

PORTS = {"http": ":80", "https": ":443"}
"""Ports that an origin leaves out."""
WYOMING_PORT = 10300


def parse_bytes(text: str) -> int:
    """Convert "8GB", "512 MiB" or "1000" to bytes. Raises BadRequest."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if match is None:
        raise BadRequest(f"{text!r} is not a size; write it like 8GB or 512MiB")
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kmgt".index(unit or " "))


def model_name(text: str) -> str:
    """A model as it is named; one in a folder by the whole path, from wherever that is written."""
    if text in (".", "..") or text.startswith(("/", "./", "../", "~/")):
        return os.path.realpath(os.path.expanduser(text))
    return text


def wyoming_address(value: Any) -> str | None:
    """HOST:PORT of the Wyoming server; None for off. A port alone, and on, mean this machine alone. Raises BadRequest.

    An IPv6 address is in brackets.
    """
    text = str(value).strip()
    if text.lower() in ("", "off", "no", "false"):
        return None
    if text.lower() in ("on", "yes", "true"):
        text = str(WYOMING_PORT)
    match = re.fullmatch(r"(?:(\[[0-9A-Fa-f:.]+\]|[^\[\]:\s/=]+):)?(\d{1,5})", text)
    if match is None or int(match[2]) > 65535:
        raise BadRequest(
            f"wyoming = {text!r} is not a valid address; write it like 0.0.0.0:{WYOMING_PORT}, {WYOMING_PORT} or on "
            f"(127.0.0.1:{WYOMING_PORT}), or off"
        )
    return f"{match[1] or '127.0.0.1'}:{int(match[2])}"


def origin(text: str) -> str:
    """Normalize an origin as browsers write it: lower case, without the scheme's default port. Raises BadRequest."""
    match = re.fullmatch(r"(?:([a-z][a-z0-9+.-]*)://([^/?#@\s:*]*|\[[0-9a-f:.]+\])(:\d{1,5})?)|null|\*", text.lower())
    if match is None or not text.isascii() or (match[1] in PORTS and not match[2]):
        raise BadRequest(
            f"{text!r} is no origin to allow; write scheme and host alone, like https://app.example or "
            "http://localhost:3000, null for pages that are files, or * for every page"
        )
    return text.lower().removesuffix(PORTS.get(match[1], ""))


def network(text: str) -> str:
    """An address or a network. Raises BadRequest."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise BadRequest(
            f"{text!r} is no address of a proxy; write one like 127.0.0.1, or a network like 10.0.0.0/8"
        ) from None


def web_address(value: Any) -> str:
    """An address of a server, with http or https. Raises BadRequest."""
    text = str(value).strip()
    if not re.fullmatch(r"(?i:https?)://([^\s/?#@]+@)?(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?(/\S*)?", text):
        raise BadRequest(f"{text!r} is not the address of a server; write it like http://127.0.0.1:1234/v1")
    return text


def number(name: str, value: Any, kind: type[int] | type[float]) -> float:
    """A number from a text or TOML. Raises BadRequest, also for a fraction where `kind` is int."""
    try:
        found = kind(value)
    except (ValueError, TypeError, OverflowError):
        found = None
    if found is None or isinstance(value, bool) or (isinstance(value, float) and found != value and value == value):
        raise BadRequest(f"{name} must be a {'whole ' if kind is int else ''}number (got {value!r})")
    return found


def within(name: str, value: float, least: float, most: float | None) -> float:
    """The value of a setting. Raises BadRequest for one that is too small or too large."""
    if not least <= value < math.inf or (most is not None and value > most):
        allowed = f"between {least} and {most}" if most is not None else f"{least} or more"
        raise BadRequest(f"{name} must be {allowed} (got {value})")
    return value


def boolean(name: str, value: Any) -> bool:
    """Whether a switch is on. Raises BadRequest."""
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise BadRequest(f"{name} must be on or off (got {value!r})")
    return words[str(value).lower()]


def voice_names(value: Any) -> dict[str, str]:
    """Names and the voices that they mean: a table, or "name=voice,name=voice". Raises BadRequest."""
    if isinstance(value, str):
        pairs = [part.partition("=")[::2] for part in value.split(",") if part.strip()]
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        pairs = [("", "")]
    found = {name.strip(): voice.strip() for name, voice in pairs if isinstance(voice, str)}
    if len(found) != len(pairs) or not all((*found, *found.values())):
        raise BadRequest(
            "voices is written like narrator=af_bella*0.7+af_sky*0.3,alloy=bm_george, or is a table: a voice for each "
            f"name (got {value!r:.200})"
        )
    return found


def spoken_languages(value: Any) -> tuple[str, ...]:
    """Codes of languages, each once: of a text with commas or a list of such texts; () for "any". Raises BadRequest."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise BadRequest(f"languages is written like de,fr, or is a list of texts (got {value!r:.200})")
    parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    if any(part.lower() in ("any", "auto") for part in parts):
        return ()
    try:
        return tuple(dict.fromkeys(languages.spoken(part) for part in parts))
    except BadRequest as error:
        raise BadRequest(f"languages: {error}") from None


def convert(entry: Field[Any], value: Any) -> Any:
    """Convert a value from text or TOML to the type of a field of Config. Raises BadRequest."""
    name, default, choices = entry.name, entry.default, entry.metadata.get("choices")
    if default is None and value in ("", None):
        return None
    if name in LISTS:
        if not isinstance(value, str | list | tuple):
            raise BadRequest(f"{name} must be a text, or a list of texts (got {value!r})")
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(LISTS[name](text) for part in parts if (text := str(part).strip()))
    if entry.type == "Path | None":
        if not isinstance(value, str | Path):
            raise BadRequest(f"{name} must be a path (got {value!r})")
        return Path(value).expanduser()
    if name in CHECKED:
        return CHECKED[name](value)
    if isinstance(default, bool):
        return boolean(name, value)
    if entry.metadata.get("unit") == "bytes" and isinstance(value, str):
        return parse_bytes(value)
    if isinstance(default, int | float):
        least, most = entry.metadata.get("least", 0), entry.metadata.get("most")
        return within(name, number(name, value, type(default)), least, most)
    if choices and str(value).lower() not in choices:
        raise BadRequest(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]} (got {value!r})")
    if name == "host" and not str(value).strip():
        raise BadRequest("host is empty; 127.0.0.1 is this machine alone, 0.0.0.0 every network it is in")
    return str(value)


CHECKED: dict[str, Callable[[Any], Any]] = {
    "wyoming": wyoming_address,
    "llm_url": web_address,
    "voices": voice_names,
    "languages": spoken_languages,
}
"""Fields whose values have a form of their own, and the function that checks it."""
LISTS: dict[str, Callable[[str], str]] = {
    "bind": str,
    "allow_origin": origin,
    "api_key": str,
    "trusted_proxy": network,
    "webhook_host": str.lower,
    "accept_licence": str,
}
"""Fields with several values, separated by commas in text, and the function that parses each value."""
