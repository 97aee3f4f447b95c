"""Fetching a recording from the public internet for a client, and sending a result there.

Private addresses cannot be reached this way.

The host name is resolved once, all its addresses must be public, and the connection goes to an address that was
checked, so a name that resolves differently the next time gains nothing. Redirects follow the same rules.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import BinaryIO
from urllib.parse import SplitResult, urljoin, urlsplit

from speechmlx.errors import BadRequest, Busy, TooLarge

Permitted = Callable[[str], bool]
"""Whether an IP address may be connected to."""
OnOpen = Callable[[socket.socket], None]

MOST = 8
"""Fetches at once."""
REDIRECTS = 5
REDIRECT = (301, 302, 303, 307, 308)
BLOCK = 64 * 1024
SILENCE = 10.0
"""Seconds that the host may take to connect, or to send the next bytes."""
SECONDS = 60.0
"""Seconds that a whole fetch may take."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")
UNICAST = ipaddress.ip_network("2000::/3")
"""The IPv6 addresses of the public internet."""


def is_public(address: str) -> bool:
    """Whether an IP address is of the public internet. An IPv6 address that wraps an IPv4 address counts as that."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
        if ip not in UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


def is_elsewhere(address: str) -> bool:
    """Whether an IP address is public, and not of a network that this machine is in.

    With IPv6 every device at home has a public address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    return is_public(address) and not any(ip in network for network in own_networks())


def own_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks of this machine's adapters, now."""
    import ifaddr  # here: most servers fetch nothing

    addresses = [address for adapter in ifaddr.get_adapters() for address in adapter.ips]
    named = ((one.ip if one.is_IPv4 else one.ip[0], one.network_prefix) for one in addresses)
    return [ipaddress.ip_network(f"{str(ip).partition('%')[0]}/{prefix}", strict=False) for ip, prefix in named]


class UrlFetcher:
    """Fetches for the clients of one server: at most `most` at once, on threads of its own."""

    def __init__(self, permitted: Permitted = is_elsewhere, most: int = MOST) -> None:
        self._permitted = permitted
        self._room = threading.BoundedSemaphore(most)
        self._threads = ThreadPoolExecutor(most, "fetching")

    def close(self, wait: bool = False) -> None:
        """Cancel fetches that have not begun. `wait` blocks until the others end."""
        self._threads.shutdown(wait, cancel_futures=True)

    async def fetch(self, url: str, file: BinaryIO, limit: int) -> None:
        """Write the file at `url`, of at most `limit` bytes, to `file`. Cancelling closes the connection.

        Raises BadRequest for a url that is not public http or https, or that does not answer with a file; TooLarge;
        and Busy. A fetch counts until its thread ends, because a resolution of a name cannot be cancelled.
        """
        busy = "too many recordings are being fetched; send the recording itself"
        await self._run(url, partial(download, url, file, limit, self._permitted), busy)

    async def send(
        self, url: str, body: bytes, method: str, headers: Mapping[str, str], permitted: Permitted | None = None
    ) -> None:
        """Send `body` to `url`. Redirects are not followed. Cancelling closes the connection.

        `permitted` counts instead of the fetcher's. Raises BadRequest for a url that is not permitted http or https, or
        that does not answer with 2xx; and Busy.
        """
        work = partial(upload, url, body, method, headers, permitted or self._permitted)
        await self._run(url, work, "too many recordings are being fetched and results sent")

    async def _run(self, url: str, work: Callable[[OnOpen], None], busy: str) -> None:
        """Do `work` on a thread. Raises Busy(`busy`) where there is no room."""
        if not self._room.acquire(blocking=False):
            raise Busy(busy, retry_after=5.0)
        sockets = FetchSockets()
        running = self._threads.submit(work, sockets.add)
        running.add_done_callback(lambda done: self._room.release())
        try:
            async with asyncio.timeout(SECONDS):
                await asyncio.wrap_future(running)
        except TimeoutError:
            raise BadRequest(f"{url!r:.80} took more than {SECONDS:g} seconds") from None
        finally:
            sockets.close()


