from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT as PUBLIC

from speechmlx.models.pip_config import Indexes, _pip_files, _read_pip, _read_uv, _uv_files, indexes

A, B, C, D = (f"https://{name}.test/simple/" for name in "abcd")


@pytest.mark.parametrize(
    ("env", "pip", "uv", "urls"),
    [
        ({}, {}, {}, (PUBLIC,)),
        ({"PIP_INDEX_URL": A.rstrip("/")}, {"index-url": B}, {}, (A,)),
        ({}, {"index-url": B, "extra-index-url": f"{C}\n{D}"}, {}, (B, C, D)),
        ({"PIP_EXTRA_INDEX_URL": f"{A} {B}"}, {}, {}, (PUBLIC, A, B)),
        ({"UV_INDEX_URL": A, "PIP_INDEX_URL": B}, {}, {}, (A,)),
        ({"UV_DEFAULT_INDEX": A, "UV_INDEX_URL": B, "UV_INDEX": f"mine={C} {D}"}, {}, {}, (A, C, D)),
        ({}, {}, {"index": [{"name": "x", "url": A}, {"url": B, "default": True}]}, (B, A)),
        ({}, {}, {"index-url": A, "extra-index-url": [B, C]}, (A, B, C)),
        ({}, {}, {"pip": {"index-url": A, "extra-index-url": [B]}}, (A, B)),
        ({"PIP_NO_INDEX": "1", "PIP_INDEX_URL": A}, {}, {}, ()),
        ({"UV_DEFAULT_INDEX": f"mine={A}", "UV_INDEX_MINE_USERNAME": "me", "UV_INDEX_MINE_PASSWORD": "s/t"}, {}, {},
         ("https://me:s%2Ft@a.test/simple/",)),
        ({"UV_INDEX_X_PASSWORD": "p"}, {}, {"index": [{"name": "x", "url": A}]}, (PUBLIC, "https://:p@a.test/simple/")),
    ],
)  # fmt: skip
def test_urls(env: dict[str, str], pip: dict[str, str], uv: dict[str, Any], urls: tuple[str, ...]) -> None:
    assert indexes(env, pip, uv).urls == urls


@pytest.mark.parametrize(
    ("env", "pip", "cert"),
    [({}, {}, None), ({}, {"cert": "/a"}, "/a"), ({"SSL_CERT_FILE": "/b"}, {"cert": "/a"}, "/b"),
     ({"PIP_CERT": "/c", "SSL_CERT_FILE": "/b"}, {}, "/c")],
)  # fmt: skip
def test_certificates(env: dict[str, str], pip: dict[str, str], cert: str | None) -> None:
    assert indexes(env, pip, {}).cert == cert


def test_files_of_pip(tmp_path: Path) -> None:
    weak, strong, broken = tmp_path / "weak", tmp_path / "strong", tmp_path / "broken"
    weak.write_text(f"[global]\nindex-url = {A}\ncert = /a\n[install]\nextra-index-url =\n    {B}\n    {C}\n")
    strong.write_text(f"[global]\nindex_url = {D}\n")
    broken.write_text("index-url = no section")
    read = _read_pip([weak, broken, strong, tmp_path / "absent"])
    assert indexes({}, read, {}) == Indexes((D, B, C), "/a")


def test_files_of_uv(tmp_path: Path) -> None:
    weak, strong, broken = tmp_path / "weak", tmp_path / "strong", tmp_path / "broken"
    weak.write_text(f'index-url = "{A}"\nextra-index-url = ["{B}"]\n')
    strong.write_text(f'index-url = "{C}"\n')
    broken.write_text("index-url = ")
    assert indexes({}, {}, _read_uv([weak, broken, strong, tmp_path / "absent"])).urls == (C, B)


def test_settings_that_name_files(tmp_path: Path) -> None:
    assert _pip_files({"PIP_CONFIG_FILE": str(tmp_path)})[-1] == tmp_path
    assert _pip_files({"PIP_CONFIG_FILE": "/dev/null"}) == []
    assert _uv_files({"UV_CONFIG_FILE": str(tmp_path)}) == [tmp_path]
    assert _uv_files({"UV_NO_CONFIG": "1"}) == []
    assert _uv_files({"XDG_CONFIG_HOME": str(tmp_path)})[-1] == tmp_path / "uv" / "uv.toml"
