"""Config: one frozen dataclass; defaults, some of which are those of a service < file < environment < flags."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from speechmlx.errors import BadRequest
from speechmlx.log import LogSettings
from speechmlx.names import listed
from speechmlx.service_manager import defaults
from speechmlx.setting_values import boolean, network, not_negative, origin, parse_bytes, wyoming_address

PREFIX = "SPEECHMLX_"
OTHER_KEY = "SERVER_API_KEY"
"""Another server's name in the environment for api_key. Ours wins."""
OTHER_PORTS = {"PORT_WHISPERLIVE": "whisperlive", "HTTP_PORT": "hybrid"}
"""Another server's names in the environment for ports, and the protocol that is bound there. A bind of ours wins."""
LEXICON = "lexicon.toml"
"""Name of the default lexicon, beside the default settings file."""


def setting(default: Any, help: str, **more: Any) -> Any:
    """A field of Config with its documentation, for the command line and docs/configuration.md.

    `more`: the `unit` of a number; the allowed `choices`; the text `shown` for the default; `repeat` True if the flag
    can be given again; `flag` False if there is no flag.
    """
    return field(default=default, metadata={"help": help, "flag": True, **more})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a user can set. Each field's metadata is its documentation: see `setting`."""

    host: str = setting("127.0.0.1", "Bind address; 0.0.0.0 exposes it on the LAN.")
    port: int = setting(8080, "TCP port; 0 takes a free one.")
    bind: tuple[str, ...] = setting(
        (), "One more address, HOST:PORT or PROTOCOL=HOST:PORT (hybrid has its own /health there).", repeat=True
    )
    wyoming: str | None = setting(
        None,
        "Address for Home Assistant (protocol Wyoming), HOST:PORT; PORT or on (port 10300) for this machine alone.",
    )
    wyoming_zeroconf: bool = setting(False, "Announce that address on the network, for discovery by Home Assistant.")
    allow_origin: tuple[str, ...] = setting(
        (),
        "Origin whose web pages may use the server, like https://app.example; null for pages opened from files; * all.",
        repeat=True,
        shown="none but its own",
    )
    api_key: tuple[str, ...] = setting(
        (), "Key that clients must send; without one everybody who reaches the server may use it.", repeat=True
    )
    key_file: Path | None = field(
        default=None,
        metadata={
            "help": "File of named keys, which `audio-server key` writes; while it is there, clients must send a key.",
            "flag": False,
            "shown": "keys.json beside the settings file",
        },
    )
    require_key: bool = setting(
        False, "Refuse to start where other machines could use the server without a key; Wyoming has none."
    )
    tls_cert: Path | None = field(
        default=None,
        metadata={"help": "Certificate, or chain, of TLS as a PEM file.", "flag": True},
    )
    tls_key: Path | None = field(
        default=None, metadata={"help": "Private key of that certificate as a PEM file.", "flag": True}
    )
    tls_self_signed: bool = setting(
        False, "TLS with a certificate that the server makes and keeps beside the settings file."
    )
    trusted_proxy: tuple[str, ...] = setting(
        (),
        "Address or network of a proxy whose X-Forwarded-For says who a client is, like 127.0.0.1 or 10.0.0.0/8.",
        repeat=True,
    )
    allow_url_fetch: bool = setting(
        False, "Fetch recordings from public addresses for clients, and send webhooks there."
    )
    webhook_host: tuple[str, ...] = setting(
        (), "Host that webhooks may be sent to, whether its address is public or not.", repeat=True
    )
    webhook_secret: str | None = setting(
        None, "Secret that webhooks are signed with: whsec_ and 24 to 64 bytes in base64.", flag=False
    )
    preload: bool = setting(False, "Load the default model of every kind at start.")
    profile: str | None = setting(
        None, "Default models: starter or standard.", shown="standard on Apple silicon, else starter"
    )
    models: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "Default model per kind, over the profile's.", "flag": False, "shown": "the profile's"},
    )
    cache: Path | None = field(
        default=None,
        metadata={
            "help": "Folder of the models' weights.",
            "flag": False,
            "shown": "~/Library/Caches/speechmlx on macOS, else $XDG_CACHE_HOME/speechmlx",
        },
    )
    lexicon: Path | None = field(
        default=None,
        metadata={
            "help": "File that says how names and words are said, TOML: see reading.md.",
            "flag": True,
            "shown": "lexicon.toml in the settings folder, if it is there",
        },
    )
    idle_unload: float = setting(0.0, "Time after which an unused model leaves memory; 0 never.", unit="seconds")
    engine_idle: float = setting(
        0.0,
        "Time without work after which the engine process ends, which returns all memory; the next request starts it. "
        "It stays while models are kept in memory, as with preload. 0 never.",
        unit="seconds",
        flag=False,
        shown="900 where launchd or systemd started the server, else 0",
    )
    memory_limit: int = setting(0, "Memory for model weights, like 8GB.", unit="bytes", shown="70 % of the machine's")
    step_timeout: float = setting(
        60.0,
        "Time without the end of a step, while jobs run, after which the engine process is killed and started again; "
        "0 never.",
        unit="seconds",
        flag=False,
    )
    max_jobs: int = setting(64, "Jobs running and waiting; one more is refused.")
    max_sessions: int = setting(16, "Live sessions at once; one more is refused.")
    requests_per_minute: int = setting(
        0, "Requests a minute of one client.", shown="600 for other machines without a key, else no limit"
    )
    audio_seconds_per_day: int = setting(0, "Audio that one client sends a day.", unit="seconds", shown="no limit")
    jobs_per_client: int = setting(
        0,
        "Requests of one client at once that do work.",
        shown="half of max_jobs for other machines without a key, else no limit",
    )
    sessions_per_client: int = setting(
        0,
        "Live sessions of one client, and of one page's origin, at once.",
        shown="half of max_sessions for other machines without a key and for pages, else no limit",
    )
    audio_timeout: float = setting(
        2.0, "Time without audio in mid-speech that ends the turn; 0 never.", unit="seconds", flag=False
    )
    resume_window: float = setting(
        30.0,
        "Time that a live session whose connection broke is kept for its client to come back; 0 never.",
        unit="seconds",
        flag=False,
    )
    llm_url: str | None = setting(
        None, "OpenAI-compatible server whose language model answers /v1/realtime and /respond."
    )
    llm_url_model: str | None = setting(None, "Name of the model at that server.")
    llm_url_key: str | None = setting(None, "API key for that server.", flag=False)
    postprocess: bool = setting(
        False, "A language model corrects the transcripts of /ws/transcribe, unless a request says otherwise."
    )
    job_folder: Path | None = field(
        default=None,
        metadata={
            "help": "Folder of background jobs and their recordings.",
            "flag": False,
            "shown": "~/Library/Application Support/speechmlx/jobs on macOS, else $XDG_DATA_HOME/speechmlx/jobs",
        },
    )
    job_retention: float = setting(
        24 * 3600.0, "Time for which ended background jobs are kept; 0 for ever.", unit="seconds", flag=False
    )
    job_storage: int = setting(
        10 * 1024**3, "Disk for the recordings and results of background jobs.", unit="bytes", flag=False
    )
    max_audio_bytes: int = setting(100 * 1024 * 1024, "Largest upload.", unit="bytes", flag=False)
    max_text_bytes: int = setting(1024 * 1024, "Largest body without audio.", unit="bytes", flag=False)
    max_input_chars: int = setting(
        4096,
        "Longest text for /v1/audio/speech and /v1/speak; 0 no limit but max_text_bytes.",
        unit="characters",
        flag=False,
    )
    drain_timeout: float = setting(
        10.0, "Time that running requests get when the server stops.", unit="seconds", flag=False
    )
    log_level: str = setting("info", "debug, info, warning or error.", choices=("debug", "info", "warning", "error"))
    log_format: str = setting(
        "auto",
        "text, json, or auto: text on a terminal, else json; see logs.md.",
        choices=("auto", "text", "json"),
    )
    log_file: Path | None = field(
        default=None,
        metadata={
            "help": "File of the log, besides a terminal and in place of standard error.",
            "flag": True,
            "shown": "none; ~/Library/Logs/speechmlx/speechmlx.log where launchd started the server",
        },
    )
    log_file_size: int = setting(
        20_000_000, "Size at which that file is renamed and a new one begun; 0 never.", unit="bytes", flag=False
    )
    log_files_kept: int = setting(5, "Renamed files that stay; the oldest is deleted, one is always kept.", flag=False)
    log_transcripts: bool = setting(False, "Write what was recognised into the log.")

    @property
    def secrets(self) -> list[str]:
        """What is never written into the log."""
        return [*self.api_key, *filter(None, (self.llm_url_key, self.webhook_secret))]

    @property
    def log(self) -> LogSettings:
        """The settings of the log, for both processes."""
        file = str(self.log_file.absolute()) if self.log_file else ""
        return LogSettings(self.log_level, self.log_format, file, self.log_file_size, self.log_files_kept)


