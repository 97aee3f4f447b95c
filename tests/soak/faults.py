"""Faults of the machine: processes that stand still, disks that are full or read-only, clocks that jump, shared caches.

`scripts/soak faults [NAME ...]`. Each fault is made at a real server with scripted engines, and the server must answer
what can be answered, tell of the rest, and go on when the fault is over. Full disks are small file systems in memory,
which need root on Linux; clocks that jump need libfaketime ($FAKETIME_LIB, or where Debian has it). What cannot be made
here is shown as "not run".
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import websockets
from protocols import conftest
from protocols.conftest import COMMAND, Server, serve
from support.machine_faults import NotRun, faketime, fill, small_disk
from support.processes import engine, held
from support.scripted import LARGE
from support.scripted_conversation import LIVE_MODELS, tone
from support.soak_clients import CLIENTS, Target, Told, type_a_turn, wav

STEP_TIMEOUT = 2.0
BOUND = 180.0
"""Seconds after which a client that has heard nothing hangs; the machine may be busy."""
DAY = 86400


def speak(client: httpx.Client, script: str = "steps=1", model: str = "scripted") -> httpx.Response:
    return client.post("/speak", json={"text": script, "model": model})


def engine_of(server: Server) -> psutil.Process:
    found = engine(psutil.Process(server.process.pid))
    assert found is not None, "no engine process runs"
    return found


# --- processes that stand still ---


async def outcome(name: str, target: Target) -> str:
    """What became of one client's request: answered, told or an exception."""
    try:
        async with asyncio.timeout(BOUND):
            await CLIENTS[name](target, random.Random(name))
    except Told:
        return "told"
    return "answered"


def stopped_engine(folder: Path) -> str:
    """The engine process is stopped while every kind of client works: each is told within the step timeout."""
    with serve(folder, SPEECHMLX_MODELS=LIVE_MODELS, SPEECHMLX_STEP_TIMEOUT=str(STEP_TIMEOUT)) as server:
        target = Target(server.url)

        async def run() -> tuple[list[str], float]:
            for name in CLIENTS:
                assert await outcome(name, target) == "answered", name
            tasks = [asyncio.create_task(outcome(name, target)) for name in CLIENTS]
            async with asyncio.timeout(BOUND):
                while int(str(server.health()["jobs"])) < 2:
                    await asyncio.sleep(0.01)
            os.kill(engine_of(server).pid, signal.SIGSTOP)
            stopped = time.monotonic()
            ends = await asyncio.gather(*tasks)
            after = time.monotonic() - stopped
            for name in CLIENTS:
                assert await outcome(name, target) == "answered", name
            return ends, after

        ends, after = asyncio.run(run())
        assert server.health()["engine_hangs"] == 1, server.health()
        assert "told" in ends
        assert "Traceback" not in server.log.read_text()
    return f"{ends.count('told')} of {len(ends)} kinds told, {ends.count('answered')} answered, all after {after:.1f} s"


def stopped_front(folder: Path) -> str:
    """The server process stands still for longer than the step timeout: that is no hang of its engine."""
    with serve(folder, SPEECHMLX_STEP_TIMEOUT="1") as server, server.client() as client:
        assert speak(client).status_code == 200
        reader = asking(server, "steps=100 work=0.02")
        time.sleep(0.5)
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(3.0)
        server.process.send_signal(signal.SIGCONT)
        size = int(reader.communicate(timeout=BOUND)[0])
        assert size == 44 + 100 * 4800, size
        assert server.health()["engine_hangs"] == 0
    return "the stream went on, whole"


