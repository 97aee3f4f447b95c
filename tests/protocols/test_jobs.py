"""Background jobs on real servers: made by every route of recognition, listed, cancelled, deleted, told of."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from protocols.conftest import Server, Start, serve
from protocols.test_access_keys import key
from protocols.test_client_limits import sound
from support.webhook_site import webhook_site

WAV = sound(4.0)
SECRET = "whsec_" + "c2VjcmV0" * 5
FILE = {"file": ("a.wav", WAV, "audio/wav")}
SCRIPT = {"model": "scripted-asr", "prompt": "steps=3"}
Answer = tuple[int, str, Any]


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose recognition is scripted, and which sends webhooks to this machine."""
    flags = ("--asr", "scripted-asr", "--diarize", "scripted-diarizer", "--webhook-host", "127.0.0.1")
    with serve(tmp_path_factory.mktemp("working"), *flags, SPEECHMLX_WEBHOOK_SECRET=SECRET) as server:
        yield server


@pytest.fixture
def client(working: Server) -> Iterator[httpx.Client]:
    with working.client(30) as client:
        yield client


def ended(client: httpx.Client, id: str, seconds: float = 20.0) -> dict[str, Any]:
    """The job, once it has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job: dict[str, Any] = client.get(f"/v1/jobs/{id}").raise_for_status().json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.02)
    raise AssertionError(job)


def start(client: httpx.Client, **fields: str) -> dict[str, Any]:
    """A new job of OpenAI's route."""
    answer = client.post("/v1/audio/transcriptions", files=FILE, data={**SCRIPT, "background": "true", **fields})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def seen(answer: httpx.Response) -> Answer:
    """What must be the same: status, type, and the body without ids and times of the request."""
    body: Any = answer.text
    if answer.headers["content-type"] == "application/json":
        body = answer.json()
        for name in ("request_id", "created"):
            body.pop(name, None)
            body.get("metadata", {}).pop(name, None)
        for utterance in body.get("results", {}).get("utterances", ()):
            del utterance["id"]
    return answer.status_code, answer.headers["content-type"], body


OPENAI = "/v1/audio/transcriptions"


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        *((OPENAI, {"files": FILE, "data": {**SCRIPT, "response_format": f}}) for f in ("json", "text", "srt")),
        (
            OPENAI,
            {"files": FILE, "data": {**SCRIPT, "response_format": "verbose_json", "timestamp_granularities[]": "word"}},
        ),
        (OPENAI, {"files": FILE, "data": {**SCRIPT, "stream": "true", "include[]": "logprobs"}}),
        (OPENAI, {"files": FILE, "data": {**SCRIPT, "response_format": "diarized_json"}}),
        (OPENAI, {"files": FILE, "data": {**SCRIPT, "response_format": "rttm"}}),
        ("/v1/audio/translations", {"files": FILE, "data": SCRIPT}),
        ("/transcribe", {"content": WAV, "headers": {"Content-Type": "audio/wav"}}),
        ("/transcribe", {"files": FILE}),
        ("/asr?output=json&word_timestamps=true", {"files": {"audio_file": FILE["file"]}}),
        ("/inference", {"files": FILE, "data": {"prompt": "steps=2"}}),
        ("/v1/listen?diarize=true&utterances=true", {"content": WAV}),
        (OPENAI, {"files": {"file": ("a.wav", b"RIFF, but no sound")}, "data": SCRIPT}),
        (OPENAI, {"files": FILE, "data": {"model": "nobody"}}),
        (OPENAI, {"files": FILE, "data": {**SCRIPT, "prompt": "fail=1"}}),
        ("/v1/listen", {"content": b"RIFF, but no sound"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_result_is_the_answer_of_the_synchronous_route(
    client: httpx.Client, path: str, request_: dict[str, Any]
) -> None:
    plain = client.post(path, **request_)
    preferred = {"headers": {**request_.get("headers", {}), "Prefer": "wait=5, respond-async"}}
    accepted = client.post(path, **{**request_, **preferred})
    assert accepted.status_code == 202
    assert accepted.headers["preference-applied"] == "respond-async"
    assert accepted.headers["location"] == f"/v1/jobs/{accepted.json()['id']}"
    job = ended(client, accepted.json()["id"])
    assert job["state"] == ("done" if plain.is_success else "failed")
    assert (job["error"] is None) == plain.is_success
    result = client.get(job["result"])
    assert seen(result) == seen(plain)
    own = {"date", "x-request-id", "dg-request-id", "content-length", "transfer-encoding", "server"}
    assert {n: v for n, v in result.headers.items() if n not in own} == {
        n: v for n, v in plain.headers.items() if n not in own
    }


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        (OPENAI, {"json": {**SCRIPT, "file": base64.b64encode(WAV).decode(), "background": True}}),
        ("/transcribe?background=1&model=scripted-asr", {"content": WAV, "headers": {"Content-Type": "audio/wav"}}),
        ("/v1/listen?background=true", {"content": WAV}),
        ("/inference", {"files": FILE, "data": {"background": "yes"}}),
    ],
    ids=["JSON", "query", "Deepgram", "form"],
)
def test_the_option_is_taken_wherever_options_are(client: httpx.Client, path: str, request_: dict[str, Any]) -> None:
    accepted = client.post(path, **request_)
    assert accepted.status_code == 202 and "preference-applied" not in accepted.headers
    assert ended(client, accepted.json()["id"])["state"] == "done"


