"""Start Ray on this machine, as the first of a cluster or as one more, and give it the app. Ray does the rest.

`address.environment` has to be in the environment before this is imported: Ray reads it then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import yaml
from pydantic import ValidationError
from ray import serve
from ray.serve.schema import ServeDeploySchema

from speechmlx.banner import needs_key
from speechmlx.cluster.address import is_loopback, parse_address
from speechmlx.cluster.deployment import RESOURCE, settings_of
from speechmlx.errors import BadRequest

IMPORT_PATH = "speechmlx.cluster:app"
START_LIMIT = 120.0
"""Seconds that Ray has to come up."""
POLL = 0.2
LOGS = f"its logs are in {os.environ.get('RAY_TMPDIR', '/tmp')}/ray/session_latest/logs"
STOP_LIMIT = 15.0
"""Seconds that Ray's processes have to end."""
ENDED = ("RUNNING", "DEPLOY_FAILED", "UNHEALTHY")
"""States of an application in which waiting for it is over."""

WriteLine = Callable[[str], None]


def up(file: Path, address: str, places: int, write_line: WriteLine) -> None:
    """Run the app of a config file of Ray Serve until a signal. `address`, IP:PORT, is where other Macs join.

    `places` replicas fit on this machine. Where a cluster runs at `address` already, it gets the file, and this
    returns: Ray replaces replicas one by one where something changed. Raises BadRequest.
    """
    config = read(file)
    for line in warnings(config):
        write_line(line)
    host, port = parse_address(address)
    make_token()
    if _listens(host, port):
        if not _connect(address):
            raise BadRequest(
                f"what listens at {address} is no cluster that this machine may use; --address names another"
            )
        _deploy(file, address)
        _wait_until_running(config, lambda: True)
        write_line(f"Updated the cluster at {address}")
        return
    head = ["--head", f"--node-ip-address={host}", f"--port={port}", "--include-dashboard=false"]
    with _node(head, places) as node:
        _wait(lambda: _listens(host, port) and _connect(address), node, f"Ray did not come up at {address}")
        _deploy(file, address)
        with _signals() as stop:  # Ray takes the signals when it connects
            _wait_until_running(config, lambda: node.poll() is None and not stop.is_set())
            write_line(f"Starting server on {url(config)} - open it in a browser")
            if not is_loopback(host):
                write_line(f"Another Mac joins with: audio-server cluster join {address}")
            write_line("Ready")
            while node.poll() is None and not stop.wait(POLL):
                pass
            if node.poll() is not None:
                raise BadRequest(f"Ray ended; {LOGS}")
            write_line(
                "Stopping, when requests and sessions have ended (graceful_shutdown_timeout_s); Ctrl-C again: now"
            )
            _shut_down(stop)


def join(address: str, own: str | None, places: int, write_line: WriteLine) -> None:
    """Offer this machine to the cluster at `address`, IP:PORT, until a signal. Raises BadRequest.

    `own` is this machine's IP address for the others; None: the one from which it reaches the cluster.
    """
    host, port = parse_address(address)
    if not _listens(host, port):
        raise BadRequest(f"no cluster answers at {address}; start one there: audio-server cluster up FILE")
    own = own or _own_address(host, port)
    with _node([f"--address={address}", f"--node-ip-address={own}"], places) as node, _signals() as stop:
        write_line(f"Joined {address} with {places} place{'s' * (places != 1)}")
        while node.poll() is None and not stop.wait(POLL):
            pass
        if node.poll() is not None:
            raise BadRequest(f"Ray ended: the cluster has gone, or refused this machine; {LOGS}")


