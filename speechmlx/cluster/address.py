"""Where a cluster is, and the variables that its processes get. Nothing here imports Ray, which reads them then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

from speechmlx.errors import BadRequest

RAYS_LOOPBACK = ("127.0.0.1", "::1")
"""Addresses with which Ray means this machine alone; it takes others of 127.0.0.0/8 for those of a network."""


def parse_address(address: str) -> tuple[str, int]:
    """IP address and port of IP:PORT. Raises BadRequest."""
    match = re.fullmatch(r"\[?([0-9A-Fa-f:.]+?)\]?:(\d{1,5})", address)
    try:
        if match is None or not 0 < int(match[2]) < 65536:
            raise ValueError
        return str(ip_address(match[1])), int(match[2])
    except ValueError:
        raise BadRequest(f"{address!r} is no address of a cluster; write it like 192.168.1.10:6379") from None


def environment(base: Mapping[str, str], host: str) -> dict[str, str]:
    """The variables of Ray's processes at an IP address. Those of `base` stay, where the owner may choose."""
    return {
        "RAY_USAGE_STATS_ENABLED": base.get("RAY_USAGE_STATS_ENABLED", "0"),
        "RAY_AUTH_MODE": base.get("RAY_AUTH_MODE", "token"),
        # Without it Ray keeps to 127.0.0.1; with it Ray takes the address of the network instead of 127.0.0.1.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0" if host in RAYS_LOOPBACK else "1",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "speechmlx.cluster.edge.middlewares",
        "RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING": "0",  # else the Mac that clients call has all the work
        "FORWARDED_ALLOW_IPS": "",  # X-Forwarded-For is not read, as in `audio-server serve`
    }


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
