"""Multipart forms as clients write them: which part is the recording, and what limits there are."""

from __future__ import annotations

import base64
import re

import pytest
from support.bodies import FORM, FORM_TYPE, SOUND, part, read_chunks

from speechmlx.errors import BadRequest


async def test_a_form_with_a_file_that_holds_line_ends_and_almost_the_boundary() -> None:
    for size in (1, 7, len(FORM)):
        chunks = [FORM[start : start + size] for start in range(0, len(FORM), size)]
        body, upload = await read_chunks(chunks, "multipart/form-data; boundary=B", query="model=q&voice=v")
        assert (body.options, upload) == ({"model": "m", "voice": "v"}, b"RIFF\r\n\r\n--Bx")


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
    body, upload = await read_chunks([form + part(disposition, SOUND, *headers)], FORM_TYPE)
    assert (body.options, upload, body.filename) == ({"model": "m"}, SOUND, name)


async def test_a_long_file_without_a_name_is_read() -> None:
    sound = bytes(range(256)) * 20_000
    assert (await read_chunks([part('name="file"', sound)], FORM_TYPE, limit=10**7))[1] == sound
    encoded = base64.encodebytes(sound)
    assert (await read_chunks([part('name="file"', encoded)], FORM_TYPE, limit=10**7))[1] == sound


async def test_a_part_in_base64_is_decoded() -> None:
    coded = part('name="file"; filename="a.wav"', b"UklG\r\nRg==", "Content-Transfer-Encoding: base64")
    assert (await read_chunks([coded], FORM_TYPE))[1] == b"RIFF"


async def test_text_of_any_type_is_an_option() -> None:
    for kind in ("text/plain", "application/octet-stream", "multipart/form-data", "application/json", "audio/wav"):
        body, upload = await read_chunks([part('name="model"', b"m", f"Content-Type: {kind}")], FORM_TYPE)
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
            body, upload = await read_chunks([form], FORM_TYPE)
            assert upload == SOUND and body.filename in ("a.wav", "") and not body.options


@pytest.mark.parametrize(
    ("name", "kind"), [("a.wav", ""), ("a.flac", "application/octet-stream"), ("", "audio/mpeg"), ("a", "audio/ogg")]
)
async def test_of_files_of_other_names_the_recording_is_the_one_of_a_type_of_sound(name: str, kind: str) -> None:
    notes = part('name="a"; filename="notes.txt"', b"notes", last=False)
    film = part('name="b"; filename="film.mp4"', b"\0ftyp", last=False)
    sound = part(f'name="c"; filename="{name}"', SOUND, *([f"Content-Type: {kind}"] if kind else []))
    body, upload = await read_chunks([notes + film + sound], FORM_TYPE)
    assert (upload, body.filename) == (SOUND, name)


@pytest.mark.parametrize(
    "charset", ["utf-8", "punycode", "idna", "undefined", "utf-16", "rot13", "zlib", "none", '""', ""]
)
async def test_a_charset_that_no_form_can_have_is_utf_8(charset: str) -> None:
    form = part('name="model"', b"whisper-1", last=False) + part('name="prompt"', "für".encode())
    body, _ = await read_chunks([form], f"multipart/form-data; charset={charset}; boundary=B")
    assert body.options == {"model": "whisper-1", "prompt": "für"}


async def test_a_charset_that_can_be_read() -> None:
    form = part('name="prompt"', "für".encode("latin-1"))
    assert (await read_chunks([form], f"{FORM_TYPE}; charset=iso-8859-1"))[0].options == {"prompt": "für"}


@pytest.mark.parametrize(
    ("disposition", "headers", "says"),
    [
        (f'name="file"; filename="{"a" * 5000}.wav"', (), "limit of 4224 bytes; is the file's name that long?"),
        ('name="x"', tuple(f"X-{number}: y" for number in range(9)), "more than 8 headers, which is the limit"),
    ],
)
async def test_limits_are_told(disposition: str, headers: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadRequest, match=f"^the multipart body cannot be read: .*{re.escape(says)}$"):
        await read_chunks([part(disposition, b"RIFF", *headers)], FORM_TYPE, limit=10_000)


async def test_limits_of_the_whole_form_are_told() -> None:
    for boundary, form, says in (
        ("B" * 300, b"x", "Boundary length 300 exceeds maximum of 256"),
        ("B", part('name="x"', b"y" * 5_000_000), "its text fields are over the limit of 4 MB"),
        ("B", part('name="x"', b"", last=False) * 1001, "Too many fields. Maximum number of fields is 1000"),
        (
            "B",
            part('name="x"; filename="y"', b"", last=False) * 65,
            "Too many files. Maximum number of files is 64",
        ),
    ):
        with pytest.raises(BadRequest, match=says):
            await read_chunks([form], f"multipart/form-data; boundary={boundary}", limit=10_000_000)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=C"])
async def test_a_form_that_cannot_be_read(kind: str) -> None:
    with pytest.raises(BadRequest, match="multipart"):
        await read_chunks([FORM], kind)


@pytest.mark.parametrize(
    "charset",
    ["punycode", "idna", "utf-7", "utf-16", "undefined", "unicode_escape", "hex", "rot13", "zlib", "mbcs", "x" * 300],
)
async def test_any_charset_is_read_or_refused(charset: str) -> None:
    """In the form's own type, and in a file's name."""
    for text in (b"caf\xe9 +AGE- xn--a", "日本".encode(), b"\\N{no such}"):
        name = f"filename*={charset}''%c3%a9+AGE-xn--%ff"
        form = part('name="model"', text, last=False) + part(f'name="file"; {name}', SOUND)
        for type in (FORM_TYPE, f"{FORM_TYPE}; charset={charset}"):
            try:
                body, upload = await read_chunks([form], type)
            except BadRequest:
                continue
            assert body.options["model"] and upload == SOUND
