"""The file of named keys: what is written, who may read it, what is refused, and changes that are seen."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from speechmlx.errors import BadRequest
from speechmlx.key_file import ClientLimits, KeyFile, NamedKey, digest, make_key

GOOD = {"name": "bob", "sha256": "0" * 64}


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "settings" / "keys.json")


def test_a_key_comes_back_and_its_text_is_nowhere(file: KeyFile) -> None:
    key, text = make_key("bob", ["use", "metrics", "use"], ClientLimits(sessions=2))
    file.add(key)
    assert file.read() == (NamedKey("bob", digest(text), ("use", "metrics"), ClientLimits(sessions=2)),)
    assert text not in file.path.read_text() and len(text) >= 43 + 4
    assert file.path.stat().st_mode & 0o777 == 0o600 and file.path.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(os.listdir(file.path.parent)) == ["keys.json", "keys.json.lock"]
    assert make_key("bob", ["use"], ClientLimits())[1] != text


def test_a_name_is_there_once_and_must_be_there_to_go(file: KeyFile) -> None:
    file.add(make_key("bob", ["use"], ClientLimits())[0])
    with pytest.raises(BadRequest, match="already"):
        file.add(make_key("bob", ["use"], ClientLimits())[0])
    with pytest.raises(BadRequest, match="no key 'eve'; keys: bob"):
        file.remove("eve")
    file.remove("bob")
    assert file.read() == () and file.exists and file.current() == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an object"),
        ({"keys": {}}, "not an object"),
        ({"keys": [1]}, "is no key"),
        ({"keys": [{**GOOD, "name": "a b"}]}, "no name of a key"),
        ({"keys": [{**GOOD, "sha256": "key"}]}, "64 hexadecimal"),
        ({"keys": [{**GOOD, "scopes": ["all"]}]}, "scopes: use, manage, metrics"),
        ({"keys": [{**GOOD, "scopes": []}]}, "scopes: use, manage, metrics"),
        ({"keys": [{**GOOD, "scopes": [[]]}]}, "scopes: use, manage, metrics"),
        ({"keys": [{**GOOD, "jobs": 0}]}, "allowed is 1 and more"),
        ({"keys": [{**GOOD, "jobs": True}]}, "allowed is 1 and more"),
        ({"keys": [{**GOOD, "limit": 1}]}, "a key has no 'limit'"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(file: KeyFile, content: Any, said: str) -> None:
    file.add(make_key("bob", ["use"], ClientLimits())[0])
    before = file.current()
    assert before is not None and len(before) == 1
    file.path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(BadRequest, match=said):
        file.read()
    with pytest.raises(BadRequest, match=said):
        file.remove("bob")
    assert file.current() == before


def test_a_change_is_seen_and_a_file_that_goes_leaves_its_keys(file: KeyFile) -> None:
    assert file.current() is None
    for name in ("a", "b"):
        KeyFile(file.path).add(make_key(name, ["use"], ClientLimits())[0])
        assert [key.name for key in file.current() or ()][-1] == name
    file.path.unlink()
    assert len(file.current() or ()) == 2


def test_a_first_file_that_is_wrong_opens_to_nobody(file: KeyFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("{")
    assert file.current() == ()


def test_two_who_add_at_once_both_stay(file: KeyFile) -> None:
    made = [make_key(f"key-{number}", ["use"], ClientLimits())[0] for number in range(12)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda key: KeyFile(file.path).add(key), made))
    assert sorted(key.name for key in file.read()) == sorted(key.name for key in made)