def test_progress_goes_from_0_to_1(client: httpx.Client) -> None:
    job = start(client, prompt="steps=4 work=0.3")
    assert (job["object"], job["state"], job["progress"], job["path"]) == ("job", "queued", 0.0, OPENAI)
    found = set()
    while (now := client.get(f"/v1/jobs/{job['id']}").json())["state"] != "done":
        assert now["result"] is None
        found.add(now["progress"])
        time.sleep(0.02)
    assert len(found & {0.25, 0.5, 0.75}) > 1
    assert (now["progress"], now["duration"]) == (1.0, 4.0)
    assert now["created_at"] <= now["started_at"] <= now["finished_at"] < now["expires_at"] - 86000


def test_a_job_that_runs_is_cancelled_and_deleted(client: httpx.Client, working: Server) -> None:
    job = start(client, prompt="steps=1000 work=0.05")
    early = client.get(f"/v1/jobs/{job['id']}/result")
    assert early.status_code == 409 and early.json()["error"]["code"] == "job_unfinished"
    while client.get(f"/v1/jobs/{job['id']}").json()["state"] == "queued":
        time.sleep(0.02)
    for _ in range(2):
        assert client.post(f"/v1/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    assert "was cancelled" in client.get(f"/v1/jobs/{job['id']}/result").json()["detail"]
    while working.health()["jobs"]:
        time.sleep(0.02)
    assert client.delete(f"/v1/jobs/{job['id']}").json() == {"id": job["id"], "object": "job", "deleted": True}
    assert client.get(f"/v1/jobs/{job['id']}").status_code == 404


def test_jobs_are_listed_in_pages(client: httpx.Client) -> None:
    ids = [start(client)["id"] for _ in range(3)]
    for id in ids:
        ended(client, id)
    first = client.get("/v1/jobs", params={"limit": 2}).json()
    assert [job["id"] for job in first["data"]] == ids[:0:-1] and first["has_more"]
    rest = client.get("/v1/jobs", params={"limit": 1, "after": first["last_id"], "state": "done"}).json()
    assert [job["id"] for job in rest["data"]] == ids[:1]
    assert client.get("/v1/jobs", params={"state": "running"}).json()["data"] == []


@pytest.mark.parametrize(
    "id",
    ["job_0", "../jobs.sqlite3", "%2e%2e%2fjobs.sqlite3", "' OR 1=1 --", "job_" + "f" * 32, "é" * 90, "%00"],
)
@pytest.mark.parametrize("rest", ["", "/result", "/cancel"])
def test_ids_of_no_job(client: httpx.Client, id: str, rest: str) -> None:
    answer = client.request("POST" if rest == "/cancel" else "GET", f"/v1/jobs/{id}{rest}")
    assert answer.status_code in (404, 405), answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"background": "perhaps"}, "'background' must be true or false"),
        ({"webhook": "https://example.org/"}, "it goes with background=true"),
        ({"background": "1", "webhook": "ftp://127.0.0.1/"}, "'webhook' must be an http or https address"),
        ({"background": "1", "webhook": "http://me:you@127.0.0.1/"}, "must not hold a user name"),
        ({"background": "1", "webhook": "http://169.254.169.254/"}, "start it with --allow-url-fetch"),
    ],
)
def test_requests_for_jobs_that_cannot_be(client: httpx.Client, fields: dict[str, str], says: str) -> None:
    answer = client.post(OPENAI, files=FILE, data={**SCRIPT, **fields})
    assert answer.status_code == 400 and says in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "says"), [("limit=0", "'limit'"), ("state=lost", "'state'"), ("after=job_1", "no job 'job_1'")]
)
def test_lists_that_cannot_be(client: httpx.Client, query: str, says: str) -> None:
    assert says in client.get(f"/v1/jobs?{query}").json()["error"]["message"]


