"""The addresses that the server listens on."""

from __future__ import annotations

import pytest

from speechmlx.config import Config
from speechmlx.errors import BadRequest
from speechmlx.serve import addresses


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
