"""Hypercorn around the app: the socket, limits, signals and the graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import re
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config as HypercornConfig
from hypercorn.utils import LifespanFailureError
from starlette.applications import Starlette

from speechmlx.app import create_app
from speechmlx.banner import Door, banner
from speechmlx.config import Config
from speechmlx.errors import BadRequest, EngineLost
from speechmlx.log import start as start_log
from speechmlx.models.spec import Catalog
from speechmlx.protocols import PROTOCOLS
from speechmlx.protocols.http.services import Services, build_services
from speechmlx.protocols.http.traffic import Traffic
from speechmlx.runtime.front.runtime import Runtime

MAX_MESSAGE = 128 * 1024 * 1024
"""Bytes of one WebSocket message; Hypercorn's own limit is 16 MiB."""
PING_INTERVAL = 20.0
"""Seconds between two pings to each WebSocket, so that nothing on the way takes a silent one for dead."""
LAST_WORDS = 0.2
"""Seconds in which the ends of jobs reach their clients."""
GRACE = 2.0
"""Seconds that connections have to end."""
LONGEST = 8.0
"""Seconds that the end may take, whatever a connection or process does."""

log = logging.getLogger(__name__)


def run(config: Config, catalog: Catalog, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `say` prints the banner. Raises BadRequest when the address cannot be bound."""
    start_log(config.log_level)
    catalog.check(config)
    runtime = Runtime(config, catalog)
    doors = [Door(_listen(host, port), name) for name, host, port in addresses(config)]
    ports = {door.listener.getsockname()[1]: door.name for door in doors if door.name}
    services = build_services(config, runtime, ports)
    app = create_app(services)
    for line in banner(doors, config, catalog):
        say(line)
    gc.freeze()  # what is here now stays: no collection need look at it
    gc.enable()
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(_serve(app, services, [door.listener for door in doors], say))


class _Loop(asyncio.SelectorEventLoop):
    """Its servers close without waiting for connections, as before Python 3.12; Hypercorn gives these time itself."""

    async def create_server(self, *given: Any, **named: Any) -> asyncio.Server:
        server = await super().create_server(*given, **named)
        server.wait_closed = partial(asyncio.sleep, 0)  # type: ignore[method-assign]
        return server


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


async def _serve(
    app: Starlette,
    services: Services,
    listeners: Sequence[socket.socket],
    say: Callable[[str], None],
) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_unless_cancelled)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)

    async def until_drained() -> None:
        announcing = asyncio.create_task(_announce(services.runtime, say))
        await told.wait()
        announcing.cancel()
        told.clear()
        await _finish(services.runtime, services.traffic, services.config.drain_timeout, told)
        loop.call_later(LONGEST, serving.cancel)

    serving = asyncio.create_task(hypercorn_serve(app, _hypercorn(listeners), shutdown_trigger=until_drained))
    try:
        await serving
    except asyncio.CancelledError:
        log.warning("connections that did not end were cut")
    log.info("stopped")


async def _announce(runtime: Runtime, say: Callable[[str], None]) -> None:
    """Say when requests are taken and the engine process is up."""
    while True:
        with contextlib.suppress(EngineLost):  # the log has why, and that it is started again
            await runtime.ready()
            break
    with contextlib.suppress(OSError):  # whoever read the banner may have left
        say("Ready")


async def _finish(runtime: Runtime, traffic: Traffic, seconds: float, again: asyncio.Event) -> None:
    """Let what is under way end, for so many seconds or until told `again`; then answer what is left with 503."""
    if under_way := _under_way(traffic, runtime.status().jobs):
        log.info("finishing %s, up to %g s; Ctrl-C again to stop now", under_way, seconds)
    else:
        log.info("stopping")
    draining = asyncio.create_task(runtime.drain(seconds, lambda: traffic.requests > 0))
    stopping = asyncio.create_task(again.wait())
    await asyncio.wait({draining, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not draining.done():
        log.info("stopping now")
        draining.cancel()
        await runtime.drain(0.0)
    if traffic.requests:
        await asyncio.sleep(LAST_WORDS)  # for those whose job ended by this
        traffic.stop()


def _under_way(traffic: Traffic, jobs: int) -> str:
    """Requests and sockets in words; jobs where there are neither."""
    counts = [(traffic.requests, "request"), (traffic.sockets, "socket")]
    if not any(count for count, _ in counts):
        counts = [(jobs, "job")]
    return " and ".join(f"{count} {word}{'s' * (count > 1)}" for count, word in counts if count)


def _unless_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what went wrong in the event loop; that a task was cancelled, as connections are at the end, is no fault."""
    if not isinstance(context.get("exception"), (asyncio.CancelledError, LifespanFailureError)):
        loop.default_exception_handler(context)


def _hypercorn(listeners: Sequence[socket.socket]) -> HypercornConfig:
    settings = HypercornConfig()
    settings.bind = [f"fd://{listener.detach()}" for listener in listeners]  # Hypercorn owns and closes them
    settings.websocket_max_message_size = MAX_MESSAGE
    settings.websocket_ping_interval = PING_INTERVAL
    settings.graceful_timeout = GRACE
    settings.errorlog = logging.getLogger("hypercorn")
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
