"""Reads the package indexes and certificates that the user has configured for pip or uv."""

from __future__ import annotations

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import platformdirs
from pypi_simple import PYPI_SIMPLE_ENDPOINT


@dataclass(frozen=True)
class Indexes:
    """`urls` of the simple API, in order of preference, and a certificate bundle (None: the system's)."""

    urls: tuple[str, ...]
    cert: str | None = None


def configured() -> Indexes:
    """The indexes of this process. The environment overrides uv's files, which override pip's."""
    return indexes(os.environ, _read_pip(_pip_files(os.environ)), _read_uv(_uv_files(os.environ)))


def indexes(env: Mapping[str, str], pip: Mapping[str, str], uv: Mapping[str, Any]) -> Indexes:
    """Indexes from variables, pip's merged options and uv's merged settings; the public index if none is set."""
    uv_pip: Mapping[str, Any] = uv.get("pip", {})
    named = [_with_credentials(entry, env) for entry in uv.get("index", ())]
    default = (
        *_named(env.get("UV_DEFAULT_INDEX"), env),
        *_words(env.get("UV_INDEX_URL")),
        *_words(env.get("PIP_INDEX_URL")),
        *(url for url, is_default in named if is_default),
        *_words(uv.get("index-url")),
        *_words(uv_pip.get("index-url")),
        *_words(pip.get("index-url")),
    )
    extra = (
        *_named(env.get("UV_INDEX"), env),
        *_words(env.get("UV_EXTRA_INDEX_URL")),
        *_words(env.get("PIP_EXTRA_INDEX_URL")),
        *(url for url, is_default in named if not is_default),
        *_words(uv.get("extra-index-url")),
        *_words(uv_pip.get("extra-index-url")),
        *_words(pip.get("extra-index-url")),
    )
    none = _is_true(env.get("PIP_NO_INDEX") or env.get("UV_NO_INDEX") or pip.get("no-index") or uv.get("no-index"))
    urls = () if none else (*(default[:1] or (PYPI_SIMPLE_ENDPOINT,)), *extra)
    cert = next((env[name] for name in ("PIP_CERT", "SSL_CERT_FILE") if env.get(name)), pip.get("cert"))
    return Indexes(tuple(dict.fromkeys(url.rstrip("/") + "/" for url in urls)), cert)


def _words(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """The URLs of a variable or option, which are separated by white space."""
    return tuple(value.split()) if isinstance(value, str) else tuple(value or ())


def _is_true(value: object) -> bool:
    return str(value or "").lower() in ("1", "true", "yes", "on")


def _named(value: str | None, env: Mapping[str, str]) -> tuple[str, ...]:
    """uv's "name=url" or "url" words."""
    entries = (re.fullmatch(r"(?:([\w.-]+)=)?(.+)", word) for word in _words(value))
    return tuple(_with_credentials({"name": e[1], "url": e[2]}, env)[0] for e in entries if e)


def _with_credentials(entry: Mapping[str, Any], env: Mapping[str, str]) -> tuple[str, bool]:
    """URL of a uv index with UV_INDEX_<NAME>_USERNAME and _PASSWORD in it, and whether it is the default."""
    key = re.sub(r"\W", "_", str(entry.get("name") or "")).upper()
    user, password = env.get(f"UV_INDEX_{key}_USERNAME", ""), env.get(f"UV_INDEX_{key}_PASSWORD", "")
    parts = urlsplit(str(entry["url"]))
    if key and (user or password):
        host = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}")
    return urlunsplit(parts), bool(entry.get("default", False))


def _pip_files(env: Mapping[str, str]) -> list[Path]:
    """pip's configuration files, the last one strongest."""
    if env.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    shared = platformdirs.site_config_path("pip", appauthor=False, multipath=False)
    personal = platformdirs.user_config_path("pip", appauthor=False)
    found = [
        shared / "pip.conf",
        Path("/etc/pip.conf"),
        Path.home() / ".pip" / "pip.conf",
        Path.home() / ".config" / "pip" / "pip.conf",
        personal / "pip.conf",
        Path(sys.prefix) / "pip.conf",
    ]
    return [*found, Path(env["PIP_CONFIG_FILE"])] if env.get("PIP_CONFIG_FILE") else found


def _read_pip(files: Iterable[Path]) -> dict[str, str]:
    """Options of [global] and then [install] of all files."""
    options: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself will say what is wrong with it
        for section in ("global", "install"):
            if parser.has_section(section):
                options |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    return options


def _uv_files(env: Mapping[str, str]) -> list[Path]:
    """uv's configuration files, the last one strongest."""
    if _is_true(env.get("UV_NO_CONFIG")):
        return []
    if env.get("UV_CONFIG_FILE"):
        return [Path(env["UV_CONFIG_FILE"])]
    personal = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return [Path("/etc/uv/uv.toml"), Path("/etc/xdg/uv/uv.toml"), personal / "uv" / "uv.toml"]


def _read_uv(files: Iterable[Path]) -> dict[str, Any]:
    """Top-level settings of all files."""
    settings: dict[str, Any] = {}
    for file in files:
        try:
            settings |= tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue  # absent, or uv itself will say what is wrong with it
    return settings
