"""Config: everything that a user can set, as one frozen dataclass. config_sources.py builds it."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from speechmlx.log import LogSettings

PREFIX = "SPEECHMLX_"
WIRED = ("auto", "off", "touch", "limit")


def setting(default: Any, help: str, **more: Any) -> Any:
    """A field of Config with its documentation, for the command line and docs/configuration.md.

    `more`: the `unit` of a number, and the `least` and `most` that it may be; the allowed `choices`; the text `shown`
    for the default; `repeat` True if the flag can be given again; `flag` False if there is no flag.
    """
    return field(default=default, metadata={"help": help, "flag": True, **more})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a user can set. Each field's metadata is its documentation: see `setting`."""

    host: str = setting("127.0.0.1", "Bind address; 0.0.0.0 exposes it on the LAN.")
    port: int = setting(8080, "TCP port; 0 takes a free one.", most=65535)
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
    key_file: Path | None = setting(
        None,
        "File of named keys, which `audio-server key` writes; while it is there, clients must send a key.",
        shown="keys.json beside the settings file",
        flag=False,
    )
    require_key: bool = setting(
        False, "Refuse to start where other machines could use the server without a key; Wyoming has none."
    )
    tls_cert: Path | None = field(
        default=None, metadata={"help": "Certificate, or chain, of TLS as a PEM file.", "flag": True}
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
        None,
        "Default models: starter, standard or large.",
        shown="on Apple silicon large from 24 GB on, standard from 16 GB on; else starter",
    )
    languages: tuple[str, ...] = setting(
        (),
        "Languages that people speak to the server, like en or de,fr: the profiles standard and large have recognisers "
        "for them; see models.md.",
        repeat=True,
        shown="any",
    )
    models: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "Default model per kind, over the profile's.", "flag": False, "shown": "the profile's"},
    )
    cache: Path | None = setting(
        None,
        "Folder of the models' weights.",
        shown="~/Library/Caches/speechmlx on macOS, else $XDG_CACHE_HOME/speechmlx",
        flag=False,
    )
    accept_licence: tuple[str, ...] = setting(
        (),
        "Licence that is accepted though it forbids some uses, such as CC-BY-NC-4.0; `audio-server pull` asks for it.",
        repeat=True,
        shown="those accepted before",
    )
    lexicon: Path | None = setting(
        None,
        "File that says how names and words are said, TOML: see reading.md.",
        shown="lexicon.toml in the settings folder, if it is there",
    )
    idle_unload: float = setting(
        0.0, "Time after which an unused model leaves memory; 0 never.", unit="seconds", shown="0; by memory on a Mac"
    )
    device: str = setting(
        "auto", "What computes: auto (the GPU where it can be used), cpu or gpu.", choices=("auto", "cpu", "gpu")
    )
    engine_idle: float = setting(
        0.0,
        "Time without work after which the engine process ends, which returns all memory; the next request starts it. "
        "It stays while models are kept in memory, as with preload. 0 never.",
        unit="seconds",
        flag=False,
        shown="900 where launchd or systemd started the server, else 0",
    )
    memory_limit: int = setting(
        0,
        "Memory for models and what their requests hold, like 8GB.",
        unit="bytes",
        shown="70 % of the machine's, or less: what its GPU recommends without MLX's cache (5 %)",
    )
    step_timeout: float = setting(
        60.0,
        "Time without the end of a step, while jobs run, after which the engine process is killed and started again; "
        "a step of a model's load may take ten times as long. 0 never.",
        unit="seconds",
        flag=False,
    )
    keep_wired: str = setting("auto", "How models stay ready on a GPU: see models.md.", choices=WIRED, flag=False)
    max_jobs: int = setting(64, "Jobs running and waiting; further ones are refused.", least=1)
    max_sessions: int = setting(16, "Live sessions at once; further ones are refused.")
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
    listen_delay: float = setting(
        0.0,
        "Time that live recognisers which look ahead wait before they give a word, the nearest that the model can.",
        unit="seconds",
        flag=False,
        shown="0: the model's own",
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
    llm_context: int = setting(
        8192, "Most tokens of a language model's prompt and answer, where its own limit is higher.", least=256
    )
    postprocess: bool = setting(
        False, "A language model corrects the transcripts of /ws/transcribe, unless a request says otherwise."
    )
    job_folder: Path | None = setting(
        None,
        "Folder of background jobs and their recordings.",
        shown="~/Library/Application Support/speechmlx/jobs on macOS, else $XDG_DATA_HOME/speechmlx/jobs",
        flag=False,
    )
    session_folder: Path | None = setting(
        None,
        "Folder in which live sessions are written down, so that they go on where their server is lost.",
        shown="none; in a cluster, live in job_folder",
        flag=False,
    )
    voice_folder: Path | None = setting(
        None,
        "Folder of the voices that clients stored, and of consents.",
        shown="~/Library/Application Support/speechmlx/voices on macOS, else $XDG_DATA_HOME/speechmlx/voices",
        flag=False,
    )
    voices: dict[str, str] = field(
        default_factory=dict,
        metadata={
            "help": "Names for voices, before those of models: narrator=af_bella*0.7+af_sky*0.3,alloy=bm_george.",
            "flag": False,
            "shown": "none",
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
    log_file: Path | None = setting(
        None,
        "File of the log, besides a terminal and in place of standard error.",
        shown="none; ~/Library/Logs/speechmlx/speechmlx.log where launchd started the server",
    )
    log_file_size: int = setting(
        20_000_000, "Size at which that file is renamed and a new one begun; 0 never.", unit="bytes", flag=False
    )
    log_files_kept: int = setting(5, "Renamed files that stay; the oldest is deleted, one is always kept.", flag=False)
    log_transcripts: bool = setting(False, "Write what was recognised into the log.")

    @property
    def secrets(self) -> list[str]:
        """What is never written into the log."""
        found = [getattr(self, name) for name in SECRETS]
        return [text for one in found for text in ((one,) if isinstance(one, str) else one or ())]

    @property
    def log(self) -> LogSettings:
        """The settings of the log, for both processes."""
        file = str(self.log_file.absolute()) if self.log_file else ""
        return LogSettings(self.log_level, self.log_format, file, self.log_file_size, self.log_files_kept)


SECRETS = ("api_key", "llm_url_key", "webhook_secret")
"""Fields that nothing shows."""
LISTEN = "listen"
"""Key in `Config.models` of the model that recognises speech live; it is no kind of its own."""
KINDS = {
    "asr": "Model for /transcribe, and for turns that are recognised as a whole.",
    LISTEN: "Model for words while a person speaks; that of asr where only asr is set.",
    "tts": "Model for /speak.",
    "llm": "Model that answers in /respond.",
    "s2s": "Speech-to-speech model for /respond.",
    "enhance": "Model for /enhance.",
    "vad": "Model that detects speech.",
    "turn": "Model that detects the end of a turn.",
    "diarize": "Model that tells speakers apart.",
    "align": "Model that gives times to words: of a known text, and for recognisers that tell none.",
    "lid": "Model that tells the language of a recording where that alone is asked; without it that of asr does.",
}
"""Help of the flags that set one model of `Config.models`."""
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
