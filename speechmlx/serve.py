"""Run the app in Hypercorn: listening sockets, limits, signals and graceful shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import itertools
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config as HypercornConfig
from hypercorn.utils import LifespanFailureError
from starlette.applications import Starlette

from speechmlx import activation, tracing
from speechmlx.app import create_app
from speechmlx.banner import Door, banner, check_keys
from speechmlx.certificate import Certificate, certificate
from speechmlx.config import Config
from speechmlx.config_sources import default_file
from speechmlx.errors import BadRequest, EngineLost, TemporaryFailure
from speechmlx.key_file import KeyFile
from speechmlx.log import start as start_log
from speechmlx.models.spec import Catalog
from speechmlx.protocols import PROTOCOLS
from speechmlx.protocols.http import (
    connections,
    descriptors,
    plain_http,
    request_stream,
    secure_http,
    socket_stream,
)
from speechmlx.protocols.http.services import Services, build_services
from speechmlx.protocols.http.traffic import Traffic
from speechmlx.runtime import heaps
from speechmlx.runtime.front.runtime import Runtime

MAX_MESSAGE = 128 * 1024 * 1024
"""Longest WebSocket message in bytes. Hypercorn's default is 16 MiB."""
PING_INTERVAL = 20.0
"""Seconds between pings on a WebSocket. They keep proxies from closing an idle one."""
FLUSH_TIME = 0.2
"""Seconds in which the last responses reach their clients."""
GRACE = 2.0
"""Seconds that Hypercorn gives connections to close."""
MAX_CLOSE_TIME = 8.0
"""Longest time in seconds from the end of draining to the end of the server."""

SWITCH = 0.0003
"""Seconds that a thread has the interpreter while another waits for it, mostly the one that answers; Python's default
is 0.005. While four clients sent 24 MB of audio each in base64, over and over (Linux, 2 cores), the p99 of /health was
4.3 to 5.4 ms, with 0.001 6.7 to 9.0."""
PASSING = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)
"""A port is held for now; an address is not there yet, such as that of a Wi-Fi."""
BACKLOG = 100
"""Connections that wait to be accepted, as Hypercorn has it."""
PROBE_TIME = 0.5
"""Seconds in which a program that listens on the wanted address answers."""
LOOPBACKS = {"0.0.0.0": ["127.0.0.1"], "::": ["::1", "127.0.0.1"]}
"""Where a program that listens on an address of all networks answers on this machine: `::` takes IPv4 clients, too."""

log = logging.getLogger(__name__)


