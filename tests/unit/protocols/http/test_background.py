"""Which requests become jobs, and whose jobs they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.datastructures import Headers

from speechmlx.config import Config
from speechmlx.errors import BadRequest
from speechmlx.key_file import NamedKey
from speechmlx.protocols.http.background import BackgroundJobs, owner_of, prefers_async, sees_all
from speechmlx.protocols.http.clients import Client
from speechmlx.protocols.http.rate_limits import ClientUsage

LOCAL = Client("this machine", is_local=True)
BOB = Client("key bob", NamedKey("bob", "b" * 64))


@pytest.mark.parametrize(
    ("lines", "prefers"),
    [
        ([], False),
        (["respond-async"], True),
        (["wait=10, Respond-Async"], True),
        (["return=minimal", 'respond-async;x="y"'], True),
        (["respond-asynchronously"], False),
        (['handling="respond-async"'], False),
    ],
)
def test_the_preference(lines: list[str], prefers: bool) -> None:
    assert prefers_async(Headers(raw=[(b"prefer", line.encode()) for line in lines])) == prefers


def test_jobs_are_of_a_key_as_long_as_it_is_the_same() -> None:
    assert owner_of(LOCAL) == "this machine" and owner_of(replace(LOCAL, port=7)) == "this machine"
    assert owner_of(BOB) == owner_of(replace(BOB, is_local=True))
    assert owner_of(BOB) != owner_of(replace(BOB, key=NamedKey("bob", "c" * 64)))
    assert not sees_all(LOCAL) and not sees_all(BOB)
    assert sees_all(replace(BOB, key=NamedKey("bob", "b" * 64, ("use", "manage"))))


@pytest.mark.parametrize(
    ("config", "url", "says"),
    [
        (Config(), "https://example.org/", "start it with --allow-url-fetch, or with --webhook-host example.org"),
        (Config(webhook_host=("a.b",)), "https://a.b.example.org/", "asking other addresses is off"),
        (Config(webhook_host=("a.b",)), "https://a.b@example.org/", "must not hold a user name"),
        (Config(webhook_host=("a.b",)), "https://example.org/?a.b", "asking other addresses is off"),
        (Config(allow_url_fetch=True), "file:///etc/passwd", "must be an http or https address"),
        (Config(allow_url_fetch=True), "https://[", "is no address"),
    ],
)
def test_webhooks_that_are_not_sent(config: Config, url: str, says: str) -> None:
    with pytest.raises(BadRequest, match=f"'webhook'.*{says}"):
        BackgroundJobs(config, ClientUsage(config)).check_hook(url, "webhook")


@pytest.mark.parametrize(
    ("config", "url"),
    [
        (Config(allow_url_fetch=True), "https://example.org/"),
        (Config(webhook_host=("a.b", "::1")), "http://A.B:8080/x?y"),
        (Config(webhook_host=("a.b", "::1")), "http://[::1]/"),
    ],
)
def test_webhooks_that_are_sent(config: Config, url: str) -> None:
    BackgroundJobs(config, ClientUsage(config)).check_hook(url, "webhook")


def test_a_secret_that_cannot_be_is_told_at_the_start() -> None:
    config = Config(webhook_secret="secret")
    with pytest.raises(BadRequest, match="webhook_secret must be"):
        BackgroundJobs(config, ClientUsage(config))
