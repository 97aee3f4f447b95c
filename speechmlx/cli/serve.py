"""`audio-server serve`: the server, with its flags."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from speechmlx import __version__
from speechmlx.config import Config, load

Host = Annotated[str | None, typer.Option(help="Bind address; 0.0.0.0 exposes it on the LAN. [default: 127.0.0.1]")]
Port = Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one. [default: 8080]")]
Bind = Annotated[
    list[str] | None,
    typer.Option(help="One more address, HOST:PORT or PROTOCOL=HOST:PORT; can be given again. [default: none]"),
]
Origin = Annotated[
    list[str] | None,
    typer.Option(
        help="Origin whose web pages may use the server, like https://app.example; * all; can be given again. "
        "[default: none but its own]"
    ),
]
UrlFetch = Annotated[
    bool | None,
    typer.Option("--allow-url-fetch", help="Fetch recordings from public addresses for clients. [default: off]"),
]
Preload = Annotated[
    bool | None, typer.Option("--preload", help="Load the default model of every kind at start. [default: off]")
]
Profile = Annotated[
    str | None,
    typer.Option(help="Default models: starter or standard. [default: standard on Apple silicon, else starter]"),
]
File = Annotated[
    Path | None, typer.Option("--config", help="Settings file, TOML. [default: config.toml in the settings folder]")
]
IdleUnload = Annotated[
    float | None, typer.Option(help="Seconds after which an unused model leaves memory; 0 never. [default: 0]")
]
MemoryLimit = Annotated[
    str | None, typer.Option(help="Memory for model weights, like 8GB. [default: 70 % of the machine's]")
]
MaxJobs = Annotated[int | None, typer.Option(help="Jobs running and waiting; one more is refused. [default: 64]")]
MaxSessions = Annotated[int | None, typer.Option(help="Live conversations at once; one more is refused. [default: 16]")]
LlmUrl = Annotated[
    str | None,
    typer.Option(help="OpenAI-compatible server whose language model answers /v1/realtime. [default: none]"),
]
LlmUrlModel = Annotated[str | None, typer.Option(help="Name of the model at that server. [default: none]")]
Asr = Annotated[str | None, typer.Option(help="Model for /transcribe. [default: the profile's]")]
Tts = Annotated[str | None, typer.Option(help="Model for /speak. [default: the profile's]")]
Llm = Annotated[str | None, typer.Option(help="Model that answers in /respond. [default: the profile's]")]
S2s = Annotated[str | None, typer.Option(help="Speech-to-speech model for /respond. [default: the profile's]")]
Enhance = Annotated[str | None, typer.Option(help="Model for /enhance. [default: the profile's]")]
Vad = Annotated[str | None, typer.Option(help="Model that hears when somebody speaks. [default: the profile's]")]
Turn = Annotated[str | None, typer.Option(help="Model that hears whether a turn is over. [default: the profile's]")]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error. [default: info]")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and leave.")
]


def serve(
    host: Host = None,
    port: Port = None,
    bind: Bind = None,
    allow_origin: Origin = None,
    allow_url_fetch: UrlFetch = None,
    preload: Preload = None,
    profile: Profile = None,
    config: File = None,
    idle_unload: IdleUnload = None,
    memory_limit: MemoryLimit = None,
    max_jobs: MaxJobs = None,
    max_sessions: MaxSessions = None,
    llm_url: LlmUrl = None,
    llm_url_model: LlmUrlModel = None,
    asr: Asr = None,
    tts: Tts = None,
    llm: Llm = None,
    s2s: S2s = None,
    enhance: Enhance = None,
    vad: Vad = None,
    turn: Turn = None,
    log_level: LogLevel = None,
    version: Version = False,
) -> None:
    """HTTP API server for speech models on Apple Silicon: transcribe, speak, respond, enhance.

    This is what audio-server does without a verb. The others: models, pull, rm (see audio-server VERB --help).
    """
    kinds = {"asr": asr, "tts": tts, "llm": llm, "s2s": s2s, "enhance": enhance, "vad": vad, "turn": turn}
    flags: dict[str, Any] = {
        "host": host,
        "port": port,
        "bind": tuple(bind) if bind else None,
        "allow_origin": tuple(allow_origin) if allow_origin else None,
        "allow_url_fetch": allow_url_fetch,
        "preload": preload,
        "profile": profile,
        "idle_unload": idle_unload,
        "memory_limit": memory_limit,
        "max_jobs": max_jobs,
        "max_sessions": max_sessions,
        "llm_url": llm_url,
        "llm_url_model": llm_url_model,
        "log_level": log_level,
    }
    settings = load(flags, os.environ, config)
    chosen = {kind: name for kind, name in kinds.items() if name is not None}
    start(load({**flags, "models": {**settings.models, **chosen}}, os.environ, config))


def start(config: Config) -> None:
    """Serve until told to stop."""
    gc.disable()  # imports make much and drop nothing; serve.run turns it on again
    from speechmlx.models import catalog
    from speechmlx.serve import run

    run(config, catalog.load(), typer.echo)
