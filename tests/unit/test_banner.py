"""What is said at the start: five lines with "Ready", an address to open, and a warning where others can come in."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from speechmlx.banner import Door, banner, check_keys
from speechmlx.certificate import certificate
from speechmlx.config import Config
from speechmlx.errors import BadRequest
from speechmlx.models import store
from speechmlx.models.catalog import CATALOG

Listen = Callable[..., Door]


@pytest.fixture
def listen() -> Iterator[Listen]:
    with ExitStack() as stack:

        def door(host: str, name: str = "") -> Door:
            listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            stack.callback(listener.close)
            listener.bind((host, 0))
            return Door(listener, name)

        yield door


def lines(*doors: Door, cache: Path, wyoming: Door | None = None, api_key: tuple[str, ...] = ()) -> list[str]:
    return banner(doors, Config(profile="starter", cache=cache, api_key=api_key), CATALOG, wyoming)


def test_five_lines_with_ready(listen: Listen, tmp_path: Path) -> None:
    door = listen("127.0.0.1")
    told = lines(door, cache=tmp_path)
    port = door.listener.getsockname()[1]
    assert told == [
        f"Starting server on http://127.0.0.1:{port} - open it in a browser",
        "Models: whisper-base (150 MB), kokoro-82m (92 MB), deepfilternet3 (13 MB), silero-vad (11 MB), "
        "smart-turn-v3 (12 MB), smollm2-135m-instruct (93 MB), ecapa-diarizer (94 MB) fetched when first used",
        f"Docs: http://127.0.0.1:{port}/docs",
        "Log: on standard error, from level info",
    ]


def test_models_that_are_here_are_told_from_those_that_are_not(
    listen: Listen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "folder", lambda row, cache: cache if row.name == "silero-vad" else None)
    assert lines(listen("127.0.0.1"), cache=tmp_path)[1].startswith("Models: silero-vad here; whisper-base (150 MB), ")


@pytest.mark.parametrize(("host", "opened"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_open_to_every_network(listen: Listen, tmp_path: Path, host: str, opened: str) -> None:
    door = listen(host)
    told = lines(door, cache=tmp_path)
    port = door.listener.getsockname()[1]
    assert told[0].startswith(f"Starting server on http://{opened}:{port} ")
    assert told[2] == f"Docs: http://{opened}:{port}/docs"
    found = re.fullmatch(r"Open to the network: anybody who reaches (http://\S+) can .* without a password", told[-1])
    assert found and found[1].endswith(f":{port}")
    assert not re.search(r"//(0\.0\.0\.0|\[::\]|127\.0\.0\.1|\[::1\])", told[-1])


def test_a_key_is_asked_for(listen: Listen, tmp_path: Path) -> None:
    told = lines(listen("0.0.0.0"), cache=tmp_path, api_key=("secret",))
    assert told[-1].endswith("can use this server, with an API key, which is sent in the clear")


def test_more_addresses_have_a_line_each(listen: Listen, tmp_path: Path) -> None:
    one, plain, hybrid = listen("127.0.0.1"), listen("127.0.0.1"), listen("0.0.0.0", "hybrid")
    told = lines(one, plain, hybrid, cache=tmp_path)
    assert told[1:3] == [f"Also on {plain.url}", f"Also on {hybrid.url} for hybrid"]
    assert told[-1].startswith(f"Open to the network: anybody who reaches {hybrid.outside} can ")


def test_home_assistants_address_comes_after_the_others(listen: Listen, tmp_path: Path) -> None:
    door, other, wyoming = listen("127.0.0.1"), listen("127.0.0.1", "hybrid"), listen("127.0.0.1")
    wyoming = replace(wyoming, name="wyoming", scheme="tcp")
    told = lines(door, other, cache=tmp_path, wyoming=wyoming)
    assert told[2] == f"Wyoming on tcp://127.0.0.1:{wyoming.listener.getsockname()[1]} for Home Assistant"
    assert told[1].startswith("Also on ") and told[3].startswith("Models: ")
    assert not any(line.startswith("Open to the network") for line in told)


def test_wyoming_is_open_to_the_network_whatever_the_keys(listen: Listen, tmp_path: Path) -> None:
    wyoming = replace(listen("0.0.0.0"), name="wyoming", scheme="tcp")
    (told,) = [line for line in lines(listen("127.0.0.1"), cache=tmp_path, wyoming=wyoming) if "Open to" in line]
    assert told.startswith("Open to the network: Wyoming has no keys, so anybody who reaches tcp://")
    assert f":{wyoming.listener.getsockname()[1]} can use its models" in told


def test_a_self_signed_certificate_is_told_and_a_key_is_not_sent_in_the_clear(listen: Listen, tmp_path: Path) -> None:
    door = replace(listen("0.0.0.0"), scheme="https")
    (tmp_path / "keys.json").write_text('{"keys": []}')
    made = certificate(Config(tls_self_signed=True), tmp_path)
    config = Config(profile="starter", cache=tmp_path, key_file=tmp_path / "keys.json")
    told = banner([door], config, CATALOG, tls=made)
    assert made is not None and told[0].startswith("Starting server on https://127.0.0.1:")
    assert f"TLS: self-signed certificate {made.cert}, SHA-256 {made.fingerprint}" in told
    assert re.search(r"anybody who reaches https://\S+ can use this server, with an API key$", "\n".join(told), re.M)


def test_require_key_looks_at_every_door(listen: Listen, tmp_path: Path) -> None:
    near, far = listen("127.0.0.1"), listen("0.0.0.0")
    wyoming = replace(far, name="wyoming", scheme="tcp")
    strict, keyed = Config(require_key=True), Config(require_key=True, api_key=("k",))
    check_keys([near], strict, replace(near, name="wyoming"))
    check_keys([near, far], keyed, None)
    check_keys([near, far], Config(), wyoming)
    with pytest.raises(BadRequest, match="there is no key"):
        check_keys([near, far], strict, None)
    with pytest.raises(BadRequest, match="its protocol has no keys"):
        check_keys([near, far], keyed, wyoming)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (Config(profile="standard", languages=("de", "fr")), "Languages: de, fr, so parakeet-tdt-0.6b-v3, nemotron-"),
        (Config(profile="large", languages=("zh",)), "qwen3-forced-aligner-0.6b for the times of words"),
        (Config(profile="starter", languages=("de",)), "Languages: de; the profile starter took whisper-base without"),
        (
            Config(profile="standard", languages=("de",), models={"asr": "whisper-medium"}),
            "Languages: de; the settings took whisper-medium without asking for them",
        ),
    ],
)
def test_what_people_speak(config: Config, says: str, listen: Listen, tmp_path: Path) -> None:
    told = banner([listen("127.0.0.1")], replace(config, cache=tmp_path), CATALOG)
    assert says in told[2] and told[1].startswith("Models: ") and told[3].startswith("Docs: ")
