"""Ports that are free or taken, and the server of --llm-url: on this machine, or in the local network of a Mac."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from support.patients import patient

from speechmlx.config import Config
from speechmlx.doctor.network import check_llm, check_port, check_ports, check_webhooks, is_local


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status": "ok", "engine": "idle"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A program that listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken


def test_a_free_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert check_port("127.0.0.1", port, tls=False).text == f"127.0.0.1:{port} is free"
    assert list(check_ports(patient(config=Config(port=0)))) == []


def test_a_port_of_another_program(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechmlx.doctor.network.PATIENCE", 0.2)
    port = listener.getsockname()[1]
    found = check_port("127.0.0.1", port, tls=False)
    assert (found.state, found.text) == ("problem", f"another program listens on 127.0.0.1:{port}")
    assert f"--port {port + 1}" in found.to_do


def test_a_port_of_this_server() -> None:
    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        found = check_port("127.0.0.1", server.server_port, tls=False)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (found.state, found.text) == ("ok", f"this server answers at 127.0.0.1:{server.server_port} (engine idle)")


def test_an_address_of_another_machine() -> None:
    found = check_port("192.0.2.1", 8080, tls=False)
    assert found.state == "problem" and found.text.startswith("the server cannot listen on 192.0.2.1:8080: ")
    (wrong,) = check_ports(patient(config=Config(bind=("somewhere",))))
    assert wrong.state == "problem" and "'somewhere' is not a valid address" in wrong.text


def test_the_server_of_the_language_model(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    (found,) = check_llm(patient(config=Config(llm_url=f"http://127.0.0.1:{port}/v1")))
    assert (found.state, found.text) == ("ok", f"127.0.0.1:{port} of --llm-url answers")
    listener.close()
    (found,) = check_llm(patient(config=Config(llm_url=f"http://127.0.0.1:{port}/v1")))
    assert (found.state, found.to_do) == ("problem", "Start it, or correct --llm-url.")
    assert list(check_llm(patient())) == []


def test_what_macos_refuses_in_the_local_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(address: object, timeout: float) -> socket.socket:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr("socket.create_connection", refused)
    lan = Config(llm_url="http://192.168.1.20:1234/v1")
    (mac,) = check_llm(patient(config=lan))
    assert mac.state == "problem" and "No route to host" in mac.text and "Local Network" in mac.to_do
    (linux,) = check_llm(patient(config=lan, platform="linux"))
    assert linux.to_do == "Start it, or correct --llm-url."


def test_what_this_terminal_may_and_a_service_may_not(monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    reached = listener.getsockname()
    connect = socket.create_connection
    monkeypatch.setattr("socket.create_connection", lambda address, timeout: connect(reached, timeout))
    lan = Config(llm_url="http://192.168.1.20:1234/v1", webhook_host=("10.0.0.7", "127.0.0.1"))
    answers, warned = check_llm(patient(config=lan))
    assert answers.state == "ok" and warned.state == "warning" and "Privacy & Security > Local Network" in warned.to_do
    (webhooks,) = check_webhooks(patient(config=lan))
    assert webhooks.text == "webhooks go to 10.0.0.7 in the local network"


@pytest.mark.parametrize(
    ("host", "near"),
    [("192.168.1.2", True), ("mac.local", True), ("fe80::1", True), ("127.0.0.1", False), ("8.8.8.8", False)],
)
def test_local_networks(host: str, near: bool) -> None:
    assert is_local(host) is near
