"""The ports of the server, and the server of --llm-url."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from speechmlx.doctor.finding import Finding, Patient
from speechmlx.errors import BadRequest
from speechmlx.serve import addresses

PATIENCE = 2.0
"""Seconds that a server gets to answer."""
PRIVACY = (
    "macOS refuses connections to the local network in silence. A program of Terminal may; a service (launchd agent, "
    "`brew services`) and other terminals need System Settings > Privacy & Security > Local Network, where Python may "
    "not be listed. What works: the other program on this Mac; or `ssh -L` from Terminal to it and its address on "
    "127.0.0.1; or the server started in Terminal, or as root at boot with `sudo brew services start`."
)
"""What Local Network Privacy (macOS 15 and later) does to a server, and what helps."""


def check_ports(patient: Patient) -> Iterator[Finding]:
    """Whether the addresses of the settings are free, or this server is there already."""
    try:
        binds = addresses(patient.config)
    except BadRequest as error:
        yield Finding("Port", "problem", str(error), "Correct the setting; `audio-server config` says where it is.")
        return
    for _, host, port in binds:
        if port:
            yield check_port(host, port, bool(patient.config.tls_cert or patient.config.tls_self_signed))


def check_port(host: str, port: int, tls: bool) -> Finding:
    """What is at an address: nothing, this server, or another program."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not _listens(here, port):
        return _can_listen(host, port, place)
    shown = f"[{here}]" if ":" in here else here
    url = f"{'https' if tls else 'http'}://{shown}:{port}/health"
    try:
        answer = httpx.get(url, timeout=PATIENCE, verify=False, trust_env=False)
        told = answer.json()
        if isinstance(told, dict) and "engine" in told:
            return Finding("Port", "ok", f"this server answers at {place} (engine {told['engine']})")
    except (httpx.HTTPError, ValueError):
        pass  # not a server of this kind
    to_do = f"End it, or take another port: --port {port + 1}."
    return Finding("Port", "problem", f"another program listens on {place}", to_do)


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except OSError:
        return False
    return True


def _can_listen(host: str, port: int, place: str) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            to_do = (
                "Ports below 1024 need root." if error.errno == errno.EACCES else "Choose an address of this machine."
            )
            return Finding("Port", "problem", f"the server cannot listen on {place}: {reason}", to_do)
    return Finding("Port", "ok", f"{place} is free")


def check_llm(patient: Patient) -> Iterator[Finding]:
    """Whether the server of --llm-url answers, and whether macOS may refuse it to a service."""
    url = patient.config.llm_url
    if url is None:
        return
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    near = is_local(host)
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        text = f"{host}:{port} of --llm-url does not answer: {reason}"
        refused = patient.is_mac and near and error.errno in (errno.EHOSTUNREACH, errno.EPERM)
        yield Finding("Language model", "problem", text, PRIVACY if refused else "Start it, or correct --llm-url.")
        return
    yield Finding("Language model", "ok", f"{host}:{port} of --llm-url answers")
    if patient.is_mac and near:
        yield Finding("Local network", "warning", f"{host} is in the local network", PRIVACY)


def check_webhooks(patient: Patient) -> Iterator[Finding]:
    """Whether macOS may refuse the hosts that webhooks go to."""
    if patient.is_mac and (near := [host for host in patient.config.webhook_host if is_local(host)]):
        yield Finding("Local network", "warning", f"webhooks go to {', '.join(near)} in the local network", PRIVACY)


def is_local(host: str) -> bool:
    """Whether a host is another machine of the local network, by its name or its address."""
    if host.endswith(".local"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.gethostbyname(host))
        except OSError:
            return False
    return (address.is_private or address.is_link_local) and not address.is_loopback
