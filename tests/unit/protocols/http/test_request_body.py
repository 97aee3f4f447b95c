"""Request bodies by their type and their beginning; limits, stalls, and clients that leave."""

from __future__ import annotations

import base64

import pytest
from starlette.requests import ClientDisconnect
from support.bodies import FORM, read_chunks

from speechmlx.errors import BadRequest, TooLarge
from speechmlx.protocols.http.request_body import Body


async def test_raw_audio_with_a_query() -> None:
    body, upload = await read_chunks([b"RI", b"FF"], "audio/wav", query="model=a&language=en")
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
    assert await read_chunks([], kind, query="model=a&x=") == (Body({"model": "a"}, None, (("model", "a"),)), None)


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
    assert (await read_chunks([body], kind, query="language=en&model="))[0].options == {"language": "en", "voice": "v"}


async def test_every_value_of_a_field_is_kept() -> None:
    body, _ = await read_chunks([b"a=1&a=2&b[]=3"], "application/x-www-form-urlencoded", query="a=0&c=4&c=5")
    assert body.options == {"a": "2", "b[]": "3", "c": "5"}
    assert body.form == (("c", "4"), ("c", "5"), ("a", "1"), ("a", "2"), ("b[]", "3"))


async def test_base64_whose_plus_was_not_encoded() -> None:
    assert (await read_chunks([b"file=+/+/&x=a+b"], "application/x-www-form-urlencoded"))[1] == b"\xfb\xff\xbf"


@pytest.mark.parametrize("start", [b"{\x00\x01", b"{ wav", b"{\xff\x00\x12", b'\x01{"', b"data\x00"])
async def test_sound_that_begins_like_json_is_sound(start: bytes) -> None:
    assert (await read_chunks([start + bytes(80)], "application/octet-stream"))[1] == start + bytes(80)


async def test_json_overrides_the_query_and_null_is_absent() -> None:
    body, upload = await read_chunks(
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
    assert (await read_chunks([text.encode()], "application/json"))[0].options == options_


@pytest.mark.parametrize("text", ['{"a": b"x"}', '{"a": {1}}', '{"a": 1j}', '{"a": open("x")}', '{"a": ' + "-" * 800])
async def test_what_neither_is_json(text: str) -> None:
    with pytest.raises(BadRequest, match="not valid JSON"):
        await read_chunks([text.encode()], "application/json")


@pytest.mark.parametrize(
    "text", [r'{"a": "\ud800"}', r'{"\udfff": 1}', r'{"a": [{"b": "x\ud800"}]}', '{"a": "\ud800"}']
)
async def test_half_a_character_is_refused(text: str) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        with pytest.raises(BadRequest, match="half of a character"):
            await read_chunks([text.encode("utf-8", "surrogatepass")], kind)
    assert (await read_chunks([rb'{"a": "\ud83d\ude00"}'], "application/json"))[0].options == {"a": "😀"}


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
    body, found = await read_chunks([data], "application/x-www-form-urlencoded")
    assert (body.options, found) == (options_, upload)


@pytest.mark.parametrize("kind", ["audio/wav", "application/json", "multipart/form-data; boundary=B"])
async def test_over_the_limit(kind: str) -> None:
    with pytest.raises(TooLarge, match="limit"):
        await read_chunks([FORM[:140], b"x" * 900], kind)
    with pytest.raises(TooLarge, match="limit"):
        await read_chunks([], kind, length=1001)


@pytest.mark.parametrize("kind", ["audio/wav", "application/json", "multipart/form-data; boundary=B"])
async def test_a_client_that_leaves_midway(kind: str) -> None:
    with pytest.raises(ClientDisconnect):
        await read_chunks([FORM[:90]], kind, whole=False)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"[" + b"[]," * 100_000, "more than 250000 brackets, commas and strings"),
        (b'{"a":' * 5_000, "more than 100 lists and objects inside each other"),
        (b'{"a": "' + b'\\"' * 300_000 + b'"}', "more than 250000 brackets, commas and strings"),
    ],
    ids=["lists", "deep", "quotes"],
)
async def test_json_of_too_many_values_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        await read_chunks([body], "application/json", limit=len(body))


async def test_text_in_json_is_bounded_and_a_recording_is_not() -> None:
    recording = b"UklGRg==" * (1 << 20)
    with pytest.raises(TooLarge, match="more than 4 MB that are no recording"):
        await read_chunks([b'{"x": "', recording, b'"}'], "application/json", limit=1 << 24)
    text = b'{"prompt": "' + b"\\u00e9" * 20_000 + b'", "file": "' + b"UklG" * (1 << 21) + b'"}'
    body, upload = await read_chunks([text], "application/json", limit=1 << 24)
    assert body.options == {"prompt": "é" * 20_000} and upload == b"RIF" * (1 << 21)


@pytest.mark.parametrize("line", [b"\n", b"\\n", b"\\r\\n", b" \t"])
@pytest.mark.parametrize("field", [b'"audio": "%b"', b'"input_audio": {"data": "%b"}'])
async def test_a_long_recording_may_have_line_breaks_and_escapes(field: bytes, line: bytes) -> None:
    data = bytes(range(256)) * 1200
    encoded = base64.b64encode(data)
    lines = line.join(encoded[start : start + 76] for start in range(0, len(encoded), 76))
    body = b"{" + field % lines.replace(b"/", b"\\/").replace(b"+", b"\\u002B") + b"}"
    assert (await read_chunks([body], "application/json", limit=1 << 22))[1] == data


async def test_urlencoded_forms_are_bounded() -> None:
    kind = "application/x-www-form-urlencoded"
    with pytest.raises(TooLarge, match="over the limit of 1 MB"):
        await read_chunks([b"a=1&" * 300_000], kind, limit=1 << 22)
    with pytest.raises(BadRequest, match="more than 1000 fields"):
        await read_chunks([b"a=1&" * 1001], kind, limit=1 << 22)
    assert (await read_chunks([b"a=1&" * 999 + b"a=1"], kind, limit=1 << 22))[0].options == {"a": "1"}


async def test_a_length_of_digits_without_end() -> None:
    with pytest.raises(TooLarge, match="limit"):
        await read_chunks([b"x"], "audio/wav", length="9" * 5000)
    _, upload = await read_chunks([b"x"], "audio/wav", length="²")
    assert upload == b"x"
