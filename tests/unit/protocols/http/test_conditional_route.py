"""Routes for some of the requests to a path."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from speechmlx.protocols.http.conditional_route import ConditionalRoute, is_form


async def form(request: Request) -> Response:
    return PlainTextResponse("form")


async def other(request: Request) -> Response:
    return PlainTextResponse("other")


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("multipart/form-data; boundary=B", "form"),
        ("Multipart/Form-Data", "form"),
        ("audio/wav", "other"),
        (None, "other"),
    ],
)
async def test_a_request_that_does_not_meet_the_condition_goes_to_the_next_route(kind: str | None, answer: str) -> None:
    app = Starlette(
        routes=[ConditionalRoute("/a", form, ["POST"], is_form, "form"), Route("/a", other, methods=["POST"])]
    )
    headers = {} if kind is None else {"content-type": kind}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        assert (await client.post("/a", headers=headers)).text == answer
        assert (await client.get("/a")).status_code == 405
