"""What a job's handler answers is kept, with its status and headers; errors that pass are not."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from speechmlx.errors import BadAudio, Busy, EngineLost, SpeechError
from speechmlx.jobs.background_job import BackgroundJob, JobState, new_id
from speechmlx.jobs.files import JobFiles
from speechmlx.jobs.journal import JobJournal, current_journal
from speechmlx.jobs.queue import Outcome
from speechmlx.protocols.http.clients import Client, current_client
from speechmlx.protocols.http.deepgram_errors import problem
from speechmlx.protocols.http.job_replay import run_job
from speechmlx.protocols.http.kept_request import write_request
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.request_id import KEY
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.http.services import Services
from speechmlx.runtime.front.refusal import WorkRefusal

SCOPE = {"type": "http", "method": "POST", "path": "/p", "query_string": b"", "headers": [], KEY: "req_7"}
SERVICES = cast(Services, SimpleNamespace(runtime=SimpleNamespace(refusal=WorkRefusal())))
BOB = Client("address 192.0.2.1")


def job(total: float | None = None) -> BackgroundJob:
    return BackgroundJob(
        number=1,
        id=new_id(),
        owner="a",
        client="a",
        path="/p",
        state=JobState.RUNNING,
        size=0,
        created=1.0,
        started=1.0,
        finished=None,
        total=total,
        done=0.0,
        losses=0,
        error=None,
        status=None,
        headers=(),
        result="",
        hook=None,
        hook_state=None,
        hook_tries=0,
        hook_error=None,
    )


async def replayed(
    tmp_path: Path, handler: Callable[..., Any] | None, given: SpeechError | None = None, total: float | None = None
) -> tuple[Outcome, bytes]:
    """The outcome of a job of this handler, and the body of its result; without a handler nothing was kept."""
    files, one = JobFiles(tmp_path), job(total)
    if handler is not None:
        context = RequestContext(Request(SCOPE), SERVICES, Body(options={"a": 1}), AsyncExitStack())
        files.keep(one.id, *write_request("handler", context, BOB))
    handlers = {} if handler is None else {"handler": (handler, problem)}
    outcome = await run_job(SERVICES, handlers, files, one, cast(JobJournal, "journal"), given)
    return outcome, files.result(one.id, outcome.result)


async def test_the_answer_is_kept_as_it_is(tmp_path: Path) -> None:
    async def handler(context: RequestContext) -> Response:
        client = current_client()
        assert client is not None and client.name == BOB.name and client.is_charged
        assert current_journal.get() is not None
        return Response(f"é {context.body.options['a']}", 203, {"x-a": "1"}, "text/plain")

    outcome, body = await replayed(tmp_path, handler)
    assert (outcome.status, outcome.error, outcome.size) == (203, None, 4) and body == "é 1".encode()
    assert dict(outcome.headers) == {"x-a": "1", "content-length": "4", "content-type": "text/plain; charset=utf-8"}


async def test_audio_of_a_job_that_goes_on_is_not_charged(tmp_path: Path) -> None:
    async def handler(context: RequestContext) -> Response:
        client = current_client()
        return JSONResponse(client is not None and client.is_charged)

    assert (await replayed(tmp_path, handler, total=3.0))[1] == b"false"


async def test_an_error_is_answered_in_the_protocols_words(tmp_path: Path) -> None:
    async def handler(context: RequestContext) -> Response:
        raise BadAudio("no sound")

    outcome, body = await replayed(tmp_path, handler)
    assert outcome.status == 400 and json.loads(body)["request_id"] == "req_7"
    assert outcome.error is not None and outcome.error["code"] == "invalid_audio"


async def test_an_answer_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    async def lines() -> AsyncIterator[bytes]:
        yield b"first"
        raise BadAudio("then nothing")

    async def handler(context: RequestContext) -> Response:
        return StreamingResponse(lines())

    outcome, body = await replayed(tmp_path, handler)
    assert outcome.status == 400 and json.loads(body)["err_msg"] == "then nothing"


async def test_an_answer_with_a_bad_status_is_a_failure(tmp_path: Path) -> None:
    async def handler(context: RequestContext) -> Response:
        return JSONResponse({"why": "not here"}, 501)

    outcome, body = await replayed(tmp_path, handler)
    assert outcome.status == 501 and json.loads(body) == {"why": "not here"}
    assert outcome.error is not None and "status 501" in outcome.error["message"]


@pytest.mark.parametrize("error", [EngineLost("a"), Busy("a")])
async def test_what_passes_is_raised(tmp_path: Path, error: SpeechError) -> None:
    async def handler(context: RequestContext) -> Response:
        raise error

    with pytest.raises(type(error)):
        await replayed(tmp_path, handler)


async def test_what_nobody_foresaw_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(context: RequestContext) -> Response:
        raise RuntimeError("nobody foresaw this")

    outcome, body = await replayed(tmp_path, handler)
    assert outcome.status == 500 and b"its log has the traceback, under job_" in body
    assert caplog.records[-1].exc_info


async def test_a_job_goes_on_later_where_the_files_of_the_program_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade what is imported late is not there any more; the next server has it."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").touch()
    monkeypatch.setattr(SERVICES.runtime, "refusal", WorkRefusal())

    async def handler(context: RequestContext) -> Response:
        (tmp_path / "python").unlink()
        raise ModuleNotFoundError("No module named what is imported late")

    with pytest.raises(EngineLost, match="files that this program runs from are gone") as raised:
        await replayed(tmp_path, handler)
    assert not raised.value.ran, "it is no loss of the job"


async def test_a_job_that_is_given_up_runs_nothing(tmp_path: Path) -> None:
    async def handler(context: RequestContext) -> Response:
        raise AssertionError

    outcome, body = await replayed(tmp_path, handler, EngineLost("interrupted"))
    assert outcome.status == 503 and json.loads(body)["err_msg"] == "interrupted"


async def test_what_was_kept_is_gone_or_of_another_version(tmp_path: Path) -> None:
    outcome, body = await replayed(tmp_path, None)
    assert outcome.status == 500 and b"cannot be read any more" in body
    files, one = JobFiles(tmp_path), job()
    context = RequestContext(Request(SCOPE), SERVICES, Body(), AsyncExitStack())
    files.keep(one.id, *write_request("a handler of long ago", context, BOB))
    outcome = await run_job(SERVICES, {}, files, one, cast(JobJournal, "journal"), None)
    assert outcome.status == 500 and b"does not have the route" in files.result(one.id, outcome.result)
