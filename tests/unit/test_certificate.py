"""The certificate of TLS: which files are taken, what is made, and how long it is kept."""

from __future__ import annotations

import hashlib
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from speechmlx.certificate import FILES, LIFETIME, certificate, make_certificate
from speechmlx.config import Config
from speechmlx.errors import BadRequest

SELF_SIGNED = Config(tls_self_signed=True)


def test_without_settings_there_is_none(tmp_path: Path) -> None:
    assert certificate(Config(), tmp_path) is None and not list(tmp_path.iterdir())


def test_one_is_made_for_this_machines_names_and_kept(tmp_path: Path) -> None:
    made = certificate(SELF_SIGNED, tmp_path / "settings")
    assert made is not None and made.self_signed
    for file in (made.cert, made.key):
        assert file.stat().st_mode & 0o777 == 0o600
    parsed = x509.load_pem_x509_certificate(made.cert.read_bytes())
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert f"{socket.gethostname().partition('.')[0].lower()}.local" in names.get_values_for_type(x509.DNSName)
    assert {"127.0.0.1", "::1"} <= {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}
    assert parsed.not_valid_after_utc - parsed.not_valid_before_utc <= timedelta(days=825)
    assert made.fingerprint.count(":") == 31 and made.fingerprint == made.fingerprint.upper()
    again = certificate(SELF_SIGNED, tmp_path / "settings")
    assert again == made and again.fingerprint == made.fingerprint


def test_one_that_ends_soon_is_made_anew(tmp_path: Path) -> None:
    made = certificate(SELF_SIGNED, tmp_path)
    assert made is not None
    old = make_certificate(["localhost"], datetime.now(UTC) - LIFETIME + timedelta(days=29))
    for name, content in zip(FILES, old, strict=True):
        (tmp_path / name).write_bytes(content)
    before = made.fingerprint
    assert certificate(SELF_SIGNED, tmp_path) == made and made.fingerprint != before
    assert x509.load_pem_x509_certificate(made.cert.read_bytes()).not_valid_after_utc > datetime.now(UTC) + LIFETIME / 2


def test_files_that_are_named_are_taken_with_their_chain(tmp_path: Path) -> None:
    one, two = (make_certificate(["localhost"], datetime.now(UTC)) for _ in range(2))
    (tmp_path / "c.pem").write_bytes(one[0] + two[0])
    (tmp_path / "k.pem").write_bytes(one[1])
    found = certificate(Config(tls_cert=tmp_path / "c.pem", tls_key=tmp_path / "k.pem"), tmp_path)
    assert found is not None and not found.self_signed
    der = ssl.PEM_cert_to_DER_cert(one[0].decode())
    assert found.fingerprint.replace(":", "").lower() == hashlib.sha256(der).hexdigest()


def test_what_cannot_be_is_refused_with_what_is_allowed(tmp_path: Path) -> None:
    (cert, key), (_, other) = (make_certificate(["localhost"], datetime.now(UTC)) for _ in range(2))
    for name, content in (("c", cert), ("k", key), ("other", other), ("junk", b"junk")):
        (tmp_path / name).write_bytes(content)
    c, k = tmp_path / "c", tmp_path / "k"
    for config, said in (
        (Config(tls_cert=c), "--tls-key is missing"),
        (Config(tls_key=k), "--tls-cert is missing"),
        (Config(tls_cert=c, tls_key=k, tls_self_signed=True), "leave it out"),
        (Config(tls_cert=c, tls_key=tmp_path / "none"), f"no file {tmp_path / 'none'}"),
        (Config(tls_cert=tmp_path / "none", tls_key=k), f"no file {tmp_path / 'none'}"),
        (Config(tls_cert=c, tls_key=tmp_path / "other"), "no PEM certificate and its key"),
        (Config(tls_cert=tmp_path / "junk", tls_key=k), "no PEM certificate and its key"),
    ):
        with pytest.raises(BadRequest, match=said):
            certificate(config, tmp_path)
    (tmp_path / FILES[0]).write_bytes(b"junk")
    with pytest.raises(BadRequest, match="delete it for a new one"):
        certificate(SELF_SIGNED, tmp_path)
