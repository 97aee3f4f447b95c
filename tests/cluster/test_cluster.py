"""Two replicas behind Ray Serve on one machine, with scripted engines. `scripts/soak cluster` runs this."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from support.cluster import AS_NEEDED, COMMAND, EXPECTED, Cluster, kill_one, running_cluster, session
from support.live_wires import RATE, open_wire
from support.scripted_conversation import tone, words

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray Serve is not installed; scripts/soak cluster"),
    pytest.mark.timeout(400),
]
MB = 1024 * 1024
OPEN = """
http_options: {host: 0.0.0.0}
applications: [{import_path: 'speechmlx.cluster:app', args: {require_key: true}}]
"""


def speech(seconds: float) -> bytes:
    """Speech for live sessions, with a pause that ends the turn."""
    return tone(seconds, rate=RATE) + tone(1.0, level=0.0, rate=RATE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as found:
        yield found


@pytest.mark.parametrize("wire", ["asr", "deepgram", "openai_realtime"])
async def test_a_live_session_stays_on_its_replica(cluster: Cluster, wire: str) -> None:
    """Several at once, so that both replicas have some: each hears its own words, once and in order."""

    async def said(seconds: float) -> tuple[list[str], float]:
        async with open_wire(wire, cluster.url) as client:
            audio = speech(seconds)
            for start in range(0, len(audio), RATE // 5 * 2):
                await client.send(audio[start : start + RATE // 5 * 2])
            return await client.finish(), seconds

    for heard, seconds in await asyncio.gather(*(said(0.5 + 0.1 * number) for number in range(6))):
        assert heard == words(seconds).split()


async def test_an_answer_has_one_request_id_and_rays_pages_work(cluster: Cluster) -> None:
    async with httpx.AsyncClient(base_url=cluster.url, trust_env=False) as client:
        answer = await client.get("/health")
        assert answer.headers.get_list("x-request-id") == [answer.headers["x-request-id"]]
        assert (await client.get("/-/healthz")).status_code == 200


async def test_a_client_that_does_not_read_fills_no_memory(cluster: Cluster) -> None:
    """80 MB are made for it; what waits is in the windows and the sockets alone."""
    watched = [*cluster.replicas, *cluster.processes("ray::ProxyActor")]
    before = [one.memory_info().rss for one in watched]
    body = {"text": "steps=80 work=0.001 bytes=1000000", "model": "scripted"}
    async with (
        httpx.AsyncClient(base_url=cluster.url, timeout=60, trust_env=False) as client,
        client.stream("POST", "/speak?stream=true", json=body) as answer,
    ):
        await asyncio.sleep(4.0)
        grown = [one.memory_info().rss - size for one, size in zip(watched, before, strict=True)]
        assert answer.status_code == 200
        assert max(grown) < 25 * MB, grown
        size = sum([len(chunk) async for chunk in answer.aiter_bytes()])
    assert size > 80 * 1_000_000 / 2


async def test_a_large_upload_is_read_as_the_replica_takes_it(cluster: Cluster) -> None:
    """It is refused for its size, by the app and in its words."""
    async with httpx.AsyncClient(base_url=cluster.url, timeout=60, trust_env=False) as client:
        answer = await client.post("/v1/audio/speech", content=b"{" + b" " * 3 * MB, headers=JSON)
    assert answer.status_code == 413
    assert "error" in answer.json()


async def test_clients_of_a_killed_replica_are_told_within_two_seconds(cluster: Cluster) -> None:
    victim = cluster.replicas[0].pid
    told, others, killed = await kill_one(cluster, each=4)
    assert told and others, "each replica had clients"
    for one in told:
        assert one.after(killed) < 2.0, told
        assert one.what in EXPECTED, told
    async with open_wire("asr", cluster.url) as client:  # sessions begin anew on the other replica
        await client.send(speech(0.5))
        assert await client.finish() == words(0.5).split()
    cluster.wait_for_replicas(but=victim)


async def test_an_update_leaves_no_client_without_an_answer(cluster: Cluster) -> None:
    before = {one.pid for one in cluster.replicas}
    live = [asyncio.create_task(session(cluster.url, "/asr?language=en")) for _ in range(4)]
    updating = cluster.update(chars=4000)
    answers: list[int] = []
    async with httpx.AsyncClient(base_url=cluster.url, timeout=30, trust_env=False) as client:
        end = time.monotonic() + 200
        while {one.pid for one in cluster.replicas} & before or updating.poll() is None:
            assert time.monotonic() < end, cluster.log
            answer = await client.post("/speak", json={"text": "steps=2 work=0.01", "model": "scripted"})
            answers.append(answer.status_code)
            assert answer.status_code == 200 or answer.headers["retry-after"], answer.text
            await asyncio.sleep(0.1)
    assert updating.returncode == 0
    assert answers.count(200) > len(answers) / 2
    assert {(await one).what for one in live} == {"closed 1012"}
    cluster.wait_for_replicas()


async def test_sessions_bring_a_second_replica_and_it_goes_without_them(cluster: Cluster) -> None:
    """14 of the 16 sessions of a Mac are more than three quarters."""
    assert cluster.update(chars=4000, replicas=AS_NEEDED).wait(100) == 0
    await replicas(cluster, 1)
    live = [asyncio.create_task(session(cluster.url, "/asr?language=en")) for _ in range(14)]
    await replicas(cluster, 2)
    assert not [one.result() for one in live if one.done()]
    for one in live:
        one.cancel()
    await asyncio.gather(*live, return_exceptions=True)
    await replicas(cluster, 1)


async def replicas(cluster: Cluster, number: int) -> None:
    """Wait until the cluster has so many replicas."""
    end = time.monotonic() + 100
    while len(cluster.replicas) != number:
        assert time.monotonic() < end, f"{len(cluster.replicas)} replicas, not {number}"
        await asyncio.sleep(0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("applications: [", "is not YAML"),
        ("applications: 3", "applications"),
        ("applications: [{import_path: other:app, name: a, route_prefix: /}]", "no application with import_path"),
        ("applications: [{import_path: 'speechmlx.cluster:app', args: {port: 1}}]", "use http_options.port"),
        ("applications: [{import_path: 'speechmlx.cluster:app', args: {colour: 1}}]", "unknown setting colour"),
        (OPEN, "require_key: http_options.host is open to the network, and there is no key"),
    ],
)
def test_a_wrong_config_file_is_refused_with_a_reason(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    done = subprocess.run([*COMMAND, "up", str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


JSON = {"content-type": "application/json"}
