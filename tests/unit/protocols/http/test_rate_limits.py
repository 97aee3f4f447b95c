"""Limits of one client: requests a minute, audio a day, requests and sessions at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from speechmlx.config import Config
from speechmlx.errors import RateLimited
from speechmlx.key_file import ClientLimits, NamedKey
from speechmlx.protocols.http import rate_limits
from speechmlx.protocols.http.access_keys import KEY
from speechmlx.protocols.http.clients import Client, current_client, working_for
from speechmlx.protocols.http.rate_limits import KNOWN, ClientUsage, LimitRequests

LOCAL = Client("this machine", is_local=True)
FAR = Client("address 192.0.2.7")
BOB = Client("key bob", NamedKey("bob", "0" * 64), is_local=True)
NONE = ClientLimits()


class Clock:
    """A clock that a test moves."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def usage(clock: Clock, **settings: Any) -> ClientUsage:
    return ClientUsage(Config(**settings), clock, clock)


def keyed(**limits: int) -> Client:
    """Bob, whose key has limits."""
    return replace(BOB, key=NamedKey("bob", "0" * 64, limits=ClientLimits(**limits)))


@pytest.mark.parametrize(
    ("client", "settings", "limits"),
    [
        (LOCAL, {}, NONE),
        (BOB, {}, NONE),
        (replace(BOB, is_local=False), {}, NONE),
        (FAR, {}, ClientLimits(requests_per_minute=600, jobs=32, sessions=8)),
        (FAR, {"max_sessions": 1, "max_jobs": 1}, ClientLimits(requests_per_minute=600, jobs=1, sessions=1)),
        (LOCAL, {"jobs_per_client": 3}, ClientLimits(jobs=3)),
        (FAR, {"requests_per_minute": 9000}, ClientLimits(requests_per_minute=9000, jobs=32, sessions=8)),
        (BOB, {"audio_seconds_per_day": 60}, ClientLimits(audio_seconds_per_day=60)),
        (keyed(sessions=2), {"sessions_per_client": 5, "jobs_per_client": 3}, ClientLimits(sessions=2, jobs=3)),
    ],
)
def test_the_key_comes_before_the_settings_and_those_before_the_defaults(
    clock: Clock, client: Client, settings: dict[str, int], limits: ClientLimits
) -> None:
    assert usage(clock, **settings).limits(client) == limits


def test_requests_come_back_as_the_minute_passes(clock: Clock) -> None:
    one, client = usage(clock), keyed(requests_per_minute=2)
    assert one.request(client) == {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "1",
        "x-ratelimit-reset-requests": "30000ms",
    }
    assert one.request(client)["x-ratelimit-remaining-requests"] == "0"
    clock.now += 15
    with pytest.raises(RateLimited, match="key bob sent more than 2 requests a minute") as refused:
        one.request(client)
    assert refused.value.retry_after == pytest.approx(15)
    clock.now += 15
    assert one.request(client)["x-ratelimit-remaining-requests"] == "0"
    clock.now += 3600
    assert one.request(client)["x-ratelimit-remaining-requests"] == "1"
    assert one.request(LOCAL) == {}


def test_one_clients_requests_take_none_of_anothers(clock: Clock) -> None:
    one = usage(clock, requests_per_minute=1)
    one.request(FAR)
    one.request(replace(FAR, name="address 192.0.2.8"))
    with pytest.raises(RateLimited):
        one.request(replace(FAR, origin="https://app.example"))


def test_only_so_many_clients_are_remembered(clock: Clock) -> None:
    one = usage(clock, requests_per_minute=1, audio_seconds_per_day=1)
    for number in range(KNOWN + 5):
        client = Client(f"address {number}")
        one.request(client)
        with working_for(client):
            one.audio(0.5)
    assert len(one._requests) == len(one._audio) == KNOWN


def test_the_audio_of_a_day_ends_and_comes_back_at_midnight(clock: Clock) -> None:
    clock.now = 10 * 86400.0 + 86000
    one = usage(clock, audio_seconds_per_day=60)
    with working_for(FAR):
        one.audio(0.0)
        one.audio(59.0)
        one.audio(1.0)
        for seconds in (0.0, 0.1):
            with pytest.raises(RateLimited, match="60 seconds of audio today") as refused:
                one.audio(seconds)
            assert refused.value.retry_after == 400
        with pytest.raises(RateLimited), one.session():
            raise AssertionError
        clock.now += 400
        one.audio(1.0)
    with working_for(LOCAL):
        one.audio(60.0)
    one.audio(1e9)


