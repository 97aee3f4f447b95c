"""What the protocols on HTTP share: the status table, options, bodies as ASGI messages."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any
from unittest.mock import ANY
from urllib.parse import quote

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
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.request_id import RequestId
from speechmlx.protocols.http.routing import Endpoint
from speechmlx.protocols.http.status import STATUS, headers, status
from speechmlx.protocols.http.wav import BLOCK, Recording, WavResponse


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
    [
        (None, None),
        ("", None),
        (" ", None),
        ("auto", None),
        ("en", "en"),
        ("EN-us", "en-us"),
        ("pt_BR", "pt-br"),
        ("English", "en"),
        ("nb-NO", "nb-no"),
        ("gibberish", "gibberish"),
    ],
)
def test_languages(given: str | None, expected: str | None) -> None:
    """The region counts where it is spoken. What is no language is left for the model to refuse."""
    asked = {} if given is None else {"language": given}
    heard = "no" if given == "nb-NO" else expected and expected.partition("-")[0]
    assert (options.language(asked), options.dialect(asked)) == (heard, expected)


@pytest.mark.parametrize("value", ["", " ", "\t", None])
def test_blanks_are_the_default(value: str | None) -> None:
    given = {"x": value}
    assert options.value(given, "x") is options.text(given, "x") is None
    assert options.flag(given, "x") is False and options.choice(given, "x", ("a", "b")) == "a"
    assert (options.number(given, "x", 1.5, 0, 2), options.integer(given, "x", 2, 0, 2)) == (1.5, 2)
    assert options.several(given, "x") == []


def test_words_are_trimmed() -> None:
    assert options.choice({"x": " B "}, "x", ("a", "b")) == "b" and options.flag({"x": " True"}, "x")


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
            assert "'x' must be a" in str(error)  # noqa: PT017 - most values are right


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


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=B",
        "application/x-www-form-urlencoded",
    ],
)
async def test_an_empty_body_has_no_upload_and_no_type(kind: str) -> None:
    assert await read([], kind, query="model=a&x=") == (Body({"model": "a"}, None, (("model", "a"),)), None)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x=&voice=v&language=%20", "application/x-www-form-urlencoded"),
        (b'{"x": "", "voice": "v", "language": " ", "y": null}', "application/json"),
        (b'{"x": "", "voice": "v", "language": " ", "y": null}', "text/plain;charset=UTF-8"),
        (b'\xef\xbb\xbf\n {"voice": "v"}', ""),
        (b'{"voice": "v",}', "application/octet-stream"),
    ],
)
async def test_what_is_blank_is_absent_and_json_needs_no_type(body: bytes, kind: str) -> None:
    """The query's value counts where the body's is blank."""
    assert (await read([body], kind, query="language=en&model="))[0].options == {"language": "en", "voice": "v"}


async def test_every_value_of_a_field_is_kept() -> None:
    body, _ = await read([b"a=1&a=2&b[]=3"], "application/x-www-form-urlencoded", query="a=0&c=4&c=5")
    assert body.options == {"a": "2", "b[]": "3", "c": "5"}
    assert body.form == (("c", "4"), ("c", "5"), ("a", "1"), ("a", "2"), ("b[]", "3"))


async def test_base64_whose_plus_was_not_encoded() -> None:
    assert (await read([b"file=+/+/&x=a+b"], "application/x-www-form-urlencoded"))[1] == b"\xfb\xff\xbf"


@pytest.mark.parametrize("start", [b"{\x00\x01", b"{ wav", b"{\xff\x00\x12", b'\x01{"', b"data\x00"])
async def test_sound_that_begins_like_json_is_sound(start: bytes) -> None:
    assert (await read([start + bytes(80)], "application/octet-stream"))[1] == start + bytes(80)


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


@pytest.mark.parametrize(
    "url",
    [
        "data:audio/wav;base64,UklGRg==",
        "DATA:;base64,UklG\\nRg==",
        "data:audio/wav;rate=8000;base64,UklGRg%3D%3D",
        "data:,RIFF",
        "data:audio/wav,%52IFF",
    ],
)
@pytest.mark.parametrize("field", ["file", "audio", "audio_file", "audio_base64"])
async def test_a_data_url_is_the_recording(field: str, url: str) -> None:
    json = f'{{"{field}": "{url}", "model": "m"}}'.encode()
    assert await read([json], "application/json") == (Body({"model": "m"}, ANY), b"RIFF")
    form = part(f'name="{field}"', url.replace("\\n", "\n").encode())
    assert (await read([form], FORM_TYPE))[1] == b"RIFF"


@pytest.mark.parametrize(
    "text",
    [
        "output.wav", "@jfk.wav", "/tmp/a b.mp3", "C:\\\\sounds\\\\a.wav", "./a", "~/x", "/var/lib/sound",
        "für.wav", "file:///a.wav",
    ],
)  # fmt: skip
async def test_text_that_looks_like_a_path_says_so(text: str) -> None:
    for body, kind in (
        (f'{{"file": "{text}"}}'.encode(), "application/json"),
        (part('name="file"', text.encode()), FORM_TYPE),
        (f"audio_base64={quote(text)}".encode(), "application/x-www-form-urlencoded"),
        (text.encode(), "application/x-www-form-urlencoded"),
        (text.encode(), "text/plain"),
        (text.encode(), ""),
    ):
        with pytest.raises(BadRequest, match=r"looks like a file's name and not its contents; .*-F 'file=@[^@]"):
            await read([body], kind)


@pytest.mark.parametrize("text", ["https://example.org/a.wav", "HTTP://x/y", "blob:http://x/1", "s3://b/a"])
async def test_an_address_is_no_recording(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^'file' is the text .* looks like an address; send the recording itself"):
        await read([f'{{"file": "{text}"}}'.encode()], "application/json")


@pytest.mark.parametrize("encoded", ["QUJ", "Q===", "QQ==QQ==", "Qü==", "Q-_="])
async def test_what_is_no_base64_is_refused(encoded: str) -> None:
    with pytest.raises(BadRequest, match=r"^'audio_base64' is not base64"):
        await read([f'{{"audio_base64":"{encoded}"}}'.encode()], "application/json")
    with pytest.raises(BadRequest, match=r"^'file' is not base64"):
        await read([part('name="file"', encoded.encode())], FORM_TYPE)


FORM = (
    b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n\r\n--Bx\r\n--B--\r\n'
)


async def test_a_form_with_a_file_that_holds_line_ends_and_almost_the_boundary() -> None:
    for size in (1, 7, len(FORM)):
        chunks = [FORM[start : start + size] for start in range(0, len(FORM), size)]
        body, upload = await read(chunks, "multipart/form-data; boundary=B", query="model=q&voice=v")
        assert (body.options, upload) == ({"model": "m", "voice": "v"}, b"RIFF\r\n\r\n--Bx")


FORM_TYPE = "multipart/form-data; boundary=B"
SOUND = b"RIFF\x00\x00\r\n\xff--B"


def part(disposition: str, data: bytes, *headers: str, last: bool = True) -> bytes:
    """A part of a form, and unless it is not the `last` the form's end."""
    head = "\r\n".join((f"Content-Disposition: form-data; {disposition}", *headers))
    return f"--B\r\n{head}\r\n\r\n".encode() + data + (b"\r\n--B--\r\n" if last else b"\r\n")