def test_a_webhook_is_signed_and_sent_again_until_it_is_taken(client: httpx.Client) -> None:
    with webhook_site(refusals=1) as site:
        job = start(client, webhook=f"{site.url}/told?x=1")
        first, second = site.wait(2)
        assert (second.method, second.path, second.body) != ("POST", "/told?x=1", b"")
        message = json.loads(second.body)
        assert (message["type"], message["data"]["id"], message["data"]["state"]) == ("job.done", job["id"], "done")
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == job["id"]
        with openai.OpenAI(api_key="any") as sdk:
            sdk.webhooks.verify_signature(second.body.decode(), second.headers, secret=SECRET)
            with pytest.raises(openai.InvalidWebhookSignatureError):
                sdk.webhooks.verify_signature(second.body.decode() + " ", second.headers, secret=SECRET)
        while (hook := client.get(f"/v1/jobs/{job['id']}").json()["webhook"])["state"] == "pending":
            time.sleep(0.02)
        assert hook == {"url": f"{site.url}/told?x=1", "state": "delivered", "tries": 2, "error": None}


def test_a_callback_of_deepgrams_is_a_job_that_sends_its_result(client: httpx.Client) -> None:
    with webhook_site() as site:
        query = {"callback": f"{site.url}/a", "callback_method": "put"}
        answer = client.post("/v1/listen", params=query, content=b"RIFF, but no sound")
        (told,) = site.wait(1)
        assert told.method == "PUT" and told.headers["dg-request-id"] == answer.json()["request_id"]
        assert json.loads(told.body)["request_id"] == answer.json()["request_id"]
        assert "err_code" in json.loads(told.body)


def test_a_recording_that_ends_the_engine_every_time_is_given_up(client: httpx.Client, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    job = ended(client, start(client, prompt=f"steps=4 die=2 trace={trace}")["id"], 60.0)
    assert job["state"] == "failed" and "interrupted 4 times without getting further" in job["error"]["message"]
    assert client.get(job["result"]).status_code == 503
    steps = Counter(json.loads(line)["what"] for line in trace.read_text().splitlines())
    assert steps == {"step 0": 1, "step 1": 1, "step 2": 4}


def test_a_job_is_seen_by_the_key_that_made_it(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    keys = {
        "ann": key(file, "add", "ann", "--jobs", "1").strip(),
        "bob": key(file, "add", "bob").strip(),
        "boss": key(file, "add", "boss", "--scope", "use", "--scope", "manage").strip(),
    }
    flags = ("--asr", "scripted-asr")
    with serve(tmp_path / "server", *flags, SPEECHMLX_KEY_FILE=str(file)) as server, server.client(20) as client:

        def ask(name: str, method: str, path: str, **more: Any) -> httpx.Response:
            return client.request(method, path, headers={"Authorization": f"Bearer {keys[name]}"}, **more)

        data = {**SCRIPT, "prompt": "steps=1000 work=0.05", "background": "true"}
        id = ask("ann", "POST", f"{OPENAI}?token={keys['ann']}", files=FILE, data=data).json()["id"]
        place = f"/v1/jobs/{id}"
        for method, path in (
            ("GET", place),
            ("GET", f"{place}/result"),
            ("POST", f"{place}/cancel"),
            ("DELETE", place),
        ):
            assert ask("bob", method, path).status_code == 404
        listed = {name: [job["id"] for job in ask(name, "GET", "/v1/jobs").json()["data"]] for name in keys}
        assert listed == {"ann": [id], "bob": [], "boss": [id]}
        full = ask("ann", "POST", OPENAI, files=FILE, data=SCRIPT)
        assert full.status_code == 429 and "background jobs of key ann" in full.json()["error"]["message"]
        kept = b"".join(path.read_bytes() for path in (tmp_path / "server/jobs").rglob("*") if path.is_file())
        assert all(secret.encode() not in kept for secret in keys.values())
        modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "server/jobs").rglob("*") if path.is_file()}
        assert modes == {0o600} and (tmp_path / "server/jobs").stat().st_mode & 0o777 == 0o700
        assert ask("boss", "DELETE", place).status_code == 200
        again = ask("ann", "POST", OPENAI, files=FILE, data=SCRIPT)
        assert again.status_code == 200


def test_a_full_store_says_so_and_private_addresses_are_told_nothing(start_server: Start) -> None:
    flags = ("--allow-url-fetch",)
    with (
        start_server(*flags, SPEECHMLX_JOB_STORAGE="200000") as server,
        server.client() as client,
        webhook_site() as site,
    ):
        told = start(client, webhook=f"{site.url}/secret")["id"]
        ended(client, told)
        kept = start(client, prompt="steps=1000 work=0.05")
        answer = client.post(OPENAI, files=FILE, data={**SCRIPT, "background": "true"})
        assert answer.status_code == 507
        assert "of 200000 bytes in use (job_storage)" in answer.json()["error"]["message"]
        client.delete(f"/v1/jobs/{kept['id']}")
        ended(client, start(client)["id"])
        while not (hook := client.get(f"/v1/jobs/{told}").json()["webhook"])["error"]:
            time.sleep(0.02)
        assert "is not public" in hook["error"] and not site.told