KINDS = {
    "asr": "Model for /transcribe.",
    "tts": "Model for /speak.",
    "llm": "Model that answers in /respond.",
    "s2s": "Speech-to-speech model for /respond.",
    "enhance": "Model for /enhance.",
    "vad": "Model that detects speech.",
    "turn": "Model that detects the end of a turn.",
    "diarize": "Model that tells speakers apart.",
}
"""Help of the flags that set one kind of `Config.models`."""
PATHS = ("cache", "job_folder", "key_file", "tls_cert", "tls_key", "log_file")
"""Fields that are paths."""
SIZES = tuple(f.name for f in fields(Config) if f.metadata.get("unit") == "bytes")


def default_text(entry: Field[Any]) -> str:
    """The default of a field of Config, as help texts and tables show it."""
    if "shown" in entry.metadata:
        return str(entry.metadata["shown"])
    if entry.default in (None, ()):
        return "none"
    if entry.default is False:
        return "off"
    return f"{entry.default:g}" if isinstance(entry.default, float) else str(entry.default)


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> Config:
    """Build the config from all its sources. A flag that is None is not set.

    `file` is TOML with the fields of Config as keys (`[models]` a table); None: the default file, if it exists.
    Environment names are SPEECHMLX_ and the field in capitals. Raises BadRequest naming what is wrong.
    """
    values = defaults(environment)
    if file is None:
        default = default_file(environment)
        file = default if default.is_file() else None
    if file is not None:
        values |= _read(file)
    if key := environment.get(OTHER_KEY, "").strip():
        values["api_key"] = key
    values |= {f.name: environment[key] for f in fields(Config) if (key := PREFIX + f.name.upper()) in environment}
    values |= {name: value for name, value in flags.items() if value is not None}
    if not values.get("lexicon") and (lexicon := default_file(environment).with_name(LEXICON)).is_file():
        values["lexicon"] = lexicon
    known = {f.name: f for f in fields(Config)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        there = listed(unknown[0], known, "`audio-server --help` shows all")
        raise BadRequest(f"unknown setting {', '.join(unknown)}; the settings are {there}")
    return _with_other_ports(Config(**{name: _convert(name, value) for name, value in values.items()}), environment)


def _with_other_ports(config: Config, environment: Mapping[str, str]) -> Config:
    """`config` with a bind for each of OTHER_PORTS, but for the main port. Raises BadRequest."""
    binds = list(config.bind)
    for variable, protocol in OTHER_PORTS.items():
        port = environment.get(variable, "").strip()
        if not port or any(bind.startswith(f"{protocol}=") for bind in binds):
            continue
        if not re.fullmatch(r"\d{1,5}", port):
            raise BadRequest(f"{variable} = {port!r} is not a port; write it like 5050")
        if int(port) != config.port or not int(port):
            binds.append(f"{protocol}={port}")
    return replace(config, bind=tuple(binds))


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


def _convert(name: str, value: Any) -> Any:
    """Convert a value from text or TOML to the field's type. Raises BadRequest."""
    entry = next(f for f in fields(Config) if f.name == name)
    default = entry.default
    try:
        if name == "models":
            return dict(pair.split("=", 1) for pair in value.split(",")) if isinstance(value, str) else dict(value)
        if name in LISTS:
            parts = value.split(",") if isinstance(value, str) else value
            return tuple(LISTS[name](text) for part in parts if (text := str(part).strip()))
        if name in PATHS:
            return Path(value).expanduser()
        if name == "lexicon":
            return Path(value).expanduser() if value else None
        if name == "wyoming":
            return wyoming_address(value)
        if isinstance(default, bool):
            return boolean(value)
        if name in SIZES and isinstance(value, str):
            return parse_bytes(value)
        if isinstance(default, int):
            return not_negative(name, int(value))
        if isinstance(default, float):
            return not_negative(name, float(value))
    except (ValueError, TypeError) as error:
        kind = "table" if default is MISSING else type(default).__name__
        raise BadRequest(f"{name} = {value!r} is not a {kind}") from error
    choices = entry.metadata.get("choices")
    if choices and str(value).lower() not in choices:
        raise BadRequest(f"{name} = {value!r} is none of {', '.join(choices)}")
    if name == "host" and not str(value).strip():
        raise BadRequest("host is empty; 127.0.0.1 is this machine alone, 0.0.0.0 every network it is in")
    return str(value)


LISTS: dict[str, Callable[[str], str]] = {
    "bind": str,
    "allow_origin": origin,
    "api_key": str,
    "trusted_proxy": network,
    "webhook_host": str.lower,
}
"""Fields with several values, separated by commas in text, and the function that parses each value."""
