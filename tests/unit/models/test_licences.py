from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from speechmlx.config import Config
from speechmlx.errors import BadRequest, LicenceNotAccepted, Unsupported
from speechmlx.models.catalog import CATALOG
from speechmlx.models.licences import Licences
from speechmlx.types import Load, Speak, Unload

LIMITED = CATALOG.resolve("f5-tts")
FREE = CATALOG.resolve("kokoro")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A person without settings."""
    return {"HOME": str(tmp_path)}


def licences(home: dict[str, str], *given: str) -> Licences:
    return Licences(Config(accept_licence=given), home)


@pytest.mark.parametrize(
    ("licence", "name", "limited"),
    [
        ("CC-BY-NC-4.0: no commercial use", "CC-BY-NC-4.0", True),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0", True),
        ("cc-by-nc-nd-4.0", "cc-by-nc-nd-4.0", True),
        ("Somebody's Non-Commercial License, v2", "Somebody's Non-Commercial License", True),
        ("Research only", "Research only", True),
        ("CC-BY-4.0", "CC-BY-4.0", False),
        ("FunASR Model Open Source License: name the origin", "FunASR Model Open Source License", False),
        ("NVIDIA Open Model License, gated: see docs/models.md", "NVIDIA Open Model License", False),
        ("Apache-2.0 AND MIT", "Apache-2.0 AND MIT", False),
        ("as its repository says", "as its repository says", False),
    ],
)
def test_which_licences_forbid_some_uses(licence: str, name: str, limited: bool) -> None:
    row = replace(FREE, licence=licence)
    assert (row.licence_name, row.limits_use) == (name, limited)


def test_no_model_of_a_profile_is_affected(home: dict[str, str]) -> None:
    for profile in CATALOG.profiles:
        for name in CATALOG.models_of(profile):
            licences(home).require(CATALOG.resolve(name))


def test_it_is_required_until_it_is_accepted(home: dict[str, str], tmp_path: Path) -> None:
    server, verb = licences(home), licences(home)
    says = r"f5-tts .*: CC-BY-NC-4.0: no commercial use.*`audio-server pull f5-tts`.*`.*--accept-licence CC-BY-NC-4.0`"
    for request in (None, Load(model="f5-tts"), Speak(text="hello")):
        with pytest.raises(LicenceNotAccepted, match=says):
            server.require(LIMITED, request)
    server.require(LIMITED, Unload(model="f5-tts"))
    verb.accept(LIMITED)
    verb.accept(LIMITED)
    server.require(LIMITED)
    licences(home).require(CATALOG.resolve("f5-tts-v1"))
    (kept,) = tmp_path.rglob("licences/*")
    assert kept.name == "cc-by-nc-4.0" and stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert "for f5-tts" in kept.read_text()
    with pytest.raises(LicenceNotAccepted):
        licences(home).require(replace(LIMITED, licence="CC-BY-NC-SA-4.0"))


def test_a_setting_accepts_while_it_is_there(home: dict[str, str], tmp_path: Path) -> None:
    licences(home, "MIT", "cc-by-nc-4.0").require(LIMITED)
    assert not list(tmp_path.rglob("licences"))
    with pytest.raises(LicenceNotAccepted):
        licences(home, "CC-BY-NC").require(LIMITED)


def test_a_default_model_of_the_settings_is_looked_at(home: dict[str, str]) -> None:
    config = Config(models={"tts": "F5-TTS", "asr": "nobody"})
    with pytest.raises(LicenceNotAccepted):
        licences(home).require_chosen(CATALOG, config)
    licences(home, LIMITED.licence_name).require_chosen(CATALOG, config)


def test_a_name_of_a_card_stays_in_the_folder(home: dict[str, str], tmp_path: Path) -> None:
    row = replace(LIMITED, licence="../../nc")
    licences(home).accept(row)
    assert licences(home).accepted(row)
    assert [path.name for path in tmp_path.rglob("*nc")] == ["..-..-nc"]


def test_what_cannot_be_remembered_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = {"HOME": str(tmp_path / "file"), "XDG_CONFIG_HOME": str(tmp_path / "file")}
    with pytest.raises(BadRequest, match=r"CC-BY-NC-4\.0 is accepted cannot be written to"):
        licences(nowhere).accept(LIMITED)


def test_what_cannot_run_is_told_first(home: dict[str, str]) -> None:
    with pytest.raises(Unsupported, match="cannot run here"):
        licences(home).require(replace(LIMITED, refusal="it is a fable"))
