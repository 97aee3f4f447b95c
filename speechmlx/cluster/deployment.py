"""The deployment: one replica of the server on each Mac. Only this module and `launch` import Ray."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ray import serve
from starlette.types import ASGIApp

from speechmlx import tracing
from speechmlx.app import create_app
from speechmlx.cluster.autoscaling import LOAD, load
from speechmlx.cluster.replica_side import ReplicaSide
from speechmlx.config import Config
from speechmlx.config_sources import key_file
from speechmlx.config_sources import load as load_config
from speechmlx.errors import BadRequest
from speechmlx.jobs.files import default_folder
from speechmlx.log import start as start_log
from speechmlx.models import admission, catalog, store
from speechmlx.protocols.http import descriptors
from speechmlx.protocols.http.services import build_services
from speechmlx.runtime.front.runtime import Runtime

RESOURCE = "mlx"
"""Ray's name for what a Mac has one of, and a replica needs one of."""
RAYS = {
    "host": "http_options.host",
    "port": "http_options.port",
    "bind": "http_options.port: there is one port",
    "tls_cert": "http_options.ssl_certfile",
    "tls_key": "http_options.ssl_keyfile",
    "tls_self_signed": "http_options.ssl_certfile",
    "wyoming": "a server of its own (audio-server serve --wyoming)",
    "wyoming_zeroconf": "a server of its own (audio-server serve --wyoming)",
}
"""Settings that a replica does not listen to, and what is in their place."""
SPARE = 64
"""Requests that a replica takes besides its jobs and sessions: monitors, pages, and refusals with a reason."""
UNWELL = 60.0
"""Seconds without an engine process after which Ray replaces the replica; it starts its engine again by itself."""
DRAIN = 60.0
"""Seconds that requests and sessions have to end when a replica is stopped; the config file can change it."""


def settings_of(args: Mapping[str, Any]) -> Config:
    """The settings of a replica: `args` over this Mac's environment and settings file. Raises BadRequest."""
    if given := [name for name in args if name in RAYS]:
        raise BadRequest(f"{given[0]} is no setting of a replica; use {RAYS[given[0]]}")
    config = load_config(dict(args), os.environ)
    sessions = config.session_folder or default_folder(config) / "live"
    return replace(config, key_file=key_file(config, os.environ), session_folder=sessions)


def application(args: Mapping[str, Any]) -> Any:
    """The application for Ray Serve, with options that a config file can replace. Raises BadRequest."""
    config = settings_of(args)
    requests = config.max_jobs + config.max_sessions + SPARE
    options: dict[str, Any] = {
        "max_ongoing_requests": requests,
        "max_queued_requests": requests,
        "backpressure_config": {"status_code": 503, "retry_after_s": 1},
        "ray_actor_options": {"num_cpus": 0, "resources": {RESOURCE: 1}},
        "health_check_period_s": 5,
        "health_check_timeout_s": 15,
        "graceful_shutdown_timeout_s": DRAIN,
    }
    return serve.deployment(**options)(serve.ingress()(SpeechReplica)).bind(dict(args))


class SpeechReplica:
    """A replica: the same app as `audio-server serve`, with an engine process of its own."""

    def __init__(self, args: dict[str, Any]) -> None:
        config = settings_of(args)
        start_log(config.log, config.secrets)
        tracing.start(os.environ)
        descriptors.raise_limit()
        models = admission.admit_settings(catalog.load(store.cache_folder(config)), config)
        models.check(config)
        self._config = config
        self._runtime = Runtime(config, models)
        self._well = time.monotonic()

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Ray Serve asks for the app, and runs its lifespan."""
        return ReplicaSide(create_app(build_services(self._config, self._runtime)))

    async def check_health(self) -> None:
        """Ray Serve asks regularly. Raises RuntimeError when the engine process has been away too long."""
        now = time.monotonic()
        status = self._runtime.status()
        if status.engine == "ok":
            self._well = now
        elif now - self._well > UNWELL:
            raise RuntimeError(f"the engine process has been {status.engine!r} for {now - self._well:.0f} s")

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Ray Serve asks regularly, for the policy in `autoscaling`."""
        metrics = self._runtime.metrics
        return {LOAD: load(metrics.sessions, self._config.max_sessions, metrics.engine_waiting)}