def test_a_wall_clock_that_jumps_locks_nobody_out_and_gives_no_requests(clock: Clock) -> None:
    wall = Clock()
    one = ClientUsage(Config(audio_seconds_per_day=60, requests_per_minute=1), clock, wall)
    with working_for(FAR):
        one.request(FAR)
        for jump in (0.0, 86400.0, -2 * 86400.0, 365 * 86400.0, -365 * 86400.0):
            wall.now += jump
            one.audio(60.0)
            with pytest.raises(RateLimited) as refused:
                one.audio(1.0)
            assert 0 < (refused.value.retry_after or 0) <= 86400
            with pytest.raises(RateLimited, match="1 requests a minute"):
                one.request(FAR)
        clock.now += 60
        one.request(FAR)


def test_jobs_at_once(clock: Clock) -> None:
    one, client = usage(clock), keyed(jobs=2)
    with one.job(client), one.job(LOCAL):
        with (
            one.job(client),
            pytest.raises(RateLimited, match="2 requests and background jobs of key bob"),
            one.job(client),
        ):
            raise AssertionError
        with one.job(client):
            pass
    assert not one._jobs
    one.background[client.name] = 1
    with one.job(client), pytest.raises(RateLimited, match="2 requests and background jobs"), one.job(client):
        raise AssertionError


def test_audio_of_a_job_that_goes_on_is_not_counted_again(clock: Clock) -> None:
    one, client = usage(clock), keyed(audio_seconds_per_day=10)
    with working_for(client):
        one.audio(10.0)
        with pytest.raises(RateLimited):
            one.audio(0.0)
    with working_for(replace(client, is_charged=False)):
        one.audio(10.0)


@pytest.mark.parametrize("client", [LOCAL, BOB])
def test_one_page_cannot_have_every_seat(clock: Clock, client: Client) -> None:
    one, page = usage(clock, max_sessions=4), replace(client, origin="https://app.example")
    with ExitStack() as stack:
        with working_for(page):
            for _ in range(2):
                stack.enter_context(one.session())
            with pytest.raises(RateLimited, match=r"2 live sessions of pages of https://app\.example"), one.session():
                raise AssertionError
        others = (client, replace(client, origin="https://other.example"))
        for other in others:
            with working_for(other), one.session():
                pass
    with working_for(page), one.session():
        pass
    assert not one._sessions


def test_another_machine_has_half_of_the_seats_whatever_its_pages(clock: Clock) -> None:
    one = usage(clock, max_sessions=4)
    with ExitStack() as stack:
        for number in range(2):
            with working_for(replace(FAR, origin=f"https://{number}.example")):
                stack.enter_context(one.session())
        with working_for(FAR), pytest.raises(RateLimited, match=r"2 live sessions of address 192\.0\.2\.7"):
            stack.enter_context(one.session())


async def asked(
    limiter: LimitRequests, path: str, method: str = "POST", more: Mapping[str, Any] | None = None
) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "path": path, "method": method, "headers": [], "client": ("192.0.2.7", 1)}
    scope.update(more or {})
    await limiter(scope, receive, send)
    return sent


async def test_over_the_limit_each_path_has_its_clients_words(clock: Clock) -> None:
    reached: list[Client | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(current_client())
        await send({"type": "http.response.start", "status": 200, "headers": []})

    limiter = LimitRequests(app, usage(clock, requests_per_minute=1))
    key: dict[str, Any] = {KEY: NamedKey("bob", "0" * 64)}
    (start,) = await asked(limiter, "/v1/audio/speech", more=key)
    assert (b"x-ratelimit-remaining-requests", b"0") in start["headers"]
    assert reached[0] is not None and reached[0].name == "key bob"
    start, body, *_ = await asked(limiter, "/v1/audio/speech", more=key)
    headers = dict(start["headers"])
    assert start["status"] == 429 and headers[b"retry-after"] == b"60"
    assert headers[b"x-ratelimit-limit-requests"] == b"1" and headers[b"x-ratelimit-reset-requests"] == b"60000ms"
    error = json.loads(body["body"])["error"]
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "requests")
    start, body, *_ = await asked(limiter, "/v1/listen", more=key)
    assert (start["status"], json.loads(body["body"])["err_code"]) == (429, "TOO_MANY_REQUESTS")
    socket = {"type": "websocket", "extensions": {"websocket.http.response": {}}}
    start, *_ = await asked(limiter, "/v2/listen", more=key | socket)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 429)
    assert len(await asked(limiter, "/health", "GET", key)) == 1  # a monitor is not counted
    assert len(reached) == 2


async def test_work_counts_while_it_lasts_and_reading_does_not(clock: Clock) -> None:
    one = usage(clock)
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(sum(one._jobs.values()))
        if len(seen) > 1:
            raise RuntimeError

    limiter = LimitRequests(app, one)
    await asked(limiter, "/v1/models", "GET")
    with pytest.raises(RuntimeError):
        await asked(limiter, "/speak")
    assert seen == [0, 1] and not one._jobs
    assert rate_limits.READS == ("GET", "HEAD", "OPTIONS")
