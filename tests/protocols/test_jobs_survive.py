"""Background jobs outlive the engine process, a restart, a sudden end, and the server that began them."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from protocols.conftest import Server, serve
from protocols.test_client_limits import sound
from protocols.test_faults import engine_pid
from protocols.test_jobs import OPENAI, ended

STEPS = 40


def wait_for(client: httpx.Client, id: str, progress: float, seconds: float = 30.0) -> None:
    """Wait until a job has gone so far, and no further than its end."""
    end = time.monotonic() + seconds
    while (job := client.get(f"/v1/jobs/{id}").json())["progress"] < progress:
        assert job["state"] in ("queued", "running") and time.monotonic() < end, job
        time.sleep(0.02)


def kill(server: Server) -> None:
    """End a server suddenly."""
    server.process.kill()
    server.process.wait(10)


def test_a_job_outlives_the_engine_a_server_and_a_restart(tmp_path: Path) -> None:
    """Each interruption repeats two steps at most: the one under way, and one whose end was not kept yet."""
    trace, jobs = tmp_path / "trace", str(tmp_path / "jobs")
    script = {"model": "scripted-asr", "prompt": f"steps={STEPS} work=0.1 trace={trace}", "response_format": "srt"}
    files = {"file": ("a.wav", sound(float(STEPS)), "audio/wav")}
    with ExitStack() as stack:
        first = stack.enter_context(serve(tmp_path / "first", SPEECHMLX_JOB_FOLDER=jobs))
        one = stack.enter_context(first.client())
        id = one.post(OPENAI, files=files, data={**script, "background": "true"}).json()["id"]
        second = stack.enter_context(serve(tmp_path / "second", SPEECHMLX_JOB_FOLDER=jobs))
        wait_for(one, id, 0.1)
        os.kill(engine_pid(first), signal.SIGKILL)
        at = one.get(f"/v1/jobs/{id}").json()["progress"]
        wait_for(one, id, at + 0.1)
        kill(first)
        with second.client() as two:
            at = two.get(f"/v1/jobs/{id}").json()["progress"]
            assert at < 0.8
            wait_for(two, id, at + 0.1, 15.0)
        stopped = time.monotonic()
        second.process.terminate()
        second.process.wait(20)
        assert time.monotonic() - stopped < 8.0  # the job is put back, not waited for
        third = stack.enter_context(serve(tmp_path / "third", SPEECHMLX_JOB_FOLDER=jobs))
        three = stack.enter_context(third.client())
        assert ended(three, id)["state"] == "done"
        result = three.get(f"/v1/jobs/{id}/result").text
        assert [line for line in result.splitlines() if "part" in line] == [f"part {n}." for n in range(STEPS)]
        steps = Counter(json.loads(line)["what"] for line in trace.read_text().splitlines())
        assert set(steps) == {f"step {n}" for n in range(STEPS)}
        assert steps.total() <= STEPS + 6


def test_real_speech_is_the_same_after_a_sudden_end(
    tmp_path: Path, starter: Server, clip: Callable[[str], Path]
) -> None:
    """Window after window, each with the text before it as context: the whole state is kept."""
    parts = [soundfile.read(clip(name), dtype="float32")[0] for name in ("jfk", "beckett", "librispeech", "beckett")]
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([*parts, parts[0]]), 16000, format="WAV", subtype="PCM_16")
    files = {"file": ("a.wav", file.getvalue(), "audio/wav")}
    data: dict[str, Any] = {
        "response_format": "verbose_json",
        "timestamp_granularities[]": ["word", "segment"],
        "vad_filter": "false",
        "condition_on_previous_text": "true",
    }
    with starter.client() as client:
        whole = client.post(OPENAI, files=files, data=data).json()
    flags, jobs = ("--asr", "whisper-tiny.en"), str(tmp_path / "jobs")
    cache = os.environ.get("SPEECHMLX_CACHE")
    own = {"SPEECHMLX_JOB_FOLDER": jobs, **({"SPEECHMLX_CACHE": cache} if cache else {})}
    with serve(tmp_path / "first", *flags, scripted=False, **own) as first, first.client() as client:
        id = client.post(OPENAI, files=files, data={**data, "background": "true"}).json()["id"]
        wait_for(client, id, 0.2, 60.0)
        kill(first)
    with serve(tmp_path / "second", *flags, scripted=False, **own) as second, second.client() as client:
        assert client.get(f"/v1/jobs/{id}").json()["progress"] < 1.0
        assert ended(client, id, 60.0)["state"] == "done"
        found = client.get(f"/v1/jobs/{id}/result").json()
    assert found == whole