def asking(server: Server, script: str, model: str = "scripted") -> subprocess.Popen[bytes]:
    """A process that reads a spoken stream, and prints how many bytes it had."""
    body = json.dumps({"text": script, "model": model})
    code = (
        "import urllib.request as r\n"
        f"url, body = {server.url + '/speak?stream=true'!r}, {body!r}.encode()\n"
        "q = r.Request(url, body, {'Content-Type': 'application/json'})\n"
        "size = 0\n"
        "with r.build_opener(r.ProxyHandler({})).open(q) as answer:\n"
        "    while piece := answer.read1(65536):\n"
        "        size += len(piece)\n"
        "print(size)\n"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def stopped_client(folder: Path) -> str:
    """A client is stopped in the middle of a long stream: others are answered, and it has all when it goes on."""
    steps = 600
    with serve(folder) as server, server.client() as client:
        assert speak(client).status_code == 200
        front = psutil.Process(server.process.pid)
        before = held(front).memory
        reader = asking(server, f"steps={steps} bytes=96000")
        time.sleep(0.5)
        reader.send_signal(signal.SIGSTOP)
        end, most = time.monotonic() + 4, 0.0
        while time.monotonic() < end:
            assert speak(client).status_code == 200
            most = max(most, held(front).memory)
        reader.send_signal(signal.SIGCONT)
        size = int(reader.communicate(timeout=BOUND)[0])
        assert size == 44 + steps * 96000, size
        assert most - before < 32, f"the server process grew by {most - before:.0f} MB"
    return f"{size / 1e6:.0f} MB came whole; the server held {most - before:.0f} MB more meanwhile"


# --- disks ---


def full_upload(folder: Path) -> str:
    """No room for temporary files: an upload is refused, others are answered, and the next after that too."""
    with small_disk(folder / "tmp", "8m") as disk, serve(folder, TMPDIR=str(disk)) as server:
        with server.client() as client:
            assert speak(client).status_code == 200
            recording = wav(tone(200.0, level=0.1, rate=16000))
            filler = fill(disk)
            answers = [
                client.post("/transcribe?model=scripted-asr", content=recording),
                client.post("/v1/audio/transcriptions", data={"model": "scripted-asr"}, files={"file": recording}),
            ]
            assert [answer.status_code for answer in answers] == [507] * 2, [answer.text for answer in answers]
            assert speak(client).status_code == 200
            filler.unlink()
            again = client.post("/transcribe?model=scripted-asr", content=recording)
            assert again.status_code in (200, 507), again.text  # 6.4 MB: it fits beside the engine process's folder
            status = again.status_code
        assert "Traceback" not in server.log.read_text()
    return f"507 with the folder's name, then {status} with room"


def full_download(folder: Path) -> str:
    """No room for the weights: the request is told so, and succeeds when there is room."""
    with small_disk(folder / "cache", "4m") as disk, serve(folder, SPEECHMLX_CACHE=str(disk)) as server:
        with server.client() as client:
            assert speak(client).status_code == 200
            refused = speak(client, model="scripted-large")
            assert refused.status_code in (503, 507) and "the disk is full" in refused.json()["error"], refused.text
            assert speak(client).status_code == 200
            subprocess.run(["mount", "-o", f"remount,size={4 * LARGE}", str(disk)], check=True)
            assert (again := speak(client, model="scripted-large")).status_code == 200, again.text
        assert "Traceback" not in server.log.read_text()
        left = sum(file.stat().st_size for file in (disk / "partial").rglob("*") if file.is_file())
    return f"{refused.status_code} with the numbers, then 200; {left} bytes left of the failed fetch"


def full_log(folder: Path) -> str:
    """No room for the log: the server answers as before, and writes on when there is room."""
    with small_disk(folder / "server", "1m") as disk, serve(disk, SPEECHMLX_CACHE=str(folder / "cache")) as server:
        with server.client() as client:
            assert speak(client).status_code == 200
            filler = fill(disk)
            for _ in range(20):
                assert speak(client).status_code == 200
                assert speak(client, "fail=0").status_code == 500
            filler.unlink()
            assert speak(client, model="nobody").status_code == 404
            server.wait_for_line("POST /speak 404")
        assert server.process.poll() is None
    return "40 requests answered; the log went on"


def read_only_cache(folder: Path) -> str:
    """A cache that cannot be written: what is in it is served, what is not is told with a way out."""
    with small_disk(folder / "cache", "8m") as disk:
        with serve(folder / "first", SPEECHMLX_CACHE=str(disk)) as server, server.client() as client:
            assert speak(client).status_code == 200
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with serve(folder / "second", SPEECHMLX_CACHE=str(disk)) as server, server.client() as client:
            assert speak(client).status_code == 200
            refused = speak(client, model="scripted-large")
            assert refused.status_code == 502, refused.text
            assert "SPEECHMLX_CACHE" in refused.json()["error"], refused.text
            assert "Traceback" not in server.log.read_text()
    return "served what was there; 502 and a way out for the rest"


# --- clocks ---


def jumping_clock(folder: Path) -> str:
    """The wall clock jumps by days: sessions and work go on, the day's audio is renewed, no secret lives longer."""
    clock = folder / "clock"
    folder.mkdir(parents=True)
    clock.write_text("+0")
    keys = folder / "keys.json"
    add = [str(COMMAND), "key", "add", "guest", "--audio-seconds-per-day", "4"]
    made = subprocess.run(add, env=os.environ | {"SPEECHMLX_KEY_FILE": str(keys)}, capture_output=True, text=True)
    key = next(word for word in made.stdout.split() if len(word) > 30)
    fake = {
        "LD_PRELOAD": faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    settings = {"SPEECHMLX_MODELS": LIVE_MODELS, "SPEECHMLX_KEY_FILE": str(keys), **fake}
    with serve(folder / "server", **settings) as server:  # type: ignore[arg-type]
        found = asyncio.run(jump(server, key, clock))
        assert "Traceback" not in server.log.read_text()
        assert server.health()["engine_restarts"] == 0
    return found


async def jump(server: Server, key: str, clock: Path) -> str:
    """Jumps while a session is open."""
    headers = {"Authorization": f"Bearer {key}"}
    recording = wav(tone(3.0, rate=16000))
    jumps = (0, DAY, -DAY, 400 * DAY, -400 * DAY)
    async with (
        httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=BOUND) as client,
        connected(server, key) as session,
    ):
        for seconds in jumps:
            clock.write_text(f"{seconds:+d}")
            first = await client.post("/transcribe?model=scripted-asr", content=recording)
            second = await client.post("/transcribe?model=scripted-asr", content=recording)
            assert (first.status_code, second.status_code) == (200, 429), (seconds, first.text, second.text)
            assert 0 < int(second.headers["retry-after"]) <= DAY
            # As with real models: scripted work sleeps, which fails under a faked clock.
            await asyncio.wait_for(type_a_turn(session, Target(server.url, real=True)), BOUND)
        clock.write_text("+0")
        asked = {"expires_after": {"anchor": "created_at", "seconds": 10}}
        secret = (await client.post("/v1/realtime/client_secrets", json=asked)).json()["value"]
        assert await opens(server, secret), "a new secret opens nothing"
        clock.write_text(f"{-DAY:+d}")
        await asyncio.sleep(10.5)
        assert not await opens(server, secret), "a clock that was set back lengthened a secret"
    return f"{len(jumps)} jumps; the session answered after each, the day's audio was renewed, the secret ended"


async def opens(server: Server, secret: str) -> bool:
    """Whether a client secret opens a session."""
    try:
        async with connected(server, secret) as socket:
            return bool(json.loads(await socket.recv())["type"] == "session.created")
    except websockets.InvalidStatus as error:
        if error.response.status_code != 401:
            raise
        return False


def connected(server: Server, key: str) -> websockets.connect:
    """A connection to /v1/realtime."""
    address = server.url.replace("http", "ws") + "/v1/realtime"
    headers = {"Authorization": f"Bearer {key}"}
    return websockets.connect(address, additional_headers=headers, open_timeout=BOUND, max_size=None, proxy=None)


# --- one cache, two servers ---


def shared_cache(folder: Path) -> str:
    """Two servers on one cache are asked for the same model; the one that fetches is killed: the other fetches it."""
    hold = folder / "hold"
    folder.mkdir(parents=True)
    hold.write_text("wait")
    own = {"SPEECHMLX_CACHE": str(folder / "cache"), "SCRIPTED_HOLD": str(hold)}
    with serve(folder / "two", **own) as two:  # type: ignore[arg-type]
        with serve(folder / "one", **own) as one:  # type: ignore[arg-type]
            readers = [asking(one, "steps=1", "scripted-held")]
            wait_for(lambda: hold.with_suffix(".tries").exists(), "the first fetch did not begin")
            readers.append(asking(two, "steps=1", "scripted-held"))
            time.sleep(1.0)
            assert hold.with_suffix(".tries").read_text() == "x", "both fetch"
            one.process.kill()
            one.process.wait()
            wait_for(lambda: len(hold.with_suffix(".tries").read_text()) == 2, "nobody went on")
            hold.unlink()
            answers = [process.communicate(timeout=BOUND)[0].decode().strip() for process in readers]
        assert answers == ["", str(44 + 4800)], answers
        with two.client() as client:
            assert speak(client, model="scripted-held").status_code == 200
    with serve(folder / "again", **own) as again, again.client() as client:  # type: ignore[arg-type]
        assert speak(client, model="scripted-held").status_code == 200
    assert not list((folder / "cache/partial").iterdir())
    return "the other server fetched it; the killed one serves it after its next start"


def wait_for(condition: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)


FAULTS: dict[str, Callable[[Path], str]] = {
    fault.__name__: fault
    for fault in (
        stopped_engine,
        stopped_front,
        stopped_client,
        full_upload,
        full_download,
        full_log,
        read_only_cache,
        jumping_clock,
        shared_cache,
    )
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="NAME", help=f"one of {', '.join(FAULTS)}; without, all")
    names = parser.parse_args().faults or list(FAULTS)
    failed, conftest.START_LIMIT, conftest.STOP_LIMIT = 0, 300.0, 300.0  # the machine may be busy
    for name in names:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            try:
                found = FAULTS[name](Path(folder) / name)
            except NotRun as reason:
                found = f"not run: {reason}"
            except Exception as error:
                failed += 1
                found = f"FAULT {type(error).__name__}: {error}"
        sys.stdout.write(f"{name:18}{found}\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
