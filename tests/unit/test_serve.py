"""The addresses that the server listens on."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from asyncio import constants
from typing import Any

import ifaddr
import pytest

from speechmlx.config import Config
from speechmlx.errors import BadRequest, TemporaryFailure
from speechmlx.serve import _answers, _listen, _Loop, addresses

BIND = socket.socket.bind


def test_every_protocol_can_have_an_address() -> None:
    config = Config(bind=("openai_realtime=5051", "deepgram=0.0.0.0:5052", "soniqo=[::1]:5053", "5054"))
    assert addresses(config)[1:] == [
        ("openai_realtime", config.host, 5051),
        ("deepgram", "0.0.0.0", 5052),
        ("soniqo", "::1", 5053),
        ("", config.host, 5054),
    ]


@pytest.mark.parametrize("bind", ["routes=5051", "soniqo=70000", "soniqo=", "=5051"])
def test_a_wrong_address_is_named(bind: str) -> None:
    with pytest.raises(BadRequest, match=bind):
        addresses(Config(bind=(bind,)))


@pytest.mark.parametrize("host", ["", " "])
def test_no_host_is_not_every_host(host: str) -> None:
    """The socket library takes it for 0.0.0.0."""
    with pytest.raises(BadRequest, match=r"the host is empty; write 127\.0\.0\.1"):
        addresses(Config(host=host))


@pytest.mark.parametrize(
    ("taken", "wanted"),
    [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("127.0.0.1", "::"), ("::1", "::"), ("::1", "::1")],
)
def test_a_port_that_another_program_has_is_refused(taken: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system would let both bind, as macOS does for the first four: so no bind is tried here."""
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.create_server((taken, 0), family=family) as other, monkeypatch.context() as patched:
        port = other.getsockname()[1]
        patched.setattr(socket.socket, "bind", _free_ports_only)
        with pytest.raises(TemporaryFailure, match=f":{port}: Address already in use; try --port 0"):
            _listen(wanted, port)
    _listen(wanted, port).close()


def test_a_port_that_is_taken_on_one_network_is_not_free_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS would let both bind, and the other would have the clients of that network."""
    addresses = (address.ip for adapter in ifaddr.get_adapters() for address in adapter.ips if address.is_IPv4)
    own = next((address for address in addresses if not str(address).startswith("127.")), None)
    if own is None:
        pytest.skip("this machine is on no network")
    with socket.create_server((str(own), 0)) as other, monkeypatch.context() as patched:
        patched.setattr(socket.socket, "bind", _free_ports_only)
        for wanted in ("0.0.0.0", "::"):
            with pytest.raises(TemporaryFailure, match="Address already in use"):
                _listen(wanted, other.getsockname()[1])


def _free_ports_only(self: socket.socket, address: tuple[str, int]) -> None:
    """`bind`, which says nothing of another program that has the port."""
    if address[1] == 0:
        BIND(self, address)


def test_programs_on_other_families_are_no_reason() -> None:
    """A server on 0.0.0.0 has no client of IPv6."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        _listen("0.0.0.0", other.getsockname()[1]).close()


def test_an_address_elsewhere_is_not_asked() -> None:
    assert not _answers("192.0.2.1", 80)
    with pytest.raises(TemporaryFailure, match=r"cannot listen on 192\.0\.2\.1:80"):
        _listen("192.0.2.1", 80)


@pytest.mark.parametrize(
    ("host", "number", "kind"),
    [
        ("nowhere.invalid", socket.EAI_AGAIN, TemporaryFailure),
        ("mac.local", socket.EAI_NONAME, TemporaryFailure),
        ("nowhere.invalid", socket.EAI_NONAME, BadRequest),
    ],
)
def test_a_name_may_have_an_address_later_where_no_network_says_that_there_is_none(
    host: str, number: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bind(self: socket.socket, address: tuple[str, int]) -> None:
        raise socket.gaierror(number, "no such name")

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(kind, match=rf"cannot listen on {host}:0: .*no such name$"):
        _listen(host, 0)


def test_of_two_that_begin_at_once_one_has_the_port() -> None:
    with _listen("127.0.0.1", 0) as first, pytest.raises(TemporaryFailure, match="Address already in use"):
        _listen("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize(
    "settings", [{"bind": ("8080",)}, {"bind": ("5050", "soniqo=5050")}, {"wyoming": "127.0.0.1:8080"}]
)
def test_an_address_is_named_once(settings: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"127\.0\.0\.1:(8080|5050) is named twice"):
        addresses(Config(**settings))
    addresses(Config(port=0, bind=("0",)))


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("0.0.0.0", {"bind": ("soniqo=127.0.0.1:8080",)}),
        ("127.0.0.1", {"wyoming": "0.0.0.0:8080"}),
        ("::", {"bind": ("0.0.0.0:8080",)}),
        ("::1", {"wyoming": "[::]:8080"}),
    ],
)
def test_an_address_with_part_of_another_is_wrong_and_not_held_for_now(host: str, more: dict[str, Any]) -> None:
    """The server would find itself there, end with a status that says to try again, and be started again for ever."""
    with pytest.raises(BadRequest, match=":8080 have an address in common: take one of them"):
        addresses(Config(host=host, **more))
    addresses(Config(host=host, port=8081, **more))


def test_addresses_of_two_families_are_two() -> None:
    addresses(Config(host="0.0.0.0", bind=("[::1]:8080",)))


def test_a_port_that_cannot_be_stays_wrong() -> None:
    with pytest.raises(BadRequest, match=r"cannot listen on 127\.0\.0\.1:70000"):
        _listen("127.0.0.1", 70000)


class ShortOfMemory(socket.socket):
    """A listening socket of a system that has no memory for connections at first. `asked`: how often it was."""

    asked = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.asked += 1
        if self.asked <= 150:
            raise OSError(errno.ENOBUFS, "No buffer space available")
        return super().accept()


def test_connections_for_which_there_is_no_memory_wait_and_are_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(constants, "ACCEPT_RETRY_DELAY", 0.01)

    async def connect() -> bytes:
        def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            writer.close()

        listener = ShortOfMemory()
        listener.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(greet, sock=listener)
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            heard = await reader.read()
        writer.close()
        server.close()
        return heard

    with caplog.at_level(logging.WARNING), asyncio.Runner(loop_factory=_Loop) as runner:
        assert runner.run(connect()) == b"hello"
    assert len(caplog.records) == 1 and "no memory for more connections" in caplog.text
