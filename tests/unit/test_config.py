"""Defaults < file < environment < flags, and clear words about what is wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from speechmlx import machine
from speechmlx.config import SIZES, Config, default_text
from speechmlx.config_sources import GivenSetting, gather, load
from speechmlx.errors import BadRequest
from speechmlx.log import LogSettings
from speechmlx.setting_values import parse_bytes


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('port = 1\nhost = "file"\nidle_unload = 5\n[models]\nasr = "whisper-base"\n')
    config = load({"port": 3, "host": None}, {"SPEECHMLX_PORT": "2", "SPEECHMLX_PRELOAD": "yes"}, file)
    assert config == Config(port=3, host="file", idle_unload=5.0, preload=True, models={"asr": "whisper-base"})


def test_where_settings_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_apple", lambda: False)  # the memory of a Mac is another source
    file = tmp_path / "config.toml"
    file.write_text('port = 1\nhost = "file"\n[models]\nasr = "whisper-base"\ntts = "kokoro"\n')
    environment = {"SPEECHMLX_PORT": "2", "SPEECHMLX_ASR": "whisper-small", "SERVER_API_KEY": "k"}
    given = gather({"host": "flag", "asr": None, "llm": "smollm2"}, environment, file)
    assert given == {
        "port": GivenSetting("2", "environment", "SPEECHMLX_PORT"),
        "host": GivenSetting("flag", "flag", "--host"),
        "api_key": GivenSetting("k", "environment", "SERVER_API_KEY"),
        "models.asr": GivenSetting("whisper-small", "environment", "SPEECHMLX_ASR"),
        "models.tts": GivenSetting("kokoro", "file", str(file)),
        "models.llm": GivenSetting("smollm2", "flag", "--llm"),
    }


def test_the_model_of_a_kind_wins_over_the_list_of_models() -> None:
    environment = {"SPEECHMLX_MODELS": "asr=whisper-base, tts=kokoro", "SPEECHMLX_ASR": "whisper-tiny"}
    assert load({}, environment).models == {"asr": "whisper-tiny", "tts": "kokoro"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SPEECHMLX_PROT", "SPEECHMLX_PROT: no such setting; did you mean SPEECHMLX_PORT"),
        ("SPEECHMLX_LOGLEVEL", "did you mean SPEECHMLX_LOG_LEVEL"),
        ("SPEECHMLX_ARS", "did you mean SPEECHMLX_ASR"),
    ],
)
def test_a_name_in_the_environment_that_is_none(name: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        load({}, {name: "1"})


def test_a_wrong_value_names_its_variable() -> None:
    with pytest.raises(BadRequest, match=r"port must be a whole number \(got 'x'\) \(from SPEECHMLX_PORT\)"):
        load({}, {"SPEECHMLX_PORT": "x"})
    with pytest.raises(BadRequest, match=r"port must be a whole number \(got 'x'\)$"):
        load({"port": "x"}, {})


def test_audio_may_be_missing_for_two_seconds_or_as_long_as_is_set() -> None:
    assert load({}, {}).audio_timeout == 2.0
    assert load({}, {"SPEECHMLX_AUDIO_TIMEOUT": "0"}).audio_timeout == 0.0


def test_the_default_file_is_read_when_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    (tmp_path / "speechmlx").mkdir()
    (tmp_path / "speechmlx/config.toml").write_text("port = 7")
    assert load({}, {"XDG_CONFIG_HOME": str(tmp_path)}).port == 7
    assert load({}, {"XDG_CONFIG_HOME": str(tmp_path / "none")}) == Config()


def test_the_default_lexicon_is_read_when_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert load({}, home).lexicon is None
    (tmp_path / "speechmlx").mkdir()
    (tmp_path / "speechmlx/lexicon.toml").write_text("")
    assert load({}, home).lexicon == tmp_path / "speechmlx/lexicon.toml"
    assert load({"lexicon": "~/own.toml"}, home).lexicon == Path("~/own.toml").expanduser()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "unknown setting prot; the settings are port, preload, "),
        ("port = [", "is not TOML"),
        ('port = "many"', "port must be a whole number \\(got 'many'\\) \\(from .*config.toml\\)"),
        ('memory_limit = "much"', "8GB"),
        ('log_level = "loud"', "log_level must be debug, info, warning or error"),
        ('preload = "perhaps"', "preload must be on or off \\(got 'perhaps'\\)"),
        ("idle_unload = -1", r"idle_unload must be 0 or more \(got -1"),
        ("idle_unload = nan", r"idle_unload must be 0 or more \(got nan\)"),
        ("memory_limit = -5", r"memory_limit must be 0 or more \(got -5\)"),
        ("models = 3", "models must be a table of a model for each kind"),
        ("port = 80.5", "port must be a whole number"),
        ("port = true", "port must be a whole number"),
        ("port = 65536", r"port must be between 0 and 65535 \(got 65536\)"),
        ("max_jobs = 0", "max_jobs must be 1 or more"),
        ("cache = 3", "cache must be a path"),
        ('models = "whisper-base"', "models is written like asr=whisper-base,tts=kokoro"),
        ('llm_url = "foo"', "'foo' is not the address of a server; write it like http"),
        ('llm_url = "http://"', "is not the address of a server"),
        ('host = ""', "host is empty; 127.0.0.1 is this machine alone"),
        ('host = " "', "host is empty"),
        (
            'allow_origin = "app.example"',
            "'app.example' is no origin to allow; write scheme and host alone, like https",
        ),
        ('allow_origin = ["https://app.example/page"]', "page' is no origin to allow"),
        ('allow_origin = ["https://app.example/"]', "no origin to allow"),
        ('allow_origin = "https://user@app.example"', "no origin to allow"),
        ('allow_origin = "https://app.example:many"', "no origin to allow"),
        ('allow_origin = "https://"', "no origin to allow"),
        ('allow_origin = "https://*.app.example"', "no origin to allow"),
        ('allow_origin = "http://localhost:*"', "no origin to allow"),
        ('allow_origin = "https://b\u00fccher.example"', "no origin to allow"),
        ("allow_origin = 3", "allow_origin must be a text, or a list of texts"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(BadRequest, match=words):
        load({}, {}, file)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://App.example, http://localhost:3000,", ("https://app.example", "http://localhost:3000")),
        (
            "https://app.example:443,http://[::1]:80,http://a:443",
            ("https://app.example", "http://[::1]", "http://a:443"),
        ),
        ("tauri://localhost,app://obsidian.md,file://", ("tauri://localhost", "app://obsidian.md", "file://")),
        ("null", ("null",)),
        ("*", ("*",)),
        ("", ()),
    ],
)
def test_origins_are_as_browsers_write_them(text: str, origins: tuple[str, ...]) -> None:
    assert load({}, {"SPEECHMLX_ALLOW_ORIGIN": text, "HOME": "/none"}).allow_origin == origins
    assert load({"allow_origin": tuple(text.split(","))}, {"HOME": "/none"}).allow_origin == origins


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        load({}, {}, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "nbytes"), [("1000", 1000), ("8GB", 8_000_000_000), ("512 MiB", 512 << 20), ("1.5k", 1500), ("2g", 2e9)]
)
def test_parse_bytes(text: str, nbytes: int) -> None:
    assert parse_bytes(text) == nbytes


def test_every_setting_has_help_and_a_default_to_show() -> None:
    for entry in fields(Config):
        assert entry.metadata["help"].endswith("."), entry.name
        assert default_text(entry), entry.name


def test_sizes_are_the_settings_in_bytes() -> None:
    assert SIZES == ("memory_limit", "job_storage", "max_audio_bytes", "max_text_bytes", "log_file_size")


def test_parse_bytes_refuses_the_rest() -> None:
    with pytest.raises(BadRequest, match="8GB"):
        parse_bytes("much")


@pytest.mark.parametrize(
    ("environment", "port", "bind"),
    [
        ({"PORT_WHISPERLIVE": "5050", "HTTP_PORT": "8081"}, 8080, ("whisperlive=5050", "hybrid=8081")),
        ({"PORT_WHISPERLIVE": "5050", "SPEECHMLX_BIND": "9000"}, 8080, ("9000", "whisperlive=5050")),
        ({"PORT_WHISPERLIVE": "5050", "SPEECHMLX_BIND": "whisperlive=9090"}, 8080, ("whisperlive=9090",)),
        ({"HTTP_PORT": "8080"}, 8080, ()),
        ({"HTTP_PORT": "0"}, 0, ("hybrid=0",)),
        ({"HTTP_PORT": " "}, 8080, ()),
    ],
)
def test_ports_under_other_servers_names(environment: dict[str, str], port: int, bind: tuple[str, ...]) -> None:
    assert load({"port": port}, environment).bind == bind


def test_a_port_under_another_servers_name_must_be_one() -> None:
    with pytest.raises(BadRequest, match="HTTP_PORT = 'many' is not a port"):
        load({}, {"HTTP_PORT": "many"})


def test_a_key_under_another_servers_name_and_ours_that_wins() -> None:
    assert load({}, {"SERVER_API_KEY": "a"}).api_key == ("a",)
    assert load({}, {"SERVER_API_KEY": "a", "SPEECHMLX_API_KEY": "b"}).api_key == ("b",)
    assert load({"api_key": ["c"]}, {"SERVER_API_KEY": "a"}).api_key == ("c",)
    assert load({}, {"SERVER_API_KEY": ""}).api_key == ()


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("on", "127.0.0.1:10300"),
        (True, "127.0.0.1:10300"),
        (10400, "127.0.0.1:10400"),
        ("0", "127.0.0.1:0"),
        ("0.0.0.0:10300", "0.0.0.0:10300"),
        ("[::1]:10300", "[::1]:10300"),
        ("mac.local:10300", "mac.local:10300"),
        ("off", None),
        (False, None),
        ("", None),
    ],
)
def test_the_address_for_home_assistant(written: str | int, address: str | None) -> None:
    assert load({"wyoming": written}, {}).wyoming == address
    assert load({}, {"SPEECHMLX_WYOMING": str(written)}).wyoming == address


@pytest.mark.parametrize("written", ["tcp://0.0.0.0:10300", "::1:10300", "10300:", "mac.local", "70000", "a b:1"])
def test_what_is_no_address_for_home_assistant(written: str) -> None:
    with pytest.raises(BadRequest, match=r"is not a valid address; write it like 0\.0\.0\.0:10300, 10300 or on"):
        load({"wyoming": written}, {})


def test_proxies_are_addresses_or_networks() -> None:
    given = {"SPEECHMLX_TRUSTED_PROXY": "127.0.0.1, 10.0.0.7/8,::1"}
    assert load({}, given).trusted_proxy == ("127.0.0.1/32", "10.0.0.0/8", "::1/128")
    for wrong in ("proxy.example", "10.0.0.0/33", "*"):
        with pytest.raises(BadRequest, match=r"is no address of a proxy; write one like 127\.0\.0\.1"):
            load({"trusted_proxy": [wrong]}, {})


def test_the_settings_of_the_log() -> None:
    assert load({}, {}).log == LogSettings("info", "auto", "", 20_000_000, 5)
    environment = {"SPEECHMLX_LOG_FILE_SIZE": "1MB", "SPEECHMLX_LOG_FILES_KEPT": "2", "HOME": "/home/me"}
    found = load({"log_file": "~/server.log", "log_format": "json", "log_level": "debug"}, environment).log
    assert found == LogSettings("debug", "json", str(Path("~/server.log").expanduser()), 1_000_000, 2)
    assert load({"log_file": "server.log"}, {}).log.file == str(Path.cwd() / "server.log")
    assert LogSettings.from_text(found.to_text()) == found
    with pytest.raises(BadRequest, match="log_format must be auto, text or json \\(got 'xml'\\)"):
        load({"log_format": "xml"}, {})


@pytest.mark.parametrize(
    ("written", "voices"),
    [
        (
            "narrator=af_bella*0.7+af_sky*0.3, alloy = bm_george",
            {"narrator": "af_bella*0.7+af_sky*0.3", "alloy": "bm_george"},
        ),
        ("", {}),
    ],
)
def test_names_for_voices(written: str, voices: dict[str, str], tmp_path: Path) -> None:
    assert load({}, {"SPEECHMLX_VOICES": written}).voices == voices
    file = tmp_path / "config.toml"
    file.write_text("[voices]\n" + "".join(f'{name} = "{voice}"\n' for name, voice in voices.items()))
    assert load({}, {}, file).voices == voices


@pytest.mark.parametrize("written", ["narrator", "=af_sky", "narrator=", "a=b,a=c"])
def test_what_is_no_name_for_a_voice(written: str) -> None:
    with pytest.raises(BadRequest, match=r"voices is written like narrator=.*\(from SPEECHMLX_VOICES\)"):
        load({}, {"SPEECHMLX_VOICES": written})


@pytest.mark.parametrize(
    ("written", "spoken"),
    [("de,fr", ("de", "fr")), (" German , de-AT,yue", ("de", "yue")), ("", ()), ("any", ()), ("auto", ())],
)
def test_languages_that_people_speak(written: str, spoken: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'languages = ["{written}"]\n')
    assert load({}, {}, file).languages == load({}, {"SPEECHMLX_LANGUAGES": written}).languages == spoken
    assert load({"languages": [written]}, {}).languages == spoken
    assert load({"languages": written.split(",")}, {"SPEECHMLX_LANGUAGES": "en"}).languages == spoken


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('"de,germn"', r"^languages: 'germn' is no language .*did you mean 'de'.*, zh \(from /.*config\.toml\)$"),
        ("3", "languages is written like de,fr, or is a list of texts"),
        ("[1]", "languages is written like"),
    ],
)
def test_what_is_no_language(written: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"languages = {written}\n")
    with pytest.raises(BadRequest, match=says):
        load({}, {}, file)
