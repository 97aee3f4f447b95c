"""What is set and where, the files that settings name, and who reaches the server."""

from __future__ import annotations

from pathlib import Path

from support.patients import patient

from speechmlx.config import Config
from speechmlx.config_sources import build, gather
from speechmlx.doctor.chosen import check_given, check_named_files, check_open, open_addresses


def test_what_is_set_and_where(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('port = 9000\napi_key = "secret"\n')
    environment = {"HOME": str(tmp_path), "SPEECHMLX_ASR": "whisper-tiny"}
    given = gather({}, environment, file)
    where, chosen = check_given(patient(config=build(given, environment), environment=environment), given, file)
    assert where.text == str(file)
    assert (
        chosen.text == f"set: port = 9000 ({file}); api_key = ••• ({file}); models.asr = whisper-tiny (SPEECHMLX_ASR)"
    )


def test_who_reaches_the_server(tmp_path: Path) -> None:
    (near,) = check_open(patient(config=Config(bind=("[::1]:5050", "127.0.0.1:5051"))))
    assert near.state == "ok" and "this machine alone" in near.text
    wide = Config(host="0.0.0.0", wyoming="192.168.1.2:10300")
    assert open_addresses(patient(config=wide)) == ["0.0.0.0:8080", "192.168.1.2:10300"]
    (warned,) = check_open(patient(config=wide))
    assert warned.state == "warning" and "key add" in warned.to_do
    (keyed,) = check_open(patient(config=Config(host="0.0.0.0", api_key=("k",))))
    assert keyed.state == "ok"


def test_files_that_are_wrong(tmp_path: Path) -> None:
    keys, lexicon = tmp_path / "keys.json", tmp_path / "lexicon.toml"
    lexicon.write_text('[en]\nNguyen = "win"\n')
    missing = Config(lexicon=lexicon, key_file=keys, tls_cert=tmp_path / "none.pem")
    fine, absent = check_named_files(patient(config=missing))
    assert (
        fine.text == f"1 entries in {lexicon}" and absent.state == "problem" and "none.pem is not there" in absent.text
    )
    keys.write_text("{")
    (wrong,) = check_named_files(patient(config=Config(key_file=keys)))
    assert wrong.state == "problem" and "keys.json" in wrong.text
