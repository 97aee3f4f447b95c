"""Fetching a recording from the web for a client, without letting it reach what only this machine can.

The name is resolved once, every address it has must be public, and the connection goes to the very address that was
checked: a name that resolves to something else the next time gains nothing. Redirects are followed by the same rules.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO
from urllib.parse import SplitResult, urljoin, urlsplit

from speechmlx.errors import BadRequest, TooLarge

Permitted = Callable[[str], bool]
Opened = Callable[[socket.socket], None]

REDIRECTS = 5
REDIRECT = (301, 302, 303, 307, 308)
BLOCK = 64 * 1024
SILENCE = 10.0
"""Seconds that the other side may take to connect, or to send more."""
SECONDS = 60.0
"""That the whole may take."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also the IPv4 address that an IPv6 one wraps."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
    return ip.is_global and not ip.is_multicast


async def fetch(url: str, file: BinaryIO, limit: int, permitted: Permitted = is_public) -> None:
    """Write what is at `url`, at most `limit` bytes, to `file`; cancelled, it hangs up.

    Raises BadRequest for what is not a public http or https address or does not answer with a file, TooLarge.
    """
    sockets: list[socket.socket] = []
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.to_thread(download, url, file, limit, permitted, sockets.append)
    except TimeoutError:
        raise BadRequest(f"{url!r:.80} took more than {SECONDS:g} seconds") from None
    finally:
        for opened in sockets:  # wakes the thread, where it still reads
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)


def download(url: str, file: BinaryIO, limit: int, permitted: Permitted, opened: Opened) -> None:
    """`fetch`, blocking; tells of every socket it opens."""
    for _ in range(REDIRECTS + 1):
        parts = _checked(url)
        raw = _connect(parts, permitted)
        opened(raw)
        try:
            found = _ask(raw, parts, file, limit)
        except (OSError, http.client.HTTPException) as error:
            raise BadRequest(f"{_shown(parts)} could not be fetched: {error or type(error).__name__}") from error
        finally:
            raw.close()
        if found is None:
            return
        url = urljoin(url, found)
    raise BadRequest(f"the url was redirected more than {REDIRECTS} times")


def _checked(url: str) -> SplitResult:
    """The parts of an address that may be asked. Raises BadRequest."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadRequest(f"'url' is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise BadRequest(f"'url' must be an http or https address, not {url!r:.80}")
    if parts.username is not None or parts.password is not None:
        raise BadRequest("'url' must not hold a user name or password")
    if any(ord(character) <= 32 or ord(character) >= 127 for character in url):
        raise BadRequest("'url' must be ASCII without blanks: percent-encode the rest")
    return parts


def _connect(parts: SplitResult, permitted: Permitted) -> socket.socket:
    """A connection to a permitted address of the host. Raises BadRequest."""
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadRequest(f"the host {parts.hostname!r} of 'url' is not known: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not all(permitted(address) for address in addresses):
        raise BadRequest(f"the host {parts.hostname!r} of 'url' is not public; only the open internet is fetched")
    try:
        raw = socket.create_connection((addresses[0], port), SILENCE)
        if parts.scheme == "https":
            raw = ssl.create_default_context().wrap_socket(raw, server_hostname=parts.hostname)
    except OSError as error:
        raise BadRequest(f"{_shown(parts)} could not be reached: {error}") from error
    return raw


def _ask(raw: socket.socket, parts: SplitResult, file: BinaryIO, limit: int) -> str | None:
    """Writes the answer to `file`; where it is a redirect, gives the place it names."""
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname)
    connection.sock = raw
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
    headers = (("Host", parts.netloc), ("User-Agent", "speechmlx"), ("Accept-Encoding", "identity"))
    for name, value in (*headers, ("Connection", "close")):
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    if answer.status in REDIRECT and (place := answer.getheader("Location")):
        return place
    if answer.status != 200:
        raise BadRequest(f"{_shown(parts)} answered {answer.status} {answer.reason}")
    size = 0
    while block := answer.read1(BLOCK):
        size += len(block)
        if size > limit:
            raise TooLarge(f"what is at 'url' is over the limit of {limit} bytes")
        file.write(block)
    return None


def _shown(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}{parts.path:.80}"