@pytest.mark.parametrize(
    ("disposition", "headers", "name"),
    [
        ('name="file"', (), ""),
        ('name="file"', ("Content-Type: audio/wav",), ""),
        ('name="audio_file"; filename=""', (), ""),
        ('name="file[]"', (), ""),
        ('name="File"', (), ""),
        ('name="other"', ("Content-Type: audio/x-wav",), ""),
        ('name="other"', ("Content-Type: application/octet-stream",), ""),
        ("name=\"file\"; filename*=UTF-8''f%C3%BCr%20%22dich%22.wav", (), "für _dich_.wav"),
        ("name=\"file\"; filename*=iso-8859-1'de'f%FCr.wav", (), "für.wav"),
        ("name=\"x\"; filename*=nonsense''a.wav", (), "a.wav"),
        ('name="file"; filename="plain.wav"; filename*=utf-8\'\'other.wav', (), "plain.wav"),
    ],
)
async def test_a_file_need_not_have_a_name(disposition: str, headers: tuple[str, ...], name: str) -> None:
    form = part('name="model"', b"m", "Content-Type: text/plain; charset=utf-8", last=False)
    body, upload = await read([form + part(disposition, SOUND, *headers)], FORM_TYPE)
    assert (body.options, upload, body.filename) == ({"model": "m"}, SOUND, name)


async def test_a_long_file_without_a_name_is_read() -> None:
    sound = bytes(range(256)) * 20_000
    assert (await read([part('name="file"', sound)], FORM_TYPE, limit=10**7))[1] == sound
    encoded = base64.encodebytes(sound)
    assert (await read([part('name="file"', encoded)], FORM_TYPE, limit=10**7))[1] == sound


async def test_a_part_in_base64_is_decoded() -> None:
    coded = part('name="file"; filename="a.wav"', b"UklG\r\nRg==", "Content-Transfer-Encoding: base64")
    assert (await read([coded], FORM_TYPE))[1] == b"RIFF"


