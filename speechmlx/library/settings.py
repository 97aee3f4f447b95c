"""The settings of the library: those of the server's Config that mean something without a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from speechmlx.config import Config
from speechmlx.config_sources import load
from speechmlx.errors import BadRequest

LOG_LEVEL = "warning"
"""The level of the engine process, which writes to standard error, where no keyword argument sets it."""


class SpeechSettings(TypedDict, total=False):
    """Keyword arguments of `Speech`. Each wins over SPEECHMLX_NAME in the environment and over the settings file.

    docs/configuration.md describes them. `asr` to `lid` name the default model of a kind.
    """

    asr: str
    listen: str
    tts: str
    llm: str
    s2s: str
    enhance: str
    vad: str
    turn: str
    diarize: str
    align: str
    lid: str
    profile: str
    languages: str | list[str]
    preload: bool
    cache: str | Path
    accept_licence: str | list[str]
    lexicon: str | Path
    voice_folder: str | Path
    voices: dict[str, str]
    idle_unload: float
    memory_limit: int | str
    step_timeout: float
    max_jobs: int
    max_sessions: int
    audio_timeout: float
    listen_delay: float
    device: str
    llm_context: int
    llm_url: str
    llm_url_model: str
    llm_url_key: str
    log_level: str


def read_config(settings: Mapping[str, Any], file: str | os.PathLike[str] | None = None) -> Config:
    """The config of a `Speech` with these keyword arguments. `file`: the settings file instead of the default one.

    Raises BadRequest, which names what is wrong and what there is.
    """
    known = SpeechSettings.__annotations__
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise BadRequest(f"unknown setting {', '.join(unknown)}; the settings are {', '.join(known)}")
    path = None if file is None else Path(file).expanduser()
    config = load({"log_level": LOG_LEVEL, **settings}, os.environ, path)
    return replace(config, log_file=None)  # it is the server's: two processes do not share one
