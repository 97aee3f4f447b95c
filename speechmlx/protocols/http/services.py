"""Services: what the routes of one server share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from speechmlx.config import Config
from speechmlx.key_file import KeyFile
from speechmlx.protocols.http.access_keys import AccessKeys
from speechmlx.protocols.http.background import BackgroundJobs
from speechmlx.protocols.http.decoding import RecordingDecoder
from speechmlx.protocols.http.model_names import ModelNames
from speechmlx.protocols.http.rate_limits import ClientUsage
from speechmlx.protocols.http.traffic import Traffic
from speechmlx.protocols.http.url_fetch import UrlFetcher
from speechmlx.protocols.live_sessions import LiveSessions
from speechmlx.protocols.safe_store import SafeStore
from speechmlx.protocols.session_limit import SessionLimit
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind


@dataclass(frozen=True)
class Services:
    """What one server's routes work with. `build_services` makes them, `app.create_app` hands them to the routes."""

    config: Config
    runtime: Runtime
    names: ModelNames
    decoding: RecordingDecoder
    fetches: UrlFetcher
    traffic: Traffic
    sessions: SessionLimit
    live: LiveSessions
    keys: AccessKeys
    usage: ClientUsage
    jobs: BackgroundJobs
    ports: Mapping[int, str] = field(default_factory=dict)
    """Names of protocols by the port that was opened for them (--bind NAME=HOST:PORT)."""

    @property
    def postprocesses(self) -> bool:
        """Whether transcripts are corrected by default: the config says so, and there is a language model."""
        config, catalog = self.config, self.runtime.catalog
        return config.postprocess and (bool(config.llm_url) or Kind.LLM in catalog.kinds(config))


def safe_store(config: Config) -> SafeStore | None:
    """Where the servers that share its folder find each other's live sessions."""
    return SafeStore(config.session_folder, config.resume_window) if config.session_folder else None


def build_services(config: Config, runtime: Runtime, ports: Mapping[int, str] | None = None) -> Services:
    """The services of a new server. The app's lifespan starts `runtime` and closes them all. Raises BadRequest."""
    usage = ClientUsage(config)
    return Services(
        config,
        runtime,
        ModelNames(runtime),
        RecordingDecoder(config.max_jobs, charge=usage.audio),
        UrlFetcher(),
        Traffic(),
        SessionLimit(config.max_sessions, runtime, usage),
        LiveSessions(config.resume_window, config.max_sessions, safe_store(config)),
        AccessKeys(config.api_key, KeyFile(config.key_file) if config.key_file else None),
        usage,
        BackgroundJobs(config, usage),
        ports or {},
    )
