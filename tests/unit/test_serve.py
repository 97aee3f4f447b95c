"""The addresses that the server listens on."""

from __future__ import annotations

import socket

import pytest

from speechmlx.config import Config
from speechmlx.errors import BadRequest
from speechmlx.serve import _answers, _listen, addresses


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


@pytest.mark.parametrize(("taken", "wanted"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("::1", "::1")])
def test_a_port_that_another_program_has_is_refused(taken: str, wanted: str) -> None:
    """Also where the system would let both bind, as macOS does for the first two."""
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.create_server((taken, 0), family=family) as other:
        port = other.getsockname()[1]
        assert _answers(family, wanted, port)
        with pytest.raises(BadRequest, match=f":{port}: Address already in use; try --port 0"):
            _listen(wanted, port)
    assert not _answers(family, wanted, port)
    _listen(wanted, port).close()


def test_an_address_elsewhere_is_not_asked() -> None:
    assert not _answers(socket.AF_INET, "192.0.2.1", 80)
    with pytest.raises(BadRequest, match=r"cannot listen on 192\.0\.2\.1:80"):
        _listen("192.0.2.1", 80)
