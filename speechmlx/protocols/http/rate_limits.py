"""What one client may use: requests a minute, audio a day, requests and live sessions at once.

The limits are those of its key, else the settings. Programs on this machine and holders of keys have no limits of
requests, jobs and sessions where nobody set any; a page has one of sessions everywhere.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechmlx.config import Config
from speechmlx.errors import RateLimited
from speechmlx.key_file import LIMITS, ClientLimits
from speechmlx.log import current
from speechmlx.protocols.http.access_keys import is_open
from speechmlx.protocols.http.clients import Client, client_of, current_client, working_for
from speechmlx.protocols.http.inbox import Inbox, refuse
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import HEADS, add_log_note

MINUTE, DAY = 60.0, 86400
REQUESTS_PER_MINUTE = 600
"""Of an address of another machine without a key, where no setting says otherwise."""
KNOWN = 10_000
"""Clients whose use is remembered; the one that was idle longest is forgotten first."""
JOBS = "/v1/jobs/"
"""Background jobs can be cancelled by who has all that it may have."""
READS = ("GET", "HEAD", "OPTIONS")
JOB_RETRY = SESSION_RETRY = 1.0
"""Seconds of Retry-After while a client has all that it may have at once."""
CODE = "rate_limit_exceeded"


class ClientUsage:
    """What each client has used. `clock` is monotonic, `wall` gives Unix seconds: a day is one of UTC."""

    def __init__(
        self, config: Config, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._config = config
        self._clock = clock
        self._wall = wall
        self._requests: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Requests that are left, and when that was counted."""
        self._audio: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """The day, and seconds of audio used on it."""
        self._jobs: Counter[str] = Counter()
        self._sessions: Counter[str] = Counter()
        self.background: Counter[str] = Counter()
        """Background jobs of each client that are queued or run."""

    def limits(self, client: Client) -> ClientLimits:
        """The limits of a client."""
        config = self._config
        own = client.key.limits if client.key else ClientLimits()
        set_ = ClientLimits(
            requests_per_minute=config.requests_per_minute,
            audio_seconds_per_day=config.audio_seconds_per_day,
            jobs=config.jobs_per_client,
            sessions=config.sessions_per_client,
        )
        stranger = ClientLimits(
            requests_per_minute=REQUESTS_PER_MINUTE,
            jobs=_half(config.max_jobs),
            sessions=_half(config.max_sessions),
        )
        unknown = stranger if client.key is None and not client.is_local else ClientLimits()
        return ClientLimits(
            **{name: getattr(own, name) or getattr(set_, name) or getattr(unknown, name) for name in LIMITS}
        )

    def request(self, client: Client) -> dict[str, str]:
        """Count a request. Returns OpenAI's headers; none without a limit. Raises RateLimited."""
        limit = self.limits(client).requests_per_minute
        if limit is None:
            return {}
        now = self._clock()
        left, since = self._requests.pop(client.name, (float(limit), now))
        left = min(float(limit), left + (now - since) * limit / MINUTE)
        refused = left < 1.0
        left -= 0.0 if refused else 1.0
        self._requests[client.name] = left, now
        _forget(self._requests)
        if refused:
            raise RateLimited(
                f"{client.name} sent more than {limit} requests a minute, which is its limit",
                retry_after=(1.0 - left) * MINUTE / limit,
            )
        return self._headers(limit, left)

    def headers(self, client: Client) -> dict[str, str]:
        """OpenAI's headers now; none without a limit."""
        limit = self.limits(client).requests_per_minute
        return {} if limit is None else self._headers(limit, self._requests.get(client.name, (float(limit), 0.0))[0])

    def _headers(self, limit: int, left: float) -> dict[str, str]:
        return {
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": str(int(left)),
            "x-ratelimit-reset-requests": f"{math.ceil((limit - left) * MINUTE / limit * 1000)}ms",
        }

    def audio(self, seconds: float) -> None:
        """Count audio that the current client sent; 0 only looks. Raises RateLimited when its day's audio is used."""
        if (record := current()) is not None:
            record.audio_in += seconds
        client = current_client()
        limit = self.limits(client).audio_seconds_per_day if client else None
        if client is None or limit is None or not client.is_charged:
            return
        now = self._wall()
        today = int(now // DAY)
        day, used = self._audio.pop(client.name, (today, 0.0))
        used = seconds + (used if day == today else 0.0)
        self._audio[client.name] = today, used
        _forget(self._audio)
        if used > limit or (not seconds and used >= limit):
            raise RateLimited(
                f"{client.name} has sent {limit} seconds of audio today, which is its limit; a day begins at 0:00 UTC",
                retry_after=(today + 1) * DAY - now,
            )

    @contextmanager
    def job(self, client: Client) -> Iterator[None]:
        """Work of one request. Raises RateLimited."""
        limit = self.limits(client).jobs
        if limit is not None and self._jobs[client.name] + self.background[client.name] >= limit:
            raise RateLimited(
                f"{limit} requests and background jobs of {client.name} are in progress, which is its limit",
                retry_after=JOB_RETRY,
            )
        with _counted(self._jobs, client.name):
            yield

    @contextmanager
    def session(self) -> Iterator[None]:
        """A live session of the current client. Raises RateLimited."""
        client = current_client()
        if client is None:
            yield
            return
        limit, pages = (
            self.limits(client).sessions,
            self._config.sessions_per_client or _half(self._config.max_sessions),
        )
        page = f"pages of {client.origin}"
        for name, most in ((client.name, limit), (page, pages if client.origin is not None else None)):
            if most is not None and self._sessions[name] >= most:
                raise RateLimited(
                    f"{most} live sessions of {name} are open, which is the limit; try again later",
                    retry_after=SESSION_RETRY,
                )
        self.audio(0.0)
        with _counted(self._sessions, client.name), _counted(self._sessions, page):
            yield


class LimitRequests:
    """Middleware: names the client of what runs behind it, and refuses what is over its limits (429)."""

    def __init__(self, app: ASGIApp, usage: ClientUsage) -> None:
        self._app = app
        self._usage = usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        client = client_of(scope)
        with working_for(client):
            if scope["type"] == "http" and is_open(scope):
                await self._app(scope, receive, send)
            else:
                await self._limited(client, scope, receive, send)

    async def _limited(self, client: Client, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as stack:
            try:
                headers = self._usage.request(client)
                if scope["type"] == "http" and scope["method"] not in READS and not scope["path"].startswith(JOBS):
                    stack.enter_context(self._usage.job(client))
            except RateLimited as error:
                await self._refuse(error, client, scope, receive, send)
            else:
                await self._app(scope, receive, _with(headers, send))

    async def _refuse(self, error: RateLimited, client: Client, scope: Scope, receive: Receive, send: Send) -> None:
        add_log_note(scope, "refused: over a limit of the client")
        answer = too_many(scope["path"], error, self._usage.headers(client))
        if scope["type"] == "http":
            await refuse(answer, scope, Inbox(receive), send)
        else:
            await answer(scope, receive, send)


def too_many(path: str, error: RateLimited, headers: dict[str, str]) -> Response:
    """The response for a request over a limit, in the shape that the path's clients read."""
    retry = {"Retry-After": str(max(1, math.ceil(error.retry_after or 1.0)))}
    return error_response(path, 429, str(error), CODE, {**headers, **retry})


def _with(headers: dict[str, str], send: Send) -> Send:
    """`send` that adds headers to the answer."""
    if not headers:
        return send

    async def send_with(message: Message) -> None:
        if message["type"] in HEADS:
            mutable = MutableHeaders(scope=message)
            for name, value in headers.items():
                mutable.setdefault(name, value)
        await send(message)

    return send_with


@contextmanager
def _counted(counts: Counter[str], name: str) -> Iterator[None]:
    counts[name] += 1
    try:
        yield
    finally:
        counts[name] -= 1
        if not counts[name]:
            del counts[name]


def _forget(known: OrderedDict[str, tuple[float, float]] | OrderedDict[str, tuple[int, float]]) -> None:
    while len(known) > KNOWN:
        known.popitem(last=False)


def _half(count: int) -> int:
    return max(1, count // 2)
