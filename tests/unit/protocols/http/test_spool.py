"""No room for temporary files: a limit on the size of files, which the system keeps, and a folder that is gone."""

from __future__ import annotations

import base64
import errno
import os
import resource
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from support.bodies import FORM_TYPE, part, read_chunks

from speechmlx.config import Config
from speechmlx.errors import Busy, NoRoom
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.request_body import MEMORY
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import build_services
from speechmlx.protocols.http.spool import room
from speechmlx.protocols.http.wav import record_speech
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Chunk

SERVICES = build_services(Config(), Runtime(Config(), CATALOG))
DATA = bytes(MEMORY + 100_000)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may be over a quarter of a megabyte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def size(context: RequestContext) -> Response:
    assert context.body.upload is not None
    return PlainTextResponse(str(len(context.body.upload.read())))


async def post(**request: Any) -> httpx.Response:
    app = Starlette(routes=[Route("/", Endpoint(SERVICES, size, problem, 1 << 24), methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        return await client.post("/", **request)


REQUESTS = {
    "raw": {"content": DATA},
    "multipart": {"files": {"file": ("a.wav", DATA)}},
    "JSON": {"json": {"file": base64.b64encode(DATA).decode()}},
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_body_that_does_not_fit_is_507_and_names_the_folder(
    request_: dict[str, Any], small_files: None, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await post(**request_)
    assert answer.status_code == 507
    told = answer.json()["error"]
    assert (told["type"], told["code"]) == ("server_error", "no_room")
    where = f"the folder for temporary files ({tempfile.gettempdir()}) has no room for the request: File too large"
    assert told["message"] == where + "; make room there, or start the server with TMPDIR set to another folder"
    assert not caplog.records
    assert (await post(content=DATA[:1000])).text == "1000"


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_folder_that_is_gone_is_507_too(
    request_: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    answer = await post(**request_)
    assert answer.status_code == 507
    told = answer.json()["error"]["message"]
    assert told.startswith(f"the folder for temporary files ({tmp_path / 'gone'}) cannot be written: No such file")
    monkeypatch.undo()
    assert (await post(**request_)).text == str(len(DATA))


async def test_an_answer_that_does_not_fit_is_told_so(small_files: None) -> None:
    async def events() -> AsyncIterator[Chunk]:
        for _ in range(len(DATA) // 100_000):
            yield Chunk(bytes(100_000), 24000)

    async with AsyncExitStack() as stack:
        with pytest.raises(NoRoom, match="has no room for the request"):
            await record_speech(events(), 24000, stack)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_what_the_system_says_is_passed_on(number: int) -> None:
    with pytest.raises(NoRoom, match=os.strerror(number)), room():
        raise OSError(number, os.strerror(number))


def test_what_has_nothing_to_do_with_it_is_left_alone() -> None:
    with pytest.raises(ConnectionResetError), room():
        raise ConnectionResetError(errno.ECONNRESET, "reset")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no device that is always full")
def test_a_full_device() -> None:
    with pytest.raises(NoRoom, match="No space left on device"), room(), open("/dev/full", "wb") as full:
        full.write(b"x")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_no_fault_of_the_request(number: int) -> None:
    with pytest.raises(Busy, match="too many files and connections"), room():
        raise OSError(number, "too many")


@pytest.mark.parametrize("kind", ["audio/wav", FORM_TYPE])
@pytest.mark.parametrize("size", [1000, MEMORY + 100_000])
async def test_a_long_file_is_closed_off_the_event_loop(kind: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes its time to give a long file's pages back: 8 ms for 64 MB."""
    threads: list[bool] = []
    close = tempfile.SpooledTemporaryFile.close

    def told(file: tempfile.SpooledTemporaryFile[bytes]) -> None:
        threads.append(threading.current_thread() is threading.main_thread())
        close(file)

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "close", told)
    data = bytes(size) if kind != FORM_TYPE else part('name="file"; filename="a.wav"', bytes(size))
    _, upload = await read_chunks([data], kind, limit=2 * MEMORY)
    assert upload is not None and len(upload) == size
    assert threads and all(on_loop == (size < MEMORY) for on_loop in threads)
