"""Who a request comes from."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from starlette.types import Scope

from speechmlx.key_file import NamedKey
from speechmlx.protocols.http.access_keys import KEY
from speechmlx.protocols.http.clients import Client, client_at, client_of, current_client, working_for
from speechmlx.runtime.front.client import NOBODY, EngineClient, current

LOCAL = Client("this machine", is_local=True)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("127.0.0.1", LOCAL),
        ("127.9.9.9", LOCAL),
        ("::1", LOCAL),
        ("::ffff:127.0.0.1", LOCAL),
        ("", LOCAL),
        ("192.0.2.7", Client("address 192.0.2.7")),
        ("::ffff:192.0.2.7", Client("address 192.0.2.7")),
        ("2001:db8:1:2:3::4", Client("address 2001:db8:1:2::/64")),
        ("fe80::1%eth0", Client("address fe80::/64")),
    ],
)
def test_an_address_is_a_client_and_a_network_of_version_6_is_one(address: str, client: Client) -> None:
    assert client_at(address) == client


def test_a_key_names_the_client_wherever_it_is_and_a_page_its_origin() -> None:
    key = NamedKey("bob", "0" * 64)
    headers: Any = [(b"origin", b"https://app.example" + b"x" * 500)]
    scope: Scope = {"type": "http", "client": ("192.0.2.7", 5), "headers": headers, KEY: key}
    client = client_of(scope)
    assert (client.name, client.key, client.is_local) == ("key bob", key, False)
    assert client.origin is not None and client.origin.startswith("https://app.example") and len(client.origin) == 200
    assert client_of({"type": "http", "headers": []}) == LOCAL


async def test_tasks_work_for_the_client_that_started_them() -> None:
    with working_for(LOCAL):
        inside = asyncio.create_task(asyncio.sleep(0, current_client))
    assert current_client() is None

    async def asked() -> Client | None:
        await asyncio.sleep(0)
        return current_client()

    with working_for(Client("address 192.0.2.7")):
        task = asyncio.create_task(asked())
    assert (await inside)() is None and (await task) == Client("address 192.0.2.7")


@pytest.mark.parametrize(
    ("client", "turns", "places"),
    [
        (client_at("127.0.0.1", 5), "this machine 5", ""),
        (replace(client_at("127.0.0.1", 5), origin="https://app.example"), "this machine 5", "https://app.example"),
        (client_at("192.0.2.7", 5), "address 192.0.2.7", "address 192.0.2.7"),
        (client_at("2001:db8:1:2:3:4:5:6", 5), "address 2001:db8:1:2::/64", "address 2001:db8:1:2::/64"),
    ],
)
def test_turns_and_places_in_the_engine(client: Client, turns: str, places: str) -> None:
    with working_for(client):
        assert current.get() == EngineClient(turns, places)
    assert current.get() == NOBODY
