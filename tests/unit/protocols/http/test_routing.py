"""An endpoint: the answer to an exception that nothing handles."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from speechmlx.config import Config
from speechmlx.log.lines import TextLines
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.request_id import RequestId
from speechmlx.protocols.http.routing import Endpoint
from speechmlx.protocols.http.services import build_services
from speechmlx.runtime.front.refusal import WorkRefusal
from speechmlx.runtime.front.runtime import Runtime

SERVICES = build_services(Config(), Runtime(Config(), CATALOG))


@pytest.mark.parametrize("body", ["good", "bad"])
async def test_what_nobody_foresaw_has_the_envelope_and_an_id(
    body: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where it happens before the answer, in reading the body."""

    async def broken(*given: Any) -> Any:
        raise RuntimeError("nobody foresaw this")

    if body == "bad":
        monkeypatch.setattr("speechmlx.protocols.http.routing.read_body", broken)
    caplog.handler.setFormatter(TextLines())
    app = Starlette(routes=[Route("/", Endpoint(SERVICES, broken, problem, 100))], middleware=[Middleware(RequestId)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        answer = await client.get("/")
    id = answer.headers["x-request-id"]
    assert answer.status_code == 500
    assert answer.json()["error"]["message"].endswith(f"its log has the traceback, under {id}")
    (record,) = caplog.records
    assert f"broken failed [{id}]" in caplog.text and record.exc_info


async def test_where_the_files_of_the_program_are_gone_that_is_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    python = tmp_path / "python"
    python.touch()
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(SERVICES.runtime, "refusal", WorkRefusal())

    async def late(*given: Any) -> Any:
        python.unlink()
        raise ModuleNotFoundError("No module named 'late'")

    app = Starlette(routes=[Route("/", Endpoint(SERVICES, late, problem, 100))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        answer = await client.get("/")
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert "files that this program runs from are gone" in answer.json()["error"]["message"]
    assert "late failed, and this server can do no more work: No module named 'late'" in caplog.messages
    assert not any(record.exc_info for record in caplog.records)
