"""Hypercorn around the app: the socket, limits, signals and the graceful end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config as HypercornConfig
from starlette.applications import Starlette
from starlette.routing import Route

from speechmlx.app import create_app
from speechmlx.config import Config
from speechmlx.errors import BadRequest
from speechmlx.models.row import Catalog
from speechmlx.runtime.front import Runtime

MAX_MESSAGE = 128 * 1024 * 1024
"""Bytes of one WebSocket message; Hypercorn's own limit is 16 MiB."""


def run(config: Config, catalog: Catalog, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `say` prints the banner. Raises BadRequest when the address cannot be bound."""
    logging.basicConfig(level=config.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    listener = _listen(config)
    runtime = Runtime(config, catalog)
    app = create_app(config, runtime)
    for line in banner(listener, app):
        say(line)
    asyncio.run(_serve(app, runtime, config, listener))


def banner(listener: socket.socket, app: Starlette) -> list[str]:
    """What a person sees first: the address, and a line per endpoint."""
    host, port = listener.getsockname()[:2]
    lines = [f"Starting server on http://{f'[{host}]' if ':' in host else host}:{port}", "Endpoints:"]
    for route in app.routes:
        if isinstance(route, Route) and route.methods:
            method = sorted(route.methods - {"HEAD"})[0]
            summary = (route.endpoint.__doc__ or "").strip().splitlines()[0].rstrip(".")
            lines.append(f"  {method:<4} {route.path} - {summary}")
    return lines


async def _serve(app: Starlette, runtime: Runtime, config: Config, listener: socket.socket) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)

    async def until_drained() -> None:
        await told.wait()
        told.clear()
        draining, told_again = (
            asyncio.create_task(runtime.drain(config.drain_timeout)),
            asyncio.create_task(told.wait()),
        )
        await asyncio.wait({draining, told_again}, return_when=asyncio.FIRST_COMPLETED)
        draining.cancel()
        told_again.cancel()

    await hypercorn_serve(app, _hypercorn(listener), shutdown_trigger=until_drained)


def _hypercorn(listener: socket.socket) -> HypercornConfig:
    settings = HypercornConfig()
    settings.bind = [f"fd://{listener.detach()}"]  # Hypercorn owns and closes it
    settings.websocket_max_message_size = MAX_MESSAGE
    settings.websocket_ping_interval = 20.0
    settings.graceful_timeout = 2.0
    settings.loglevel = "WARNING"
    return settings


def _listen(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise BadRequest(f"cannot listen on {config.host}:{config.port}: {error.strerror}; try --port 0") from error
    return listener