async def test_text_of_any_type_is_an_option() -> None:
    for kind in ("text/plain", "application/octet-stream", "multipart/form-data", "application/json", "audio/wav"):
        body, upload = await read([part('name="model"', b"m", f"Content-Type: {kind}")], FORM_TYPE)
        assert (body.options, upload) == ({"model": "m"}, None)


@pytest.mark.parametrize(
    "others",
    [
        {'name="other"; filename="notes.txt"': b"some notes"},
        {'name="other"; filename="film.mp4"': b"\0\0\0\x18ftypmp42"},
        {'name="clip"; filename="b.wav"': b"RIFF\0 another"},
        {'name="audio"; filename="b.wav"': b"RIFF\0 another", 'name="audio_base64"': b"QUJD"},
        {'name="file"; filename="empty.wav"': b"", 'name="image"; filename="i.png"': b"\x89PNG\0"},
        {'name="audio"': b"", 'name="audio_base64"': b" ", 'name="audio_file"; filename=""': b""},
    ],
)
async def test_the_recording_is_the_file_of_that_name(others: dict[str, bytes]) -> None:
    for field in ("file",) if any("audio" in other for other in others) else ("file", "audio", "audio_file"):
        parts = [(other, data) for other, data in others.items()]
        for order in ([*parts, (f'name="{field}"; filename="a.wav"', SOUND)], [(f'name="{field}"', SOUND), *parts]):
            form = b"".join(part(*one, last=False) for one in order) + b"--B--\r\n"
            body, upload = await read([form], FORM_TYPE)
            assert upload == SOUND and body.filename in ("a.wav", "") and not body.options


@pytest.mark.parametrize(
    ("name", "kind"), [("a.wav", ""), ("a.flac", "application/octet-stream"), ("", "audio/mpeg"), ("a", "audio/ogg")]
)
async def test_of_files_of_other_names_the_recording_is_the_one_of_a_type_of_sound(name: str, kind: str) -> None:
    notes = part('name="a"; filename="notes.txt"', b"notes", last=False)
    film = part('name="b"; filename="film.mp4"', b"\0ftyp", last=False)
    sound = part(f'name="c"; filename="{name}"', SOUND, *([f"Content-Type: {kind}"] if kind else []))
    body, upload = await read([notes + film + sound], FORM_TYPE)
    assert (upload, body.filename) == (SOUND, name)


@pytest.mark.parametrize(
    "charset", ["utf-8", "punycode", "idna", "undefined", "utf-16", "rot13", "zlib", "none", '""', ""]
)
async def test_a_charset_that_no_form_can_have_is_utf_8(charset: str) -> None:
    form = part('name="model"', b"whisper-1", last=False) + part('name="prompt"', "für".encode())
    body, _ = await read([form], f"multipart/form-data; charset={charset}; boundary=B")
    assert body.options == {"model": "whisper-1", "prompt": "für"}


async def test_a_charset_that_can_be_read() -> None:
    form = part('name="prompt"', "für".encode("latin-1"))
    assert (await read([form], f"{FORM_TYPE}; charset=iso-8859-1"))[0].options == {"prompt": "für"}


@pytest.mark.parametrize(
    ("disposition", "headers", "says"),
    [
        (f'name="file"; filename="{"a" * 5000}.wav"', (), "limit of 4224 bytes; is the file's name that long?"),
        ('name="x"', tuple(f"X-{number}: y" for number in range(9)), "more than 8 headers, which is the limit"),
    ],
)
async def test_limits_are_told(disposition: str, headers: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadRequest, match=f"^the multipart body cannot be read: .*{re.escape(says)}$"):
        await read([part(disposition, b"RIFF", *headers)], FORM_TYPE, limit=10_000)


async def test_limits_of_the_whole_form_are_told() -> None:
    for boundary, form, says in (
        ("B" * 300, b"x", "Boundary length 300 exceeds maximum of 256"),
        ("B", part('name="x"', b"y" * 5_000_000), "Part exceeded maximum size of 4096KB"),
        ("B", part('name="x"', b"", last=False) * 1001, "Too many fields. Maximum number of fields is 1000"),
        (
            "B",
            part('name="x"; filename="y"', b"", last=False) * 1001,
            "Too many files. Maximum number of files is 1000",
        ),
    ):
        with pytest.raises(BadRequest, match=says):
            await read([form], f"multipart/form-data; boundary={boundary}", limit=10_000_000)


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
        monkeypatch.setattr("speechmlx.protocols.http.routing.read_body", broken)
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
