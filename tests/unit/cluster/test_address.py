"""Addresses of clusters, and the variables of Ray's processes."""

from __future__ import annotations

import pytest

from speechmlx.cluster.address import environment, is_loopback, parse_address
from speechmlx.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("127.0.0.1:6379", ("127.0.0.1", 6379)),
        ("192.168.1.10:1", ("192.168.1.10", 1)),
        ("[fe80::1]:6379", ("fe80::1", 6379)),
    ],
)
def test_an_address_is_an_ip_and_a_port(text: str, parsed: tuple[str, int]) -> None:
    assert parse_address(text) == parsed


@pytest.mark.parametrize("text", ["", "6379", "mac.local:6379", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "1:1"])
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(BadRequest, match="is no address of a cluster; write it like"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("mac", False)]
)
def test_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def test_ray_keeps_to_this_machine_unless_others_are_to_join() -> None:
    assert environment({}, "127.0.0.1")["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert environment({}, "192.168.1.10")["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "1"


def test_requests_go_to_all_macs_and_not_to_the_one_that_clients_call() -> None:
    assert environment({}, "192.168.1.10")["RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING"] == "0"


def test_ray_asks_for_its_token_and_tells_nobody_of_its_use() -> None:
    set_ = environment({}, "127.0.0.1")
    assert (set_["RAY_AUTH_MODE"], set_["RAY_USAGE_STATS_ENABLED"]) == ("token", "0")
    assert environment({"RAY_AUTH_MODE": "disabled"}, "127.0.0.1")["RAY_AUTH_MODE"] == "disabled"


def test_addresses_that_a_client_claims_are_not_believed() -> None:
    assert environment({"FORWARDED_ALLOW_IPS": "*"}, "127.0.0.1")["FORWARDED_ALLOW_IPS"] == ""
