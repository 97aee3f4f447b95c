"""Environment variables of other servers that this one stands in for. Names of its own win over them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from speechmlx.errors import BadRequest

KEY = "SERVER_API_KEY"
"""For `api_key`."""
PORTS = {"PORT_WHISPERLIVE": "whisperlive", "HTTP_PORT": "hybrid"}
"""For `bind`: the protocol that is bound at that port, where no bind of ours names it."""
MODEL = "FASTERWHISPER_MODEL"
"""For the default model of asr."""


def key(environment: Mapping[str, str]) -> str | None:
    """The key; None without one."""
    return environment.get(KEY, "").strip() or None


def model(environment: Mapping[str, str]) -> str | None:
    """The name of the model for recognition; None without one. Raises BadRequest for a folder of weights."""
    name = environment.get(MODEL, "").strip()
    if name.startswith(("/", "./", "../", "~")):
        raise BadRequest(
            f"{MODEL} = {name!r} is a folder, whose weights this server cannot run; give it the name of a model, such "
            "as small or large-v3-turbo, or unset it (`audio-server models --kind asr` lists them)"
        )
    return name or None


def binds(environment: Mapping[str, str], port: int, own: tuple[str, ...]) -> tuple[str, ...]:
    """`own` binds and those of PORTS, but for the main `port`. Raises BadRequest for what is no port."""
    found = list(own)
    for variable, protocol in PORTS.items():
        text = environment.get(variable, "").strip()
        if not text or any(bind.startswith(f"{protocol}=") for bind in found):
            continue
        if not re.fullmatch(r"\d{1,5}", text):
            raise BadRequest(f"{variable} = {text!r} is not a port; write it like 5050")
        if int(text) != port or not int(text):
            found.append(f"{protocol}={text}")
    return tuple(found)
