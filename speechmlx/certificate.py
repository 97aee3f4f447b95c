"""The certificate of TLS: files that a person names, or one that is made for the names of this machine and kept."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import secrets
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from speechmlx.config import Config
from speechmlx.errors import BadRequest

if TYPE_CHECKING:
    from cryptography import x509

LIFETIME = timedelta(days=820)
"""Apple's systems take no certificate that is valid for longer than 825 days."""
RENEWED = timedelta(days=30)
"""A certificate that ends sooner is made anew."""
PROBE_ADDRESSES = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses reserved for documentation. Nothing is sent to them."""
FILES = ("tls-cert.pem", "tls-key.pem")


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key, as PEM files."""

    cert: Path
    key: Path
    self_signed: bool = False

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, the first of its chain, as browsers show it."""
        pem = self.cert.read_text()
        end = "-----END CERTIFICATE-----"
        der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE-----") : pem.index(end) + len(end)])
        return hashlib.sha256(der).digest().hex(":").upper()


def certificate(config: Config, folder: Path) -> Certificate | None:
    """The certificate of the settings; None without TLS. One that is made is in `folder`. Raises BadRequest."""
    if config.tls_self_signed:
        if config.tls_cert or config.tls_key:
            raise BadRequest("--tls-self-signed makes its own certificate; leave it out, or --tls-cert and --tls-key")
        return _checked(_own(folder))
    if config.tls_cert is None and config.tls_key is None:
        return None
    if config.tls_cert is None or config.tls_key is None:
        missing = "--tls-key" if config.tls_key is None else "--tls-cert"
        raise BadRequest(f"TLS wants a certificate and its key: {missing} is missing")
    return _checked(Certificate(config.tls_cert, config.tls_key))


def _checked(found: Certificate) -> Certificate:
    """The certificate, if a server can use it. Raises BadRequest."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # An empty password: OpenSSL would ask for one on the terminal.
        context.load_cert_chain(found.cert, found.key, password="")
    except FileNotFoundError as error:
        missing = found.key if found.cert.exists() else found.cert
        raise BadRequest(f"TLS: there is no file {missing}") from error
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise BadRequest(
            f"TLS: {found.cert} and {found.key} are no PEM certificate and its key without a password: {error}"
        ) from error
    return found


def _own(folder: Path) -> Certificate:
    """The kept certificate, made if there is none that lasts. Raises BadRequest."""
    from cryptography import x509  # here: most servers make none

    found = Certificate(folder / FILES[0], folder / FILES[1], self_signed=True)
    try:
        kept = x509.load_pem_x509_certificate(found.cert.read_bytes())
        if found.key.exists() and kept.not_valid_after_utc - datetime.now(UTC) > RENEWED:
            return found
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise BadRequest(
            f"the kept certificate {found.cert} cannot be read: {error}; delete it for a new one"
        ) from error
    cert, key = make_certificate(_names(), datetime.now(UTC))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(found.key, key)
        _write(found.cert, cert)
    except OSError as error:
        raise BadRequest(f"the certificate cannot be kept in {folder}: {error.strerror}") from error
    return found


def make_certificate(names: Iterable[str], now: datetime) -> tuple[bytes, bytes]:
    """A self-signed certificate for host names and IP addresses, and its key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "speechmlx on this machine")])
    public = key.public_key()
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    return made.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names() -> list[str]:
    """The names and addresses by which this machine is reached, on itself and in its networks."""
    host = socket.gethostname().partition(".")[0].lower()
    names = ["localhost", "127.0.0.1", "::1"]
    if host.isascii() and host:
        names += [host, f"{host}.local"]
    for family in PROBE_ADDRESSES:
        if (address := own_address(family)) is not None:
            names.append(address)
    return list(dict.fromkeys(names))


def own_address(family: int) -> str | None:
    """This machine's address on the network of its default route; None if it has none."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((PROBE_ADDRESSES[socket.AddressFamily(family)], 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _write(path: Path, content: bytes) -> None:
    """Replace a file at once; only its owner can read it."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
