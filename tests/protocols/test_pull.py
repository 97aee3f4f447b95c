"""POST /v1/models/{model}/pull: weights come without being loaded, or what is wrong is told; and it can be stopped."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from protocols.conftest import Start


def test_a_model_is_pulled_without_being_loaded(start_server: Start, tmp_path: Path) -> None:
    with start_server(SPEECHMLX_CACHE=str(tmp_path / "nothing")) as server, server.client() as client:
        row = client.get("/v1/models/scripted-large").json()
        assert (row["state"], row["size"]) == ("cold", 6_000_000)
        for _ in range(2):  # the second finds it here
            assert client.post("/v1/models/scripted-large/pull").json() == {
                "model": "scripted-large",
                "size": 6_000_002,
            }
        assert client.get("/health").json()["models"] == []
        assert [one["model_name"] for one in client.get("/v1/cache/models").json()["list"]] == ["scripted-large"]
        failed = client.post("/v1/models/scripted-nowhere/pull")
        assert failed.status_code == 502 and "could not be fetched" in failed.json()["error"]["message"]
        assert client.post("/v1/models/nobody/pull").status_code == 404


def test_a_pull_is_stopped(start_server: Start, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    with start_server(SCRIPTED_HOLD=str(hold)) as server, server.client() as client, ThreadPoolExecutor() as pool:
        pulled = pool.submit(httpx.post, f"{server.url}/v1/models/scripted-held/pull", timeout=60, trust_env=False)
        while not hold.with_suffix(".tries").exists():
            time.sleep(0.05)
        assert client.get("/health").json()["models"][0]["state"] == "fetching"
        assert client.delete("/v1/models/scripted-held").status_code == 200
        assert "was stopped" in pulled.result().json()["error"]["message"]
        hold.unlink()