def run(config: Config, catalog: Catalog, write_line: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `write_line` prints the banner.

    Raises BadRequest for a wrong setting, and TemporaryFailure where another start may succeed.
    """
    start_log(config.log, config.secrets)
    tracing.start(os.environ)
    heaps.share()
    sys.setswitchinterval(SWITCH)
    catalog.check(config)
    runtime = Runtime(config, catalog)
    tls = certificate(config, default_file(os.environ).parent)
    doors = _doors(config, "https" if tls else "http")
    ports = {door.listener.getsockname()[1]: door.name for door in doors if door.name}
    wyoming = _wyoming(config)
    check_keys(doors, config, wyoming)
    if config.key_file is not None:
        KeyFile(config.key_file).read()  # raises BadRequest where it is wrong
    descriptors.raise_limit()  # it may log: here, where nothing refuses to start any more
    services = build_services(config, runtime, ports)
    servers = [] if wyoming is None else [_wyoming_server(services, wyoming)]
    app = create_app(services, servers)
    for line in banner(doors, config, catalog, wyoming, tls):
        write_line(line)
    gc.freeze()  # the objects up to here live as long as the process: exclude them from collection
    gc.enable()
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(_serve(app, services, _hypercorn([door.listener for door in doors], tls), write_line))
    tracing.stop()


class _Loop(asyncio.SelectorEventLoop):
    """Event loop whose servers close without waiting for connections, as before Python 3.12.

    Hypercorn itself waits for connections, with a limit.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shortages = descriptors.ShortageLog()
        self.set_exception_handler(self._handle_error)

    def _handle_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error, but not the cancellation of a task: connections are cancelled at shutdown."""
        error = context.get("exception")
        if not isinstance(error, asyncio.CancelledError | LifespanFailureError) and not self._shortages.takes(error):
            loop.default_exception_handler(context)

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        server = await super().create_server(*args, **kwargs)
        server.wait_closed = partial(asyncio.sleep, 0)  # type: ignore[method-assign]
        return server


def addresses(config: Config) -> list[tuple[str, str, int]]:
    """(protocol or "", host, port) of each address to listen on. The first is the main one. Raises BadRequest."""
    if not config.host.strip():
        raise BadRequest("the host is empty; write 127.0.0.1 for this machine alone, or 0.0.0.0 for its whole network")
    names = _protocols()
    binds = [("", config.host, config.port)]
    for bind in config.bind:
        match = re.fullmatch(r"(?:(\w+)=)?(?:\[?([^\[\]=]+?)\]?:)?(\d{1,5})", bind)
        if match is None or int(match[3]) > 65535:
            raise BadRequest(
                f"{bind!r} is not a valid address; write HOST:PORT, PORT or PROTOCOL=PORT, like 0.0.0.0:5050"
            )
        if match[1] is not None and match[1] not in names:
            raise BadRequest(f"{bind!r} names no protocol; the protocols are {', '.join(sorted(names))}")
        binds.append((match[1] or "", match[2] or config.host, int(match[3])))
    _check_apart(binds, config.wyoming)
    return binds


def _check_apart(binds: Sequence[tuple[str, str, int]], wyoming: str | None) -> None:
    """Raises BadRequest where two addresses have one in common: the server would wait for itself to give it up."""
    place, _, number = (wyoming or ":0").rpartition(":")
    places = [(host, port) for _, host, port in binds] + [(place.strip("[]"), int(number))]
    for (one, port), (other, same) in itertools.combinations(places, 2):
        if not port or port != same:
            continue
        if one == other:
            raise BadRequest(f"{one}:{port} is named twice, and can be listened on once")
        if "::" in (one, other) or ("0.0.0.0" in (one, other) and ":" not in one + other):
            raise BadRequest(f"{one}:{port} and {other}:{port} have an address in common: take one of them")


def _doors(config: Config, scheme: str) -> list[Door]:
    """The bound sockets. Those of the service manager take the place of the main address. Raises as `_listen`."""
    main, *others = addresses(config)
    given = activation.sockets(os.environ)
    named = _protocols()
    doors = [Door(listener, name if name in named else "", scheme) for name, listener in given]
    return doors + [Door(_listen(host, port), name, scheme) for name, host, port in ([] if given else [main]) + others]


def _protocols() -> set[str]:
    """The names that `bind` takes."""
    return {protocol.__module__.split(".")[2] for protocol in PROTOCOLS}


def _wyoming(config: Config) -> Door | None:
    """The bound socket of the Wyoming server; None without one. Raises as `_listen`."""
    if config.wyoming is None:
        if config.wyoming_zeroconf:
            raise BadRequest("wyoming_zeroconf announces the address of --wyoming, and there is none; try --wyoming on")
        return None
    host, _, port = config.wyoming.rpartition(":")
    door = Door(_listen(host.strip("[]"), int(port), "--wyoming 0"), "wyoming", "tcp")
    if config.wyoming_zeroconf and door.outside is None:
        door.listener.close()
        raise BadRequest(
            f"{config.wyoming} is reached from this machine alone: do not announce it, or listen on an "
            "address of its network, like --wyoming 0.0.0.0:10300"
        )
    return door


def _wyoming_server(services: Services, door: Door) -> AbstractAsyncContextManager[object]:
    from speechmlx.protocols.wyoming.server import WyomingServer  # here: most servers have none

    return WyomingServer(services, door.listener, services.config.wyoming_zeroconf)


async def _serve(
    app: Starlette,
    services: Services,
    settings: HypercornConfig,
    write_line: Callable[[str], None],
) -> None:
    """Serve until a signal, drain the jobs, then close the connections.

    Raises BadRequest where no engine process can run with the settings, and TemporaryFailure where the system refuses
    what a start needs, such as room on a disk, or the files are gone that the server runs from.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    async def until_drained() -> None:
        announcing = asyncio.create_task(_announce(services.runtime, write_line, stop))
        await stop.wait()
        announcing.cancel()
        stop.clear()
        services.live.stop()
        await services.jobs.stop()  # they go on at the next start
        await _finish(services.runtime, services.traffic, services.config.drain_timeout, stop)
        loop.call_later(MAX_CLOSE_TIME, serving.cancel)

    serving = asyncio.create_task(hypercorn_serve(app, settings, shutdown_trigger=until_drained))
    try:
        await serving
    except asyncio.CancelledError:
        log.warning("connections that did not end were cut")
    except LifespanFailureError as error:  # raised while the app handles what was wrong
        if not isinstance(error.__context__, OSError) or "startup" not in str(error):
            raise
        raise TemporaryFailure(f"the server cannot start now: {error.__context__}") from None
    log.info("stopped")
    if services.runtime.refusal.reason is not None:
        raise services.runtime.refusal.reason


async def _announce(runtime: Runtime, write_line: Callable[[str], None], stop: asyncio.Event) -> None:
    """Print "Ready" when the engine process is up. Stop the server when none can run any more."""
    while runtime.refusal.reason is None:
        with contextlib.suppress(EngineLost):  # the runtime logs the reason and restarts the engine process
            await runtime.ready()
            with contextlib.suppress(OSError):  # the reader of the banner may have closed the pipe
                write_line("Ready")
            break
    await runtime.refusal.wait()
    stop.set()


async def _finish(runtime: Runtime, traffic: Traffic, seconds: float, stop: asyncio.Event) -> None:
    """Let running jobs end, for up to `seconds` or until `stop` is set again. Then answer other requests with 503."""
    if under_way := _under_way(traffic, runtime.status().jobs):
        log.info("finishing %s, up to %g s; Ctrl-C again to stop now", under_way, seconds)
    else:
        log.info("stopping")
    draining = asyncio.create_task(runtime.drain(seconds, lambda: traffic.requests > 0))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({draining, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not draining.done():
        log.info("stopping now")
        draining.cancel()
        await runtime.drain(0.0)
    if traffic.requests:
        await asyncio.sleep(FLUSH_TIME)  # for requests whose job has just ended
        traffic.stop()


def _under_way(traffic: Traffic, jobs: int) -> str:
    """The counts of requests and sockets as text; the count of jobs if there are neither. "" if all are zero."""
    counts = [(traffic.requests, "request"), (traffic.sockets, "socket")]
    if not any(count for count, _ in counts):
        counts = [(jobs, "job")]
    return " and ".join(f"{count} {word}{'s' * (count > 1)}" for count, word in counts if count)


def _hypercorn(listeners: Sequence[socket.socket], tls: Certificate | None) -> HypercornConfig:
    """The settings of Hypercorn. It takes over `listeners`, which all speak TLS if there is a certificate."""
    socket_stream.install()
    request_stream.install()
    connections.install()
    plain_http.install()
    secure_http.install()
    settings = HypercornConfig()
    if tls is not None:
        settings.certfile, settings.keyfile = str(tls.cert), str(tls.key)
    settings.bind = [f"fd://{listener.detach()}" for listener in listeners]  # Hypercorn owns and closes them
    settings.websocket_max_message_size = MAX_MESSAGE
    settings.websocket_ping_interval = PING_INTERVAL
    settings.graceful_timeout = GRACE
    settings.errorlog = logging.getLogger("hypercorn")
    return settings


def _listen(host: str, port: int, other: str = "--port 0") -> socket.socket:
    """A socket bound to an address. Raises BadRequest, which suggests the flag `other`.

    Raises TemporaryFailure where another program has it, and where this machine has not got it yet.
    """
    if port and any(_answers(here, port) for here in _places(host)):
        raise TemporaryFailure(f"cannot listen on {host}:{port}: {os.strerror(errno.EADDRINUSE)}; try {other}")
    listener = socket.socket(_family(host), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # here, so that another program which begins now cannot
    except socket.gaierror as error:
        listener.close()
        later = error.errno == socket.EAI_AGAIN or host.endswith(".local")
        raise (TemporaryFailure if later else BadRequest)(f"cannot listen on {host}:{port}: {error}") from error
    except (OSError, OverflowError) as error:
        listener.close()
        passes = isinstance(error, OSError) and error.errno in PASSING
        kind = TemporaryFailure if passes else BadRequest
        raise kind(f"cannot listen on {host}:{port}: {error}; try {other}") from error
    return listener


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _places(host: str) -> list[str]:
    """The addresses of this machine at which a program that listens on `host` is reached."""
    if host not in LOOPBACKS:
        return [host]
    import ifaddr  # here: most servers listen on one address

    own = [address for adapter in ifaddr.get_adapters() for address in adapter.ips]
    found = [str(address.ip) for address in own if address.is_IPv4]
    if host == "::":
        found += [address.ip[0] for address in own if address.is_IPv6 and not address.ip[2]]  # no link's own
    return [*dict.fromkeys(LOOPBACKS[host] + found)]


def _answers(host: str, port: int) -> bool:
    """Whether a program listens there. macOS would let a second one bind, and each would have some of the clients."""
    try:
        with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_TIME)
            probe.bind((host, 0))  # fails where the address is not of this machine
            return probe.getsockname()[1] != port and probe.connect_ex((host, port)) == 0
    except (OSError, OverflowError):  # binding says what is wrong
        return False