def read(file: Path) -> dict[str, Any]:
    """The config file of Ray Serve. Raises BadRequest that names what is wrong."""
    try:
        config = yaml.safe_load(file.read_text())
        ServeDeploySchema.model_validate(config)
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise BadRequest(f"{file} is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise BadRequest(f"{file}: {place}: {first['msg']}") from error
    ours = [app for app in config["applications"] if app["import_path"] == IMPORT_PATH]
    if not ours:
        raise BadRequest(f"{file} has no application with import_path: {IMPORT_PATH}")
    for app in ours:
        settings_of(app.get("args") or {})
    return dict(config)


def warnings(config: Mapping[str, Any]) -> list[str]:
    """What the owner should know before the cluster starts. Raises BadRequest where a setting forbids it."""
    host = (config.get("http_options") or {}).get("host", "127.0.0.1")
    if is_loopback(host):
        return []
    lines = []
    for app in config["applications"]:
        settings = settings_of(app.get("args") or {}) if app["import_path"] == IMPORT_PATH else None
        if settings is None or needs_key(settings):
            continue
        if settings.require_key:
            raise BadRequest(
                "require_key: http_options.host is open to the network, and there is no key; give api_key in args, or "
                "the same key_file to every Mac"
            )
        lines.append(f"Open to the network: anybody who reaches {url(config)} can use this server, without a password")
    return lines


def url(config: Mapping[str, Any]) -> str:
    """The URL of the cluster, on this machine."""
    options = config.get("http_options") or {}
    host = str(options.get("host", "127.0.0.1"))
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    scheme = "https" if options.get("ssl_certfile") else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{options.get('port', 8000)}"


def make_token() -> None:
    """Make Ray's token, which every process of the cluster must know, if there is none: ~/.ray/auth_token."""
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if os.environ["RAY_AUTH_MODE"] == "token" and not given:
        _run("ray", "get-auth-token", "--generate")


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1.0):
        return True
    return False


def _own_address(host: str, port: int) -> str:
    """The IP address from which this machine reaches another."""
    with socket.create_connection((host, port), 5.0) as connection:
        return str(connection.getsockname()[0])


def _command(name: str) -> str:
    """A command of the environment that this runs in."""
    return str(Path(sys.executable).with_name(name))


def _run(*words: str) -> None:
    """Run a command of Ray to its end. Raises BadRequest with the end of its output."""
    command = [_command(words[0]), *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, umask=0o077)
    output = done.stdout + done.stderr
    if done.returncode or "Traceback" in output:
        raise BadRequest(f"`{' '.join(words[:2])}` failed:\n{output[-2000:].strip()}")


def _deploy(file: Path, address: str) -> None:
    _run("serve", "run", "--non-blocking", f"--address={address}", str(file))


@contextmanager
def _node(options: list[str], places: int) -> Iterator[subprocess.Popen[bytes]]:
    """Ray's processes on this machine, until the block ends."""
    command = [_command("ray"), "start", "--block", "--disable-usage-stats", *options]
    command += [f'--resources={{"{RESOURCE}": {places}}}']
    node = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield node
    finally:
        node.terminate()
        try:
            node.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            node.kill()
            node.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)  # Ray's agents outlive it by some seconds


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    before = {n: signal.signal(n, lambda *_: stop.set()) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(ready: Callable[[], bool], node: subprocess.Popen[bytes], otherwise: str) -> None:
    """Wait until `ready`. Raises BadRequest when the node ends or START_LIMIT is over."""
    end = time.monotonic() + START_LIMIT
    while not ready():
        if node.poll() is not None or time.monotonic() > end:
            raise BadRequest(f"{otherwise}; {LOGS}")
        time.sleep(POLL)


def _connect(address: str) -> bool:
    """Make this process one of the cluster; False where it cannot be, or not yet."""
    try:
        ray.init(address=address, namespace="serve", log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ray.exceptions.AuthenticationError):
        return False
    return True


def _wait_until_running(config: Mapping[str, Any], goes_on: Callable[[], bool]) -> None:
    """Wait until every application of the file runs. Raises BadRequest with Ray's reason when one cannot."""
    names = {app.get("name", "default") for app in config["applications"]}
    while goes_on():
        found = {name: app for name, app in serve.status().applications.items() if name in names}
        states = {str(app.status.value) for app in found.values()}
        if len(found) == len(names) and states <= set(ENDED):
            break
        time.sleep(POLL)
    for name, app in found.items():
        if app.status.value not in ("RUNNING", "DEPLOYING"):
            reasons = [app.message, *(one.message for one in app.deployments.values())]
            raise BadRequest(f"{name} does not run: {' '.join(filter(None, reasons))[-2000:]}")


def _shut_down(stop: threading.Event) -> None:
    """Let Serve end, or until `stop` is set again."""
    stop.clear()
    ending = threading.Thread(target=serve.shutdown, daemon=True)
    ending.start()
    while ending.is_alive() and not stop.is_set():
        ending.join(POLL)
    ray.shutdown()
