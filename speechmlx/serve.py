"""Hypercorn around the app: the socket, limits, signals and the graceful end."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config as HypercornConfig
from starlette.applications import Starlette
from starlette.routing import Route

from speechmlx.app import create_app
from speechmlx.config import Config
from speechmlx.errors import BadRequest
from speechmlx.models.row import Catalog
from speechmlx.protocols import PROTOCOLS
from speechmlx.runtime.front import Runtime

MAX_MESSAGE = 128 * 1024 * 1024
"""Bytes of one WebSocket message; Hypercorn's own limit is 16 MiB."""
PING_INTERVAL = 20.0
"""Seconds between two pings to each WebSocket, so that nothing on the way takes a silent one for dead."""


def run(config: Config, catalog: Catalog, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `say` prints the banner. Raises BadRequest when the address cannot be bound."""
    logging.basicConfig(level=config.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every broken form; the client is told
    catalog.check(config)
    runtime = Runtime(config, catalog)
    app = create_app(config, runtime)
    doors = [Door(_listen(host, port), name) for name, host, port in addresses(config)]
    app.state.ports = {door.listener.getsockname()[1]: door.name for door in doors if door.name}
    for line in banner(doors, app):
        say(line)
    gc.freeze()  # what is here now stays: no collection need look at it
    gc.enable()
    asyncio.run(_serve(app, runtime, config, [door.listener for door in doors]))


@dataclass(frozen=True)
class Door:
    """Where clients come in; `name` is the protocol that has answers of its own there, or ""."""

    listener: socket.socket
    name: str

    @property
    def url(self) -> str:
        host, port = self.listener.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def addresses(config: Config) -> list[tuple[str, str, int]]:
    """(protocol or "", host, port) of every address to listen on, the first the server's own. Raises BadRequest."""
    names = {protocol.__module__.rpartition(".")[2] for protocol in PROTOCOLS}
    found = [("", config.host, config.port)]
    for bind in config.bind:
        match = re.fullmatch(r"(?:(\w+)=)?(?:\[?([^\[\]=]+?)\]?:)?(\d{1,5})", bind)
        if match is None or int(match[3]) > 65535:
            raise BadRequest(f"{bind!r} is no address to bind; write it like 0.0.0.0:5050, 5050 or hybrid=5050")
        if match[1] is not None and match[1] not in names:
            raise BadRequest(f"{bind!r} names no protocol; the protocols are {', '.join(sorted(names))}")
        found.append((match[1] or "", match[2] or config.host, int(match[3])))
    return found


def banner(doors: Sequence[Door], app: Starlette) -> list[str]:
    """What a person sees first: the addresses, and a line per endpoint."""
    lines = [f"Starting server on {doors[0].url}"]
    lines += [f"Also on {door.url}{f' for {door.name}' if door.name else ''}" for door in doors[1:]]
    lines.append("Endpoints:")
    for route in app.routes:
        if isinstance(route, Route) and route.methods:
            method = sorted(route.methods - {"HEAD"})[0]
            summary = (route.endpoint.__doc__ or "").strip().splitlines()[0].rstrip(".")
            lines.append(f"  {method:<4} {route.path} - {summary}")
    return list(dict.fromkeys(lines))  # a path that answers forms and other bodies alike is there twice


async def _serve(app: Starlette, runtime: Runtime, config: Config, listeners: Sequence[socket.socket]) -> None:
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

    await hypercorn_serve(app, _hypercorn(listeners), shutdown_trigger=until_drained)


def _hypercorn(listeners: Sequence[socket.socket]) -> HypercornConfig:
    settings = HypercornConfig()
    settings.bind = [f"fd://{listener.detach()}" for listener in listeners]  # Hypercorn owns and closes them
    settings.websocket_max_message_size = MAX_MESSAGE
    settings.websocket_ping_interval = PING_INTERVAL
    settings.graceful_timeout = 2.0
    settings.loglevel = "WARNING"
    return settings


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise BadRequest(f"cannot listen on {host}:{port}: {error}; try --port 0") from error
    return listener
