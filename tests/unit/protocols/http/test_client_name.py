"""Who has turns and places, by address and origin."""

from __future__ import annotations

from typing import Any

import pytest

from speechmlx.protocols.http.client_name import ClientNames, client_at
from speechmlx.runtime.front.client import NOBODY, Client, current


@pytest.mark.parametrize(
    ("address", "origin", "client"),
    [
        ("127.0.0.1", "", Client("127.0.0.1 5", "")),
        ("::1", "", Client("::1 5", "")),
        ("::ffff:127.0.0.1", "", Client("127.0.0.1 5", "")),
        ("127.0.0.1", "https://app.example", Client("127.0.0.1 5", "https://app.example")),
        ("192.0.2.7", "https://app.example", Client("192.0.2.7", "192.0.2.7")),
        ("::ffff:192.0.2.7", "", Client("192.0.2.7", "192.0.2.7")),
        ("2001:db8:1:2:3:4:5:6", "", Client("2001:db8:1:2::/64", "2001:db8:1:2::/64")),
        ("fe80::1%eth0", "", Client("fe80::/64", "fe80::/64")),
        ("", "", Client("", "")),
    ],
)
def test_clients(address: str, origin: str, client: Client) -> None:
    assert client_at(address, 5, origin) == client


async def test_a_request_is_worked_on_for_its_client() -> None:
    found: list[Client] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(current.get())

    scope = {"type": "http", "client": ("192.0.2.7", 5), "headers": []}
    await ClientNames(app)(scope, None, None)  # type: ignore[arg-type]
    assert found == [Client("192.0.2.7", "192.0.2.7")] and current.get() == NOBODY
