"""Drives a headless Chromium over the DevTools protocol, and collects the errors of the page."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect
from websockets.sync.connection import Connection

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APP = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find() -> str | None:
    """Path of an installed Chromium or Chrome; None if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), APP if Path(APP).exists() else None)


class Navigated(Exception):
    """The page left while it evaluated something."""


@dataclass
class Tab:
    """One page. `complaints`: its uncaught exceptions and logged errors."""

    socket: Connection
    complaints: list[str] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        id = next(self._ids)
        self.socket.send(json.dumps({"id": id, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=60))
            if message.get("id") == id:
                if "navigated" in message.get("error", {}).get("message", ""):
                    raise Navigated(message)
                assert "error" not in message, message
                found: dict[str, Any] = message["result"]
                return found
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        if message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(message["params"]["exceptionDetails"])[:500])
        elif message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.complaints.append(message["params"]["entry"]["text"])

    def go(self, url: str) -> None:
        self.ask("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def value(self, code: str) -> Any:
        """Evaluate JavaScript, await its promise and return the value."""
        found = self.ask("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, code: str, seconds: float = 30.0) -> Any:
        """Evaluate `code` until its value is true; AssertionError after `seconds`."""
        end, found = time.monotonic() + seconds, None
        while not found:
            with suppress(Navigated):  # the page that was asked is no more: the next one answers
                if found := self.value(code):
                    break
            assert time.monotonic() < end, f"{code} is {found!r} after {seconds} s; complaints: {self.complaints}"
            time.sleep(0.1)
        return found

    def choose(self, selector: str, file: Path) -> None:
        """Select `file` in the file input that `selector` matches."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def picture(self, file: Path) -> None:
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def tab(program: str, folder: Path, microphone: Path) -> Iterator[Tab]:
    """Start a browser with a profile in `folder`; its microphone plays the WAV file `microphone` in a loop."""
    command = [
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--no-proxy-server",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "--window-size=1000,1400",
        "--autoplay-policy=no-user-gesture-required",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
        "about:blank",
    ]
    # Without the libraries that the tests themselves run with: Chromium brings its own and dies of ours.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LD_")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(process, folder / "DevToolsActivePort")
        found = httpx.put(f"http://127.0.0.1:{port}/json/new?about:blank", trust_env=False).json()
        with connect(found["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
            page = Tab(socket)
            for domain in ("Page", "Runtime", "Log", "DOM"):
                page.ask(f"{domain}.enable")
            yield page
    finally:
        process.terminate()
        process.wait(20)


def _port(process: subprocess.Popen[bytes], file: Path) -> int:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if file.exists() and (text := file.read_text()):
            return int(text.splitlines()[0])
        time.sleep(0.1)
    raise AssertionError("the browser did not start")
