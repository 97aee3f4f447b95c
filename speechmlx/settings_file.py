"""The settings file as text: every setting with its help; those that are defaults as comments."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from speechmlx.config import KINDS, PREFIX, Config, default_text
from speechmlx.config_sources import GivenSetting

WIDTH = 100
"""Characters in a line of help."""
HEAD = """# Settings of audio-server. `audio-server config` shows what is in force, and where it comes from.
# A setting that begins with # has its default. Delete the # to set it; restart the server afterwards.
"""


def settings_text(config: Config, given: Mapping[str, GivenSetting]) -> str:
    """The text of a settings file that makes `config`, whose settings were `given`."""
    chosen = {name for name, one in given.items() if one.source != "default"}
    parts = [HEAD]
    for entry in fields(Config):
        if entry.name != "models":
            value = getattr(config, entry.name)
            parts.append(_comment(entry) + _line(entry.name, value, entry.name in chosen))
    parts.append(
        "# Default models, by kind, in place of the profile's. `audio-server models` lists their names.\n[models]\n"
    )
    lines = [
        f"# {help}\n{_line(kind, config.models.get(kind, ''), kind in config.models)}" for kind, help in KINDS.items()
    ]
    return "\n".join(parts) + "".join(lines)


def _comment(entry: Field[Any]) -> str:
    """The help of a setting, its default and its variable, as comments."""
    unit = f" In {entry.metadata['unit']}." if "unit" in entry.metadata else ""
    text = f"{entry.metadata['help']}{unit} Default: {default_text(entry)}. {PREFIX}{entry.name.upper()}"
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False))


def _line(name: str, value: Any, chosen: bool) -> str:
    return f"{'' if chosen else '# '}{name} = {toml(value)}\n"


def toml(value: Any) -> str:
    """A value as TOML; None as the empty text, which the settings take for it."""
    if isinstance(value, Mapping):
        pairs = (f"{toml(str(name))} = {toml(one)}" for name, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(one) for one in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value) if isinstance(value, str | Path) else ""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
