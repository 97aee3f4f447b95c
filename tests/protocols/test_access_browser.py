"""Pages in a real browser: the server's own, one of an allowed origin, one of a foreign origin, and a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from protocols.conftest import Server, serve
from support import browser
from support.browser import Tab
from support.scripted_conversation import MODELS

pytestmark = pytest.mark.timeout(400)

TRY = """
(async () => {
  const base = "%s", tried = {};
  const json = { "Content-Type": "application/json", Authorization: "Bearer any" };
  const attempt = async (name, work) => { tried[name] = await work().catch((error) => error.name); };
  await attempt("read", async () => (await fetch(base + "/health")).status);
  await attempt("plain", async () => {
    const answer = await fetch(base + "/v1/realtime/client_secrets", { method: "POST", body: "{}" });
    return [answer.status, !!answer.headers.get("x-request-id"), (await answer.json()).value.slice(0, 3)];
  });
  await attempt("asked", async () => {
    const body = JSON.stringify({ input: "", model: "scripted" });
    const answer = await fetch(base + "/v1/audio/speech", { method: "POST", headers: json, body });
    return [answer.status, (await answer.json()).error.type];
  });
  await attempt("socket", () => new Promise((done) => {
    const socket = new WebSocket(base.replace("http", "ws") + "/v1/realtime");
    socket.onmessage = (event) => { done(JSON.parse(event.data).type); socket.close(); };
    socket.onclose = () => done("closed");
  }));
  return tried;
})()
"""
USED = {
    "read": 200,
    "plain": [200, True, "ek_"],
    "asked": [400, "invalid_request_error"],
    "socket": "session.created",
}
REFUSED = {"read": "TypeError", "plain": "TypeError", "asked": "TypeError", "socket": "closed"}


class Site(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing of it."""

    def log_message(self, *given: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    (made / "page.html").write_text("<!doctype html><title>another site</title>")
    return made


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[int]:
    """The port of a web site that is not the server's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=str(folder))) as found:
        Thread(target=found.serve_forever, daemon=True).start()
        yield found.server_address[1]
        found.shutdown()


@pytest.fixture(scope="module")
def allowing(site: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that allows the site under the name localhost and not under its address."""
    flags = ("--allow-origin", f"http://localhost:{site}")
    with serve(tmp_path_factory.mktemp("allowing"), *flags, SPEECHMLX_MODELS=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory, clip: Callable[[str], Path]) -> Iterator[Tab]:
    program = browser.find()
    if program is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"pages want a browser, and none of {', '.join(browser.NAMES)} is here")
    with browser.tab(program, tmp_path_factory.mktemp("browser"), clip("jfk")) as found:
        yield found


@pytest.mark.parametrize("page", ["own", "allowed"])
def test_pages_that_may_use_the_server_use_all_of_it(tab: Tab, allowing: Server, site: int, page: str) -> None:
    tab.go(f"{allowing.url}/docs" if page == "own" else f"http://localhost:{site}/page.html")
    assert tab.value(TRY % allowing.url) == USED


@pytest.mark.parametrize("page", ["foreign", "file"])
def test_pages_that_may_not_get_nothing(tab: Tab, allowing: Server, site: int, folder: Path, page: str) -> None:
    tab.go(f"http://127.0.0.1:{site}/page.html" if page == "foreign" else (folder / "page.html").as_uri())
    assert tab.value(TRY % allowing.url) == REFUSED


def test_a_form_of_a_foreign_page_changes_nothing(tab: Tab, allowing: Server, site: int) -> None:
    """A form needs no leave: only the server can refuse it."""
    tab.go(f"http://127.0.0.1:{site}/page.html")
    tab.value(
        "const form = Object.assign(document.createElement('form'), "
        f"{{ method: 'post', enctype: 'text/plain', action: '{allowing.url}/v1/models' }});"
        'form.innerHTML = `<input name=\'{"model_name": "scripted-big", "model_type": "audio", "a": "\' value=\'"}\'>`;'
        "document.body.append(form); form.submit()"
    )
    tab.until(f"location.href.startsWith('{allowing.url}')")
    told = tab.until("document.body && document.body.textContent")
    assert f"pages of http://127.0.0.1:{site} may not use this server" in told
    with allowing.client() as client:
        assert "scripted-big" not in client.get("/v1/models/instances").text