class FetchSockets:
    """The sockets of a fetch, with which another thread can end it at any time."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._closed = False

    def add(self, raw: socket.socket) -> None:
        """Add a new socket. Raises OSError after `close`."""
        self._sockets.append(raw)
        if self._closed:
            raise OSError("nobody waits for it any more")

    def close(self) -> None:
        """Shut the sockets down, and refuse new ones."""
        self._closed = True
        for raw in self._sockets:  # wakes the thread if it reads
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)


def download(url: str, file: BinaryIO, limit: int, permitted: Permitted, on_open: OnOpen) -> None:
    """Fetch `url` into `file`, blocking. `on_open` gets every socket. Raises BadRequest and TooLarge."""
    for _ in range(REDIRECTS + 1):
        parts = check_url(url)
        raw = _connect(parts, permitted)
        try:
            on_open(raw)
            if isinstance(raw, ssl.SSLSocket):
                raw.do_handshake()
            redirect = _request(raw, parts, file, limit)
        except (OSError, http.client.HTTPException) as error:
            raise BadRequest(f"{_shown(parts)} could not be fetched: {error or type(error).__name__}") from error
        finally:
            raw.close()
        if redirect is None:
            return
        try:
            url = urljoin(url, redirect)
        except ValueError as error:
            raise BadRequest(f"{_shown(parts)} was redirected to what is no address: {error}") from error
    raise BadRequest(f"the url was redirected more than {REDIRECTS} times")


def upload(
    url: str, body: bytes, method: str, headers: Mapping[str, str], permitted: Permitted, on_open: OnOpen
) -> None:
    """Send `body` to `url`, blocking. `on_open` gets the socket. Raises BadRequest."""
    parts = check_url(url)
    raw = _connect(parts, permitted)
    try:
        on_open(raw)
        if isinstance(raw, ssl.SSLSocket):
            raw.do_handshake()
        with _answer(raw, parts, method, {**headers, "Content-Length": str(len(body))}, body) as answer:
            if not 200 <= answer.status < 300:
                raise BadRequest(f"{_shown(parts)} answered {answer.status} {answer.reason}")
    except (OSError, http.client.HTTPException) as error:
        raise BadRequest(f"{_shown(parts)} could not be reached: {error or type(error).__name__}") from error
    finally:
        raw.close()


def check_url(url: str, name: str = "url") -> SplitResult:
    """The parts of a url that may be asked, before its host is resolved. `name` is the field's, for the BadRequest."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadRequest(f"{name!r} is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise BadRequest(f"{name!r} must be an http or https address, not {url!r:.80}")
    if parts.username is not None or parts.password is not None:
        raise BadRequest(f"{name!r} must not hold a user name or password")
    if any(ord(character) <= 32 or ord(character) >= 127 for character in url):
        raise BadRequest(f"{name!r} must be ASCII without blanks: percent-encode the rest")
    return parts


def _connect(parts: SplitResult, permitted: Permitted) -> socket.socket:
    """Connect to the host, all of whose addresses must be permitted. Raises BadRequest."""
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        entries = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadRequest(f"the host {parts.hostname!r} of 'url' is not known: {error}") from error
    addresses = [str(entry[4][0]) for entry in entries]
    if not all(permitted(address) for address in addresses):
        raise BadRequest(f"the host {parts.hostname!r} of 'url' is not public; only the open internet is fetched")
    try:
        raw = socket.create_connection((addresses[0], port), SILENCE)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            raw = context.wrap_socket(raw, server_hostname=parts.hostname, do_handshake_on_connect=False)
    except OSError as error:
        raise BadRequest(f"{_shown(parts)} could not be reached: {error}") from error
    return raw


def _answer(
    raw: socket.socket, parts: SplitResult, method: str, headers: Mapping[str, str], body: bytes | None = None
) -> http.client.HTTPResponse:
    """Send a request, and return the head of its answer."""
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname)
    connection.sock = raw
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    own = {"Host": parts.netloc, "User-Agent": "speechmlx", "Accept-Encoding": "identity", "Connection": "close"}
    for name, value in {**own, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    return connection.getresponse()


def _request(raw: socket.socket, parts: SplitResult, file: BinaryIO, limit: int) -> str | None:
    """Request the file and write it to `file`. Returns the target of a redirect, else None."""
    with _answer(raw, parts, "GET", {}) as answer:
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
        if answer.length:  # bytes that Content-Length announced and that did not come
            raise BadRequest(f"{_shown(parts)} broke off after {size} of {size + answer.length} bytes")
    return None


def _shown(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}{parts.path:.80}"
