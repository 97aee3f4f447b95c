"""What the protocols on HTTP share: the status table, options, bodies as ASGI messages."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import Message

from speechmlx.errors import BY_CODE, BadRequest, SpeechError, TooLarge
from speechmlx.protocols.http import options
from speechmlx.protocols.http.body import Body, read_body
from speechmlx.protocols.http.endpoint import Endpoint
from speechmlx.protocols.http.envelope import problem
from speechmlx.protocols.http.request_id import RequestId
from speechmlx.protocols.http.sound import BLOCK, Recording, WavResponse
from speechmlx.protocols.http.status import STATUS, headers, status


def test_every_error_code_has_a_status() -> None:
    assert STATUS.keys() == BY_CODE.keys()


@pytest.mark.parametrize("error", [kind("x", retry_after=2.1) for kind in BY_CODE.values()])
def test_a_503_says_when_to_come_again_and_nothing_else_does(error: SpeechError) -> None:
    assert headers(error) == ({"Retry-After": "3"} if status(error) == 503 else {})


def test_a_503_without_a_time_says_one_second() -> None:
    assert headers(BY_CODE["busy"]("x")) == {"Retry-After": "1"}


# --- Options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, None), ("", None), ("auto", None), ("en", "en"), ("EN-us", "en"), ("pt_BR", "pt"), ("English", "en")],
)
def test_languages(given: str | None, expected: str | None) -> None:
    assert options.language({} if given is None else {"language": given}) == expected


@pytest.mark.parametrize("value", [True, "true", "1", "Yes", "on", 1])
def test_true(value: object) -> None:
    assert options.flag({"x": value}, "x")


@pytest.mark.parametrize("value", [False, "false", "0", "", "off", 0])
def test_false(value: object) -> None:
    assert not options.flag({"x": value}, "x")
    assert not options.flag({}, "x")


@given(st.one_of(st.none(), st.booleans(), st.text(), st.floats(), st.integers(), st.lists(st.integers()), st.just({})))
def test_any_value_is_a_number_in_range_or_a_bad_request(value: Any) -> None:
    for read in (options.number, options.integer):
        try:
            assert 1 <= read({"x": value}, "x", 2, 1, 5) <= 5
        except BadRequest as error:
            assert "'x' must be a" in str(error)


def test_numbers_as_text_and_as_numbers() -> None:
    assert options.number({"x": "1.5"}, "x", 1, 0, 2) == options.number({"x": 1.5}, "x", 1, 0, 2) == 1.5
    assert options.integer({"x": "4"}, "x", 1, 0, 9) == 4
    assert options.integer({}, "x", 7, 0, 9) == 7


# --- Bodies ------------------------------------------------------------------------------------------------------


async def read(
    chunks: list[bytes],
    kind: str = "",
    limit: int = 1000,
    query: str = "",
    length: int | None = None,
    whole: bool = True,
) -> tuple[Body, bytes | None]:
    """The body of a request that arrives as `chunks`; unless `whole`, the client then leaves."""
    end: Message = {"type": "http.request", "body": b""} if whole else {"type": "http.disconnect"}
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks] + [end]
    sent = [("content-type", kind)] if kind else []
    sent += [("content-length", str(length))] if length is not None else []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent],
    }

    async def receive() -> Message:
        return messages.pop(0)

    async with AsyncExitStack() as stack:
        body = await read_body(Request(scope, receive), limit, stack)
        return body, body.upload.read() if body.upload else None


async def test_raw_audio_with_a_query() -> None:
    body, upload = await read([b"RI", b"FF"], "audio/wav", query="model=a&language=en")
    assert (body.options, upload) == ({"model": "a", "language": "en"}, b"RIFF")


async def test_an_empty_body_has_no_upload() -> None:
    assert await read([]) == (Body({}, None), None)


async def test_json_overrides_the_query_and_null_is_absent() -> None:
    body, upload = await read(
        [b'{"model":"b",', b'"voice":null,"speed":2}'], "application/json", query="model=a&voice=v"
    )
    assert (body.options, upload) == ({"model": "b", "voice": "v", "speed": 2}, None)


@pytest.mark.parametrize(
    ("text", "options_"),
    [
        ('{"a": True, "b": None, "c": [1, 2,],}', {"a": True, "c": [1, 2]}),
        ('\n{"a": "x",  # or "y"\n "b": "中"}\n', {"a": "x", "b": "中"}),
    ],
)
async def test_json_as_people_write_it(text: str, options_: dict[str, object]) -> None:
    assert (await read([text.encode()], "application/json"))[0].options == options_


@pytest.mark.parametrize("text", ['{"a": b"x"}', '{"a": {1}}', '{"a": 1j}', '{"a": open("x")}', '{"a": ' + "-" * 800])
async def test_what_neither_is_json(text: str) -> None:
    with pytest.raises(BadRequest, match="not valid JSON"):
        await read([text.encode()], "application/json")


@pytest.mark.parametrize(
    "text", [r'{"a": "\ud800"}', r'{"\udfff": 1}', r'{"a": [{"b": "x\ud800"}]}', '{"a": "\ud800"}']
)
async def test_half_a_character_is_refused(text: str) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        with pytest.raises(BadRequest, match="half of a character"):
            await read([text.encode("utf-8", "surrogatepass")], kind)
    assert (await read([rb'{"a": "\ud83d\ude00"}'], "application/json"))[0].options == {"a": "😀"}


@given(st.binary(max_size=700), st.booleans())
async def test_audio_in_json_arrives_byte_for_byte(data: bytes, broken: bool) -> None:
    encoded = base64.encodebytes(data) if broken else base64.b64encode(data)
    json = b'{"audio_base64":"' + encoded + b'"}'
    assert (await read([json], "application/json", limit=2000))[1] == data


async def test_audio_in_json_longer_than_a_slice() -> None:
    data = bytes(range(256)) * 3000
    json = b'{"audio_base64":"' + base64.b64encode(data) + b'"}'
    assert (await read([json], "application/json", limit=2_000_000))[1] == data


@pytest.mark.parametrize("encoded", ["QUJ", "Q===", "QQ==QQ==", "Qü==", "Q-_="])
async def test_what_is_no_base64_is_refused(encoded: str) -> None:
    with pytest.raises(BadRequest, match="not base64"):
        await read([f'{{"audio_base64":"{encoded}"}}'.encode()], "application/json")


FORM = (
    b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n\r\n--Bx\r\n--B--\r\n'
)


async def test_a_form_with_a_file_that_holds_line_ends_and_almost_the_boundary() -> None:
    for size in (1, 7, len(FORM)):
        chunks = [FORM[start : start + size] for start in range(0, len(FORM), size)]
        body, upload = await read(chunks, "multipart/form-data; boundary=B", query="model=q&voice=v")
        assert (body.options, upload) == ({"model": "m", "voice": "v"}, b"RIFF\r\n\r\n--Bx")


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=C"])
async def test_a_form_that_cannot_be_read(kind: str) -> None:
    with pytest.raises(BadRequest, match="multipart"):
        await read([FORM], kind)


@pytest.mark.parametrize(
    ("data", "options_", "upload"),
    [
        (b"model=m&text=a+b%C3%BC", {"model": "m", "text": "a bü"}, None),
        (b"audio_base64=UklGRg%3D%3D", {}, b"RIFF"),
        (b' {"model":"m"}', {"model": "m"}, None),
        (b"RIFF\x10\x20\x00\x00WAVEfmt =", {}, b"RIFF\x10\x20\x00\x00WAVEfmt ="),
        (b"OggS\x00=", {}, b"OggS\x00="),
    ],
)
async def test_what_curl_calls_a_form(data: bytes, options_: dict[str, object], upload: bytes | None) -> None:
    body, found = await read([data], "application/x-www-form-urlencoded")
    assert (body.options, found) == (options_, upload)


@pytest.mark.parametrize("kind", ["audio/wav", "application/json", "multipart/form-data; boundary=B"])
async def test_over_the_limit(kind: str) -> None:
    with pytest.raises(TooLarge, match="limit"):
        await read([FORM[:140], b"x" * 900], kind)
    with pytest.raises(TooLarge, match="limit"):
        await read([], kind, length=1001)


@pytest.mark.parametrize("kind", ["audio/wav", "application/json", "multipart/form-data; boundary=B"])
async def test_a_client_that_leaves_midway(kind: str) -> None:
    with pytest.raises(ClientDisconnect):
        await read([FORM[:90]], kind, whole=False)


async def test_an_upload_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechmlx.protocols.http.body.SILENCE", 0.05)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    async with AsyncExitStack() as stack:
        with pytest.raises(BadRequest, match=r"the upload paused for more than 0\.05 seconds"):
            await read_body(Request(scope, receive), 1000, stack)


# --- Endpoints ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["good", "bad"])
async def test_what_nobody_foresaw_has_the_envelope_and_an_id(
    body: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where it happens before the answer, in reading the body."""

    async def broken(*given: Any) -> Any:
        raise RuntimeError("nobody foresaw this")

    if body == "bad":
        monkeypatch.setattr("speechmlx.protocols.http.endpoint.read_body", broken)
    app = Starlette(routes=[Route("/", Endpoint(broken, problem, 100))], middleware=[Middleware(RequestId)])
    app.state.runtime = None
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        answer = await client.get("/")
    id = answer.headers["x-request-id"]
    assert answer.status_code == 500
    assert answer.json()["error"]["message"].endswith(f"its log has the traceback, under {id}")
    (record,) = caplog.records
    assert record.getMessage() == f"{id}: broken failed" and record.exc_info


async def test_a_short_answer_waits_for_no_thread() -> None:
    busy, sent = threading.Event(), []
    with ThreadPoolExecutor(1) as only:
        asyncio.get_running_loop().set_default_executor(only)
        waiting = asyncio.create_task(asyncio.to_thread(busy.wait, 60))
        sound = Recording(io.BytesIO(bytes(2 * BLOCK)), 2 * BLOCK, 24000)

        async def send(message: Message) -> None:
            sent.append(message.get("body", b""))

        try:
            async with asyncio.timeout(30):
                await WavResponse(sound)({}, Request, send)  # type: ignore[arg-type]
        finally:
            busy.set()
            await waiting
    assert len(b"".join(sent)) == 44 + 2 * BLOCK
