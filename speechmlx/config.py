"""Config: one frozen dataclass; defaults < file < environment < flags."""

from __future__ import annotations

import math
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from speechmlx.errors import BadRequest
from speechmlx.names import listed

PREFIX = "SPEECHMLX_"
SIZES = ("memory_limit", "max_audio_bytes", "max_text_bytes")
PORTS = {"http": ":80", "https": ":443"}
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a person can set. Sizes are bytes, times seconds."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free one."""
    bind: tuple[str, ...] = ()
    """More addresses, HOST:PORT each; NAME=HOST:PORT where a protocol has answers of its own at its port."""
    allow_origin: tuple[str, ...] = ()
    """Other origins whose web pages may use the server, SCHEME://HOST[:PORT] each, or "null"; "*" all."""
    allow_url_fetch: bool = False
    """Fetch recordings from the open internet for clients that give an address instead of a file."""
    preload: bool = False
    """Load the default model of every kind at start, and keep them."""
    profile: str | None = None
    """"starter" or "standard"; None: standard on Apple silicon, else starter."""
    models: dict[str, str] = field(default_factory=dict)
    """Model per kind, over the profile's: {"asr": "whisper-base"}."""
    cache: Path | None = None
    """None: ~/Library/Caches/speechmlx on macOS, $XDG_CACHE_HOME/speechmlx elsewhere."""
    idle_unload: float = 0.0
    """Seconds after which an unused model leaves memory; 0 never."""
    memory_limit: int = 0
    """Bytes of model weights; 0: 70 % of the machine's memory."""
    max_jobs: int = 64
    """Running and waiting; one more is refused as busy."""
    max_sessions: int = 16
    """Live conversations at once; one more is refused."""
    audio_timeout: float = 2.0
    """Seconds without audio in the middle of speech, after which the turn is over; 0 never."""
    llm_url: str | None = None
    """An OpenAI-compatible server whose language model answers conversations: "http://127.0.0.1:1234/v1"."""
    llm_url_model: str | None = None
    """The name of the model there."""
    llm_url_key: str | None = None
    max_audio_bytes: int = 100 * 1024 * 1024
    max_text_bytes: int = 1024 * 1024
    max_input_chars: int = 4096
    """Characters of text that /v1/audio/speech takes; 0 no limit but max_text_bytes."""
    drain_timeout: float = 10.0
    """Seconds that running jobs get when the server is told to stop."""
    log_level: str = "info"


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> Config:
    """The config from all its sources; a flag that is None was not given.

    `file` is TOML with the fields of Config as keys (`[models]` a table); without it the default file is read if it is
    there. Environment names are SPEECHMLX_ and the field in capitals. Raises BadRequest naming what is wrong.
    """
    values: dict[str, Any] = {}
    if file is None:
        default = default_file(environment)
        file = default if default.is_file() else None
    if file is not None:
        values |= _read(file)
    values |= {f.name: environment[key] for f in fields(Config) if (key := PREFIX + f.name.upper()) in environment}
    values |= {name: value for name, value in flags.items() if value is not None}
    known = {f.name: f for f in fields(Config)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        there = listed(unknown[0], known, "`audio-server --help` shows all")
        raise BadRequest(f"unknown setting {', '.join(unknown)}; the settings are {there}")
    return Config(**{name: _convert(name, value) for name, value in values.items()})


def default_file(environment: Mapping[str, str]) -> Path:
    """Where the settings file is looked for."""
    home = Path(environment.get("HOME", "~")).expanduser()
    if sys.platform == "darwin":
        return home / "Library/Application Support/speechmlx/config.toml"
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "speechmlx/config.toml"


def parse_bytes(text: str) -> int:
    """Bytes in "8GB", "512 MiB" or "1000". Raises BadRequest."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if match is None:
        raise BadRequest(f"{text!r} is not a size; write it like 8GB or 512MiB")
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kmgt".index(unit or " "))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise BadRequest(f"the settings file {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the settings file {file} is not TOML: {error}") from error


def _convert(name: str, value: Any) -> Any:
    """A value from text or TOML, as the field's type. Raises BadRequest."""
    default = next(f.default for f in fields(Config) if f.name == name)
    try:
        if name == "models":
            return dict(pair.split("=", 1) for pair in value.split(",")) if isinstance(value, str) else dict(value)
        if name in LISTS:
            parts = value.split(",") if isinstance(value, str) else value
            return tuple(LISTS[name](text) for part in parts if (text := str(part).strip()))
        if name == "cache":
            return Path(value).expanduser()
        if isinstance(default, bool):
            return _boolean(value)
        if name in SIZES and isinstance(value, str):
            return parse_bytes(value)
        if isinstance(default, int):
            return _natural(name, int(value))
        if isinstance(default, float):
            return _natural(name, float(value))
    except (ValueError, TypeError) as error:
        kind = "table" if default is MISSING else type(default).__name__
        raise BadRequest(f"{name} = {value!r} is not a {kind}") from error
    if name == "log_level" and str(value).lower() not in LOG_LEVELS:
        raise BadRequest(f"log_level = {value!r} is none of {', '.join(LOG_LEVELS)}")
    if name == "host" and not str(value).strip():
        raise BadRequest("host is empty; 127.0.0.1 is this machine alone, 0.0.0.0 every network it is in")
    return str(value)


def _origin(text: str) -> str:
    """An origin as browsers write it: in small letters, without the scheme's own port."""
    found = re.fullmatch(r"(?:([a-z][a-z0-9+.-]*)://([^/?#@\s:*]*|\[[0-9a-f:.]+\])(:\d{1,5})?)|null|\*", text.lower())
    if found is None or not text.isascii() or (found[1] in PORTS and not found[2]):
        raise BadRequest(
            f"{text!r} is no origin to allow; write scheme and host alone, like https://app.example or "
            "http://localhost:3000, null for pages that are files, or * for every page"
        )
    return text.lower().removesuffix(PORTS.get(found[1], ""))


LISTS: dict[str, Callable[[str], str]] = {"bind": str, "allow_origin": _origin}
"""Fields of several values, in text apart by commas, and what makes one of them."""


def _natural(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise BadRequest(f"{name} = {value} cannot be; allowed is 0 and more")
    return value


def _boolean(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]
