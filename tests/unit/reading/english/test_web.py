"""Addresses of the web, files, paths, code words."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("my-site.co.uk", "my dash site dot co dot u k"),
    ("docs.rs and file.txt and Node.js", "docs dot r s and file dot t x t and node dot j s"),
    ("https://example.com/a?b=1", "example dot com slash a question mark b equals one"),
    ("john.doe_99@mail.example.org", "john dot doe underscore ninety nine at mail dot example dot org"),
    ("www.example.com", "w w w dot example dot com"),
    ("example.com:8080", "example dot com colon eighty eighty"),
    ("@user_name", "at user underscore name"),
    ("#ThrowbackThursday", "hashtag throwback thursday"),
    ("README.md", "read me dot m d"),
    ("main.py", "main dot p y"),
    ("/usr/bin", "slash user slash bin"),
    ("C:\\Users\\Bob", "c colon backslash users backslash bob"),
    ("snake_case", "snake underscore case"),
    ("a == b", "a equals equals b"),
    ("--flag", "dash dash flag"),
    ("-v", "dash v"),
    ("foo()", "foo"),
    ("getName()", "get name"),
    ("C#", "c sharp"),
    ("i++", "i plus plus"),
    ("os.path.join", "os dot path dot join"),
    ("Go to x.com. Then stop.", "go to x dot com then stop"),
    ("end.Next", "end next"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_web(text: str, reading: str) -> None:
    assert said(words(text)) == reading
