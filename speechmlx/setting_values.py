"""The values of settings that are more than a text or a number: sizes, addresses, origins, networks."""

from __future__ import annotations

import ipaddress
import math
import re
from typing import Any

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
            f"wyoming = {text!r} is no address; write it like 0.0.0.0:{WYOMING_PORT}, {WYOMING_PORT} or on "
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


def not_negative(name: str, value: float) -> float:
    """The value of a setting. Raises BadRequest for one below 0."""
    if not 0 <= value < math.inf:
        raise BadRequest(f"{name} = {value} cannot be; allowed is 0 and more")
    return value


def boolean(value: Any) -> bool:
    """Whether a switch is on. Raises ValueError."""
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]
