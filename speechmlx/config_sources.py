"""What a Config is built of: defaults, some of which are those of a service < file < environment < flags."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from speechmlx import foreign_names
from speechmlx.config import KINDS, PREFIX, Config
from speechmlx.errors import BadRequest
from speechmlx.machine import default_settings
from speechmlx.names import listed, nearest
from speechmlx.service_manager import defaults
from speechmlx.setting_values import convert, model_name

NO_SETTINGS = ("CATALOG",)
"""What may stand after PREFIX in the environment and is no setting."""
LEXICON = "lexicon.toml"
"""Name of the default lexicon, beside the default settings file."""


@dataclass(frozen=True)
class GivenSetting:
    """A value as it was written, and where: `place` is a flag, a variable, a file, or the manager of a service."""

    value: Any
    source: Literal["default", "file", "environment", "flag"]
    place: str = ""


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> Config:
    """Build the config from all its sources; see `gather`. Raises BadRequest naming what is wrong."""
    return build(gather(flags, environment, file), environment)


def gather(
    flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None
) -> dict[str, GivenSetting]:
    """What is given by name; a default model as "models.KIND". A flag that is None is not set.

    `file` is TOML with the fields of Config as keys (`[models]` a table); None: the default file, if it exists.
    Environment names are SPEECHMLX_ and the field or the kind in capitals. Raises BadRequest naming what is wrong.
    """
    given = {
        name: GivenSetting(value, "default", "the memory of this Mac") for name, value in default_settings().items()
    }
    given |= {
        name: GivenSetting(value, "default", "started as a service") for name, value in defaults(environment).items()
    }
    if file is None:
        default = default_file(environment)
        file = default if default.is_file() else None
    if file is not None:
        given |= {name: GivenSetting(value, "file", str(file)) for name, value in _spread(_read(file)).items()}
    given |= _of_environment(environment)
    flat = _spread({name: value for name, value in flags.items() if value is not None})
    given |= {name: GivenSetting(value, "flag", f"--{name.removeprefix('models.')}") for name, value in flat.items()}
    lexicon = default_file(environment).with_name(LEXICON)
    if ("lexicon" not in given or not given["lexicon"].value) and lexicon.is_file():
        given["lexicon"] = GivenSetting(lexicon, "default")
    return given


def build(given: Mapping[str, GivenSetting], environment: Mapping[str, str]) -> Config:
    """The config of what `gather` found. Raises BadRequest naming what is wrong."""
    known = {f.name: f for f in fields(Config)}
    if unknown := sorted(name for name in given if name not in known and not name.startswith("models.")):
        there = listed(unknown[0], known, "`audio-server config` shows all")
        raise BadRequest(f"unknown setting {', '.join(unknown)}; the settings are {there}{_from(given[unknown[0]])}")
    values: dict[str, Any] = {"models": {}}
    for name, one in given.items():
        if name.startswith("models."):
            if one.value:
                values["models"][name.removeprefix("models.")] = model_name(str(one.value).strip())
            continue
        try:
            values[name] = convert(known[name], one.value)
        except BadRequest as error:
            raise BadRequest(f"{error}{_from(one)}") from error
    config = Config(**values)
    return replace(config, bind=foreign_names.binds(environment, config.port, config.bind))


def _from(given: GivenSetting) -> str:
    """Where a wrong value is to be mended, as the end of a sentence. A flag was just written: nobody looks for it."""
    return f" (from {given.place})" if given.source in ("file", "environment") else ""


def _of_environment(environment: Mapping[str, str]) -> dict[str, GivenSetting]:
    """The settings in the environment. Raises BadRequest for a name with PREFIX that is none."""
    found = {}
    if key := foreign_names.key(environment):
        found["api_key"] = GivenSetting(key, "environment", foreign_names.KEY)
    if model := foreign_names.model(environment):
        found["models.asr"] = GivenSetting(model, "environment", foreign_names.MODEL)
    known = {PREFIX + f.name.upper(): f.name for f in fields(Config)}
    kinds = {PREFIX + kind.upper(): f"models.{kind}" for kind in KINDS}
    for variable, name in (known | kinds).items():
        if variable in environment:
            values = _spread({name: environment[variable]})
            found |= {one: GivenSetting(value, "environment", variable) for one, value in values.items()}
    if wrong := unknown_variables(environment):
        close = nearest(wrong[0], [*known, *kinds])[0]
        raise BadRequest(f"{', '.join(wrong)}: no such setting; did you mean {close}? `audio-server config` shows all")
    return found


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """The names with PREFIX in the environment that are no settings."""
    known = {PREFIX + name.upper() for name in (*(f.name for f in fields(Config)), *KINDS, *NO_SETTINGS)}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _spread(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with each default model under a name of its own. Raises BadRequest for models that are no table."""
    flat = {f"models.{name}" if name in KINDS else name: value for name, value in values.items()}
    models = flat.pop("models", {})
    if isinstance(models, str):
        pairs = [pair.partition("=") for pair in models.split(",") if pair.strip()]
        if wrong := [kind for kind, equals, _ in pairs if not equals]:
            raise BadRequest(f"models is written like asr=whisper-base,tts=kokoro (got {wrong[0]!r})")
        models = {kind.strip(): name.strip() for kind, _, name in pairs}
    if not isinstance(models, Mapping):
        raise BadRequest(f"models must be a table of a model for each kind (got {models!r})")
    return {f"models.{kind}": name for kind, name in models.items()} | flat


def default_file(environment: Mapping[str, str]) -> Path:
    """Path of the default settings file. It need not exist."""
    home = Path(environment.get("HOME", "~")).expanduser()
    if sys.platform == "darwin":
        return home / "Library/Application Support/speechmlx/config.toml"
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "speechmlx/config.toml"


def key_file(config: Config, environment: Mapping[str, str]) -> Path:
    """Path of the file of keys. It need not exist."""
    return config.key_file or default_file(environment).with_name("keys.json")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise BadRequest(f"the settings file {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the settings file {file} is not TOML: {error}") from error
